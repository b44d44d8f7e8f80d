r"""The wire format of messages and of results: a version, a header that anyone can read, and a body.

::

    "HUEY/1 " header "\n" body

``header`` is a JSON object on one line, of 64 KiB at most with what precedes it and the newline. A writer uses compact
ASCII (every other character as ``\uXXXX``); a reader accepts UTF-8. The first newline ends it, since JSON cannot hold
one inside a string. ``body`` is every byte after that, as the serializer made it, and may be empty. It carries no
length: whatever stores a message keeps it whole. A reader refuses a version other than its own; within one version,
fields may be added and a reader ignores those that it does not know. Times are seconds since the epoch (UTC), as JSON
numbers.

The header of a **message**. Its body is the command's data: for a decorated function a pair, the list of its
positional arguments and its keyword arguments by name.

=========== ======= ================================================================================
field       type    meaning
=========== ======= ================================================================================
``id``      text    identifies the command and its result
``cmd``     text    the dotted name of the command
``ser``     text    the name of the serializer that made the body
``at``      number  when the command was enqueued
``eta``     number  optional: it does not run before
``exp``     number  optional: it does not start after
``retries`` integer optional: how many more times it may be tried after it failed; absent means 0
``tries``   integer optional: how often it was tried again; absent means 0
``prio``    integer optional: its priority; absent means 0, higher runs first
``opts``    object  optional: options of this call that stand above those of the command
``hdr``     object  optional: texts by text, carried along for others, such as a trace context
``tick``    number  optional: the time for which a periodic command runs; absent for a call
=========== ======= ================================================================================

The header of a **result**:

=========== ======= ================================================================================
field       type    meaning
=========== ======= ================================================================================
``id``      text    the id of the command
``state``   text    ``ok``, ``error``, ``revoked``, ``expired`` or ``abandoned``
``ser``     text    the name of the serializer that made the body
=========== ======= ================================================================================

The body of an ``ok`` result is the value that the command returned. That of the others is an object of texts: ``type``,
``message`` and ``traceback`` for an ``error``, ``message`` otherwise. An exception is always described in words and
never carried as an object.

A message that is written again, for a retry, keeps the fields that the writer does not know. The bytes before the body
are the *context* that a signing serializer binds the body to, so that a body cannot be moved under another header, and
a result not be passed off as a message: whoever changes a header must encode the body anew.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final, NoReturn

from huey_core.exceptions import DecodeError, EncodeError

__all__ = [
    "FORMAT_VERSION",
    "MAX_HEADER_SIZE",
    "PlainHeaders",
    "encode_header",
    "encode_result_header",
    "join",
    "pack",
    "unpack",
]

FORMAT_VERSION: Final = 1
"""The version of the format that this module writes and reads."""

MAX_HEADER_SIZE: Final = 64 * 2**10
"""The most bytes before a body. Whoever looks at a message reads its header, and shows much of it."""

_PREFIX: Final = b"HUEY/%d " % FORMAT_VERSION
_PREFIX_TEXT: Final = _PREFIX.decode("ascii")
_ANY_VERSION: Final = re.compile(rb"HUEY/([0-9]{1,9}) ")


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


class PlainHeaders:
    """Writes the headers that most messages have, to the same bytes as :func:`encode_header` and four times as fast.

    Args:
        command: The field ``cmd``.
        serializer: The field ``ser``.
    """

    def __init__(self, command: str, serializer: str) -> None:
        self._middle = f'"cmd":{_write_json(command)},"ser":{_write_json(serializer)},"at":'

    def encode(self, task_id: str, enqueued_at: float, retries: int) -> bytes:
        """Write everything that precedes the body of a message with no further fields.

        Args:
            task_id: The field ``id``; ASCII letters and digits, which JSON writes as they are.
            enqueued_at: The field ``at``, finite.
            retries: The field ``retries``.

        Raises:
            EncodeError: It would be longer than :data:`MAX_HEADER_SIZE`.
        """
        text = f'{_PREFIX_TEXT}{{"id":"{task_id}",{self._middle}{enqueued_at!r},"retries":{retries}}}\n'
        if len(text) > MAX_HEADER_SIZE:
            raise _too_long(text)
        return text.encode("ascii")


def _too_long(header: str) -> EncodeError:
    return EncodeError(
        f"the header of a message is {len(header):,} bytes and may be {MAX_HEADER_SIZE:,}; it holds the id, the "
        "command's name, the options of the call and its headers: pass what is large as an argument"
    )


def encode_result_header(task_id: str, state: str, serializer: str) -> bytes:
    """Write everything that precedes the body of a result; where the id is a usual one, without a JSON encoder.

    Args:
        task_id: The field ``id``.
        state: The field ``state``.
        serializer: The field ``ser``.
    """
    # Not refused for its length: the id is that of a message which is there, whoever wrote it.
    text = f'"{task_id}"' if task_id.isascii() and task_id.isalnum() else _write_json(task_id)
    return f'{_PREFIX_TEXT}{{"id":{text},{_after_id(state, serializer)}'.encode("ascii")


@cache
def _after_id(state: str, serializer: str) -> str:
    return f"{_write_json({'state': state, 'ser': serializer})[1:]}\n"


def join(header_bytes: bytes, body: bytes) -> bytes:
    """Put the result of :func:`encode_header` and a body together."""
    return header_bytes + body


def pack(header: dict[str, Any], body: bytes) -> bytes:
    """Build a message from its header and its body.

    Raises:
        EncodeError: The header holds something that JSON does not have.
    """
    return encode_header(header) + body


def unpack(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Take a message apart, and leave its body alone.

    Returns:
        The header, the bytes before the body (what :func:`encode_header` made), and the body.

    Raises:
        DecodeError: The bytes are not a message, are cut off, or are of another format version.
    """
    if not data.startswith(_PREFIX):
        _refuse(data)
    end = data.find(b"\n", 0, MAX_HEADER_SIZE) + 1
    if not end:
        if len(data) >= MAX_HEADER_SIZE:
            raise DecodeError(f"the header of the message is longer than {MAX_HEADER_SIZE:,} bytes")
        raise DecodeError("the message is cut off: its header has no end")
    try:
        header = _read_json(data[len(_PREFIX) : end].decode())
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


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_write_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_read_json: Final = json.JSONDecoder(parse_constant=_refuse_constant).decode
