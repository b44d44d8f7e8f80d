"""Between commands and the bytes of messages; the format is described in :mod:`huey_core.message`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.base import FunctionCommand
from huey_core.commands.options import TRAVELLING
from huey_core.exceptions import ConfigurationError, DecodeError, EncodeError
from huey_core.message import PlainHeaders, encode_header, join, unpack
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE
from huey_core.unicode import has_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.commands.base import QueueCommand
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer

__all__ = ["CommandCodec"]

_HEADER_TYPES: Final[dict[str, frozenset[type]]] = {
    "id": frozenset({str}),
    "cmd": frozenset({str}),
    "ser": frozenset({str}),
    "at": frozenset({int, float}),
    "eta": frozenset({int, float}),
    "exp": frozenset({int, float}),
    "retries": frozenset({int}),
    "tries": frozenset({int}),
    "prio": frozenset({int}),
    "opts": frozenset({dict}),
    "hdr": frozenset({dict}),
    "tick": frozenset({int, float}),
}
"""The exact types of the fields of a header: to ``isinstance`` a bool is an int, and to nobody else a number."""


class CommandCodec:
    """Writes commands with one serializer, and reads those that were written with an accepted one.

    Args:
        registry: Where the classes of commands are found.
        serializer: Writes the bodies.
        accept: The serializers whose messages are read; a message cannot choose another one by itself.
        clock: The current time in seconds since the epoch.
        max_body_size: The most bytes of a body, without its layers, that are written and read.
    """

    def __init__(
        self,
        registry: CommandRegistry,
        serializer: Serializer,
        accept: Iterable[Serializer],
        clock: Callable[[], float] = time.time,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
    ) -> None:
        self._registry = registry
        self._serializer = serializer
        self._accepted = {one.name: one for one in accept}
        self._clock = clock
        self._max_size = max_body_size
        self._plain_headers: dict[str, PlainHeaders] = {}

    def encode(self, command: QueueCommand) -> bytes:
        """Turn a command into a message.

        Raises:
            EncodeError: The command's data cannot be carried by the serializer, and the message names the command; or
                those of a message that is written again cannot be read a second time.
        """
        enqueued_at = command.enqueued_at
        if enqueued_at is None:
            enqueued_at = command.enqueued_at = self._clock()
            if command.options.expires is not None:
                command.expires_at = (command.eta or enqueued_at) + command.options.expires
        encoded = self._plain_header(command, enqueued_at) or encode_header(self._header(command))
        payload = self._payload(command)
        try:
            return join(encoded, self._serializer.encode_within(payload, encoded, self._max_size))
        except EncodeError as error:
            raise self._with_place(command, encoded, error) from error

    def _with_place(self, command: QueueCommand, encoded: bytes, error: EncodeError) -> EncodeError:
        """Say whose data could not be carried, and of a function's arguments which."""
        name = command.command_name
        if not isinstance(command, FunctionCommand):
            return EncodeError(f"the data of {name}: {error}")
        args, kwargs = command.data
        places = {f"args[{index}]": value for index, value in enumerate(args)}
        places |= {f"kwargs[{key!r}]": value for key, value in kwargs.items()}
        for place, value in places.items():
            try:
                self._serializer.encode_within(value, encoded, self._max_size)
            except EncodeError as refused:
                return EncodeError(f"{place} of {name}: {refused}")
        return EncodeError(f"the arguments of {name}: {error}")

    def _payload(self, command: QueueCommand) -> Any:
        received = command.received
        if received is None or command.keeps_changes or command.data is not received[1]:
            return command.to_payload()
        # Decoded anew: to keep a copy of the arguments would cost every command what only a retry needs.
        header, encoded, body = unpack(received[0])
        try:
            return self._accepted[header["ser"]].decode_within(body, encoded, self._max_size)
        except DecodeError as error:
            raise EncodeError(f"the arguments of {command!r} cannot be read a second time: {error}") from error

    def _plain_header(self, command: QueueCommand, enqueued_at: float) -> bytes | None:
        """The header of a command that says no more than every command does; ``None`` if this one does."""
        if (
            command.received_header
            or command.retried
            or command.eta is not None
            or command.expires_at is not None
            or command.options.priority
            or command.headers
            or command.overrides
            or command.tick_at is not None
            or not (command.task_id.isascii() and command.task_id.isalnum())
        ):
            return None
        name = command.command_name
        headers = self._plain_headers.get(name)
        if headers is None:
            headers = self._plain_headers[name] = PlainHeaders(name, self._serializer.name)
        return headers.encode(command.task_id, enqueued_at, command.retries)

    def _header(self, command: QueueCommand) -> dict[str, Any]:
        # What a later version wrote into the header survives a retry by this one.
        header: dict[str, Any] = {
            **command.received_header,
            "id": command.task_id,
            "cmd": command.command_name,
            "ser": self._serializer.name,
            "at": command.enqueued_at,
            "retries": command.retries,
        }
        if command.retried:
            header["tries"] = command.retried
        if command.eta is not None:
            header["eta"] = command.eta
        if command.expires_at is not None:
            header["exp"] = command.expires_at
        if command.options.priority:
            header["prio"] = command.options.priority
        if command.headers:
            header["hdr"] = command.headers
        if command.tick_at is not None:
            header["tick"] = command.tick_at
        if command.overrides:
            travelling = {name: getattr(command.options, name) for name in TRAVELLING if name in command.overrides}
            if travelling:
                header["opts"] = travelling
        return header

    def decode(self, data: bytes) -> QueueCommand:
        """Turn a message back into a command.

        Raises:
            DecodeError: The bytes are damaged, of a future format, or of a serializer that is not accepted.
            SignatureError: The signature is missing or wrong.
            CommandNotFound: No command of that name is registered here.
        """
        header, encoded, body = unpack(data)
        for name, value in header.items():
            if name in _HEADER_TYPES and type(value) not in _HEADER_TYPES[name]:
                raise DecodeError(f"the message's header field {name!r} holds a {type(value).__name__}")
        try:
            task_id, command_name, serializer_name = header["id"], header["cmd"], header["ser"]
        except KeyError as error:
            raise DecodeError(f"the message's header lacks {error}") from error
        if not task_id.isascii() and has_surrogate(task_id):
            raise DecodeError("the message's header field 'id' is not valid Unicode")
        serializer = self._accepted.get(serializer_name)
        if serializer is None:
            accepted = ", ".join(sorted(self._accepted))
            raise DecodeError(f"the message is written with {serializer_name!r} and only {accepted} is accepted here")
        command_class = self._registry.get(command_name)
        payload = serializer.decode_within(body, encoded, self._max_size)
        try:
            overrides = header.get("opts")
            if "prio" in header:
                overrides = {**(overrides or {}), "priority": header["prio"]}
            command = command_class(command_class.from_payload(payload), task_id)
            if overrides:
                command.override(overrides)
        except (TypeError, ValueError, ConfigurationError) as error:
            raise DecodeError(f"the message does not fit the command {command_name!r}: {error}") from error
        command.eta = header.get("eta")
        command.retries = header.get("retries", 0)
        command.retried = header.get("tries", 0)
        command.enqueued_at = header.get("at")
        command.expires_at = header.get("exp")
        command.headers = header.get("hdr") or {}
        if "tick" in header:
            command.tick_at = header["tick"]
        command.received_header = header
        command.received = (data, command.data)
        return command
