r"""The wire format of messages and of results: a version, a header that anyone can read, and a body.

::

    "HUEY/1 " header "\n" body

``header`` is a JSON object on one line, of 64 KiB at most with what precedes it and the newline; ``docs/messages.md``
has its fields. A writer uses compact ASCII (every other character as ``\uXXXX``); a reader accepts UTF-8. ``body`` is
every byte after the first newline, as the serializer made it, and may be empty. It carries no length: whatever stores a
message keeps it whole. A reader refuses a version other than its own; within one version, fields may be added, which a
reader ignores, and keeps when it writes the message again for a retry.

The bytes before the body are the *context* that a signing serializer binds the body to, so that a body cannot be moved
under another header, and a result not be passed off as a message: whoever changes a header must encode the body anew.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from huey_core.exceptions import DecodeError, EncodeError
from huey_core.strict_json import json_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT_VERSION",
    "MAX_HEADER_SIZE",
    "NO_FIELDS",
    "MessageHeader",
    "ResultHeader",
    "encode_header",
    "encode_result_header",
    "read_header",
    "read_message",
    "read_result",
    "run_fields",
    "run_of_result",
    "unpack",
]

FORMAT_VERSION: Final = 1
"""The version of the format that this module writes and reads."""

MAX_HEADER_SIZE: Final = 64 * 2**10
"""The most bytes before a body. Whoever looks at a message reads its header, and shows much of it."""

_PREFIX: Final = b"HUEY/%d " % FORMAT_VERSION
_PREFIX_TEXT: Final = _PREFIX.decode("ascii")
_BEFORE_ID: Final = f'{_PREFIX_TEXT}{{"id":"'
_ANY_VERSION: Final = re.compile(rb"HUEY/([0-9]{1,9}) ")


NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})
"""What a header has where there is nothing."""

_TEXT: Final = frozenset({str})
_INTEGER: Final = frozenset({int})
_NUMBER: Final = frozenset({int, float})
_OBJECT: Final = frozenset({dict})


class MessageHeader(NamedTuple):
    """What a message says before its body.

    A field that is absent, or that holds another type than it should, is read as its default.

    Attributes:
        task_id: Identifies the command and its result; empty when it is missing.
        command_name: The dotted name of the command; empty when it is missing.
        serializer: The name of the serializer that made the body; empty when it is missing.
        enqueued_at: When the command was enqueued, in seconds since the epoch.
        retries: How many more times it may be tried after it failed.
        retried: How often it was tried again.
        eta: It does not run before, in seconds since the epoch.
        expires_at: It does not start after, in seconds since the epoch.
        priority: Its priority; ``None`` leaves that to the command.
        options: Options of this call that stand above those of the command.
        headers: Texts by name, carried along for others.
        tick_at: The time for which a periodic command runs, in seconds since the epoch; ``None`` for a call.
        fields: All fields as they were read, those of a later version included, which are written again; empty in a
            header that was made here.
        malformed: The name of a field, as it is in the message, that holds another type than it should; empty when
            there is none.
    """

    task_id: str = ""
    command_name: str = ""
    serializer: str = ""
    enqueued_at: float | None = None
    retries: int = 0
    retried: int = 0
    eta: float | None = None
    expires_at: float | None = None
    priority: int | None = None
    options: Mapping[str, Any] = NO_FIELDS
    headers: Mapping[str, str] = NO_FIELDS
    tick_at: float | None = None
    fields: Mapping[str, Any] = NO_FIELDS
    malformed: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> MessageHeader:
        """Read the fields of a header, whatever they hold."""
        if tuple(fields) == _ALWAYS and tuple(map(type, fields.values())) in _USUAL_TYPES:
            # Most headers are such ones, and the loop below takes four times as long.
            return tuple.__new__(cls, (*fields.values(), *_NO_OPTIONAL, fields, ""))
        values = list(_DEFAULTS)
        for key, value in fields.items():
            place, types = _PLACES.get(key, _UNKNOWN)
            if type(value) in types:
                values[place] = value
            elif types:
                values[_MALFORMED] = values[_MALFORMED] or key
        values[_ALL] = fields
        # Each message that is read comes here: the constructor takes three times as long.
        return tuple.__new__(cls, values)

    def check(self) -> None:
        """Refuse a header that no command can be made of.

        Raises:
            DecodeError: A field that every message has is missing, or one holds another type than it should.
        """
        if self.malformed:
            kind = type(self.fields[self.malformed]).__name__
            raise DecodeError(f"the message's header field {self.malformed!r} holds a {kind}")
        if not (self.task_id and self.command_name and self.serializer):
            missing = next(key for key in ("id", "cmd", "ser") if not self.fields.get(key))
            raise DecodeError(f"the message's header lacks {missing!r}")

    def encode(self) -> bytes:
        """Write everything that precedes the body; see :func:`encode_header`."""
        task_id, enqueued_at = self.task_id, self.enqueued_at
        if (
            self[_FIRST_OPTIONAL:] != _PLAIN
            or enqueued_at is None
            or not (task_id.isascii() and task_id.isalnum() and isfinite(enqueued_at))
        ):
            return encode_header(self._to_fields())
        # Most headers hold no more than this, and a JSON encoder takes four times as long to write the same bytes.
        middle = _after_task_id(self.command_name, self.serializer)
        text = f'{_PREFIX_TEXT}{{"id":"{task_id}",{middle}{enqueued_at!r},"retries":{self.retries}}}\n'
        if len(text) > MAX_HEADER_SIZE:
            raise _too_long(text)
        return text.encode("ascii")

    def labelled_fields(self) -> list[tuple[str, Any]]:
        """The fields as they were read, in their order, to be shown.

        Each has the name of its attribute, or its name in the message when no attribute stands for it.
        """
        return [(_FIELDS[key][0] if key in _FIELDS else key, value) for key, value in self.fields.items()]

    def _to_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            **self.fields,
            "id": self.task_id,
            "cmd": self.command_name,
            "ser": self.serializer,
            "at": self.enqueued_at,
            "retries": self.retries,
        }
        if self.retried:
            fields["tries"] = self.retried
        if self.eta is not None:
            fields["eta"] = self.eta
        if self.expires_at is not None:
            fields["exp"] = self.expires_at
        if self.priority:
            fields["prio"] = self.priority
        if self.headers:
            fields["hdr"] = dict(self.headers)
        if self.tick_at is not None:
            fields["tick"] = self.tick_at
        if self.options:
            fields["opts"] = dict(self.options)
        return fields


_FIELDS: Final[dict[str, tuple[str, frozenset[type]]]] = {
    "id": ("task_id", _TEXT),
    "cmd": ("command_name", _TEXT),
    "ser": ("serializer", _TEXT),
    "at": ("enqueued_at", _NUMBER),
    "retries": ("retries", _INTEGER),
    "tries": ("retried", _INTEGER),
    "eta": ("eta", _NUMBER),
    "exp": ("expires_at", _NUMBER),
    "prio": ("priority", _INTEGER),
    "opts": ("options", _OBJECT),
    "hdr": ("headers", _OBJECT),
    "tick": ("tick_at", _NUMBER),
}
"""The attribute of each field and its exact types: to ``isinstance`` a bool is an int, and to nobody else a number."""

_DEFAULTS: Final = MessageHeader()
_PLACES: Final = {key: (MessageHeader._fields.index(name), types) for key, (name, types) in _FIELDS.items()}
_UNKNOWN: Final[tuple[int, frozenset[type]]] = (-1, frozenset())
_ALL: Final = MessageHeader._fields.index("fields")
_MALFORMED: Final = MessageHeader._fields.index("malformed")

_FIELDS_OF_RUN: Final = ("at", "end", "took", "runs")
"""The fields of a result that :func:`run_fields` writes."""

_FIRST_OPTIONAL: Final = MessageHeader._fields.index("retried")
_PLAIN: Final = _DEFAULTS[_FIRST_OPTIONAL:]
"""The optional fields of a header that has none of them."""
_NO_OPTIONAL: Final = _DEFAULTS[_FIRST_OPTIONAL:_ALL]

_ALWAYS: Final = ("id", "cmd", "ser", "at", "retries")
"""The fields that each header has, in the order in which they are written: that of :class:`MessageHeader`."""
_USUAL_TYPES: Final = frozenset({(str, str, str, float, int), (str, str, str, int, int)})


class ResultHeader(NamedTuple):
    """What a stored result says before its body, as it says it.

    Attributes:
        task_id: The id of the command.
        state: How it ended.
        serializer: The name of the serializer that made the body.
        fields: All fields as they were read.
    """

    task_id: Any
    state: Any
    serializer: Any
    fields: Mapping[str, Any] = NO_FIELDS

    @property
    def enqueued_at(self) -> float | None:
        """When the command was enqueued, in seconds since the epoch; ``None`` where that is not known."""
        return self._number("at")

    @property
    def ended_at(self) -> float | None:
        """When it ended, in seconds since the epoch; ``None`` where that is not known."""
        return self._number("end")

    @property
    def began_at(self) -> float | None:
        """When its last run began, in seconds since the epoch; ``None`` where there was none, or that is not known."""
        ended_at, took = self.ended_at, self._number("took")
        return ended_at - took if ended_at is not None and took else None

    @property
    def deliveries(self) -> int:
        """How often it was delivered, as far as that is known."""
        value = self.fields.get("runs")
        return value if type(value) is int else 0

    def _number(self, name: str) -> float | None:
        value = self.fields.get(name)
        return value if type(value) in _NUMBER else None


def read_message(data: bytes) -> tuple[MessageHeader, bytes, bytes]:
    """Take a message apart, and leave its body alone.

    Returns:
        The header, the bytes before the body, and the body.

    Raises:
        DecodeError: The bytes are not a message, are cut off, or are of another format version.
    """
    fields, before, body = unpack(data)
    return MessageHeader.read(fields), before, body


def read_header(data: bytes) -> MessageHeader:
    """The header of a message; one without any fields when the bytes are not a message."""
    try:
        return MessageHeader.read(unpack(data)[0])
    except DecodeError:
        return MessageHeader()


def read_result(data: bytes) -> tuple[ResultHeader, bytes, bytes]:
    """Take a stored result apart, and leave its body alone; see :func:`read_message`."""
    fields, before, body = unpack(data)
    return ResultHeader(fields.get("id"), fields.get("state"), fields.get("ser"), fields), before, body


def encode_header(header: dict[str, Any]) -> bytes:
    """Write everything that precedes the body: the version, the header and the newline.

    Raises:
        EncodeError: The header holds something that JSON does not have, or is longer than :data:`MAX_HEADER_SIZE`.
    """
    try:
        text = f"{_PREFIX_TEXT}{_write_json(header)}\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise EncodeError(f"the header of a message cannot be written as JSON: {error}") from error
    if len(text) > MAX_HEADER_SIZE:
        raise _too_long(text)
    return text.encode("ascii")


def _too_long(header: str) -> EncodeError:
    return EncodeError(
        f"the header of a message is {len(header):,} bytes and may be {MAX_HEADER_SIZE:,}; it holds the id, the "
        "command's name, the options of the call and its headers: pass what is large as an argument"
    )


def encode_result_header(task_id: str, state: str, serializer: str, run: str = "") -> bytes:
    """Write everything that precedes the body of a result; where the id is a usual one, without a JSON encoder.

    Args:
        task_id: The id of the command.
        state: How it ended.
        serializer: The name of the serializer that makes the body.
        run: What :func:`run_fields` has made.
    """
    # Not refused for its length: the id is that of a message which is there, whoever wrote it.
    text = task_id if task_id.isascii() and task_id.isalnum() else _write_json(task_id)[1:-1]
    return f"{_BEFORE_ID}{text}{_after_id(state, serializer)}{run}}}\n".encode("ascii")


def run_fields(enqueued_at: float | None, ended_at: float, took: float, deliveries: int) -> str:
    """Write the fields of a result's header that say when the command was enqueued and run.

    Args:
        enqueued_at: When it was enqueued, in seconds since the epoch; left out when it is ``None``, or no such number,
            as a message may have it that another program wrote.
        ended_at: When it ended, in seconds since the epoch.
        took: How long it ran, in seconds; 0 when it did not begin.
        deliveries: How often it was delivered.
    """
    try:
        if enqueued_at is not None and isfinite(enqueued_at):
            # Each result comes here, and an f-string takes half as long again.
            return ',"at":%.3f,"end":%.3f,"took":%.6g,"runs":%d' % (enqueued_at, ended_at, took, deliveries)  # noqa: UP031
    except OverflowError:
        # An integer of hundreds of digits.
        pass
    return f',"end":{ended_at:.3f},"took":{took:.6g},"runs":{deliveries}'


def run_of_result(data: bytes) -> str:
    """What :func:`run_fields` has made of the run that a stored result is of; empty where that cannot be read."""
    try:
        fields = unpack(data)[0]
    except DecodeError:
        return ""
    known = {name: fields[name] for name in _FIELDS_OF_RUN if name in fields}
    return f",{_write_json(known)[1:-1]}" if known else ""


@lru_cache(maxsize=4096)
def _after_task_id(command_name: str, serializer: str) -> str:
    return f'"cmd":{_write_json(command_name)},"ser":{_write_json(serializer)},"at":'


@cache
def _after_id(state: str, serializer: str) -> str:
    return f'",{_write_json({"state": state, "ser": serializer})[1:-1]}'


def unpack(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Do what :func:`read_message` does, and leave the header as the JSON object that it is."""
    if not data.startswith(_PREFIX):
        _refuse(data)
    end = data.find(b"\n", 0, MAX_HEADER_SIZE) + 1
    if not end:
        if len(data) >= MAX_HEADER_SIZE:
            raise DecodeError(f"the header of the message is longer than {MAX_HEADER_SIZE:,} bytes")
        raise DecodeError("the message is cut off: its header has no end")
    try:
        header = _read_json(data[len(_PREFIX) : end - 1].decode())
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"the header of the message is not JSON: {error}") from error
    if type(header) is not dict:
        raise DecodeError("the header of the message is not a JSON object")
    return header, data[:end], data[end:]


def _refuse(data: bytes) -> NoReturn:
    version = _ANY_VERSION.match(data)
    if version:
        raise DecodeError(f"the message has format version {int(version[1])}; this version reads {FORMAT_VERSION}")
    if data and _PREFIX.startswith(data):
        raise DecodeError("the message is cut off: it has no header")
    raise DecodeError("the bytes are not a message of this format")


_write_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_read_json: Final = json_reader()
