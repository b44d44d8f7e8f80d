"""Between commands and the bytes of messages; the format is described in :mod:`huey_core.message`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from huey_core.backends.messages import Message
from huey_core.commands.base import ReceivedMessage
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.options import default_table
from huey_core.exceptions import ConfigurationError, DecodeError, EncodeError
from huey_core.message import NO_FIELDS, MessageHeader, read_message
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE
from huey_core.unicode import has_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from huey_core.commands.base import QueueCommand
    from huey_core.commands.options import OptionTable
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer

__all__ = ["CommandCodec"]


class CommandCodec:
    """Writes commands with one serializer, and reads those that were written with an accepted one.

    Args:
        registry: Where the classes of commands are found.
        serializer: Writes the bodies.
        accept: The serializers whose messages are read; a message cannot choose another one by itself.
        clock: The current time in seconds since the epoch.
        max_body_size: The most bytes of a body, without its layers, that are written and read.
        options: The options that commands may have. Of a message, others are kept and not obeyed.
    """

    def __init__(
        self,
        registry: CommandRegistry,
        serializer: Serializer,
        accept: Iterable[Serializer],
        clock: Callable[[], float] = time.time,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        *,
        options: OptionTable = default_table,
    ) -> None:
        self._registry = registry
        self._serializer = serializer
        self._serializer_name = serializer.name
        self._accepted = {one.name: one for one in accept}
        self._clock = clock
        self._max_size = max_body_size
        self._options = options

    def message(self, command: QueueCommand) -> Message:
        """Encode a command, with what the queue has to know of it.

        Raises:
            EncodeError: As :meth:`encode`.
            Exception: What the ``unique_key=`` of the application raises.
        """
        options = command.options
        data = self._encode(command, self._header(command))
        unique_key, unique_for = command.unique or (command.unique_key(), options.unique_for)
        return Message(data, command.task_id, options.priority, command.eta, unique_key, unique_for, options.queue)

    def encode(self, command: QueueCommand) -> bytes:
        """Turn a command into a message.

        Raises:
            EncodeError: The command's data cannot be carried by the serializer, and the message names the command; or
                those of a message that is written again cannot be read a second time.
        """
        return self._encode(command, self._header(command))

    def encode_retry(self, command: QueueCommand, *, uses_up: bool = True) -> bytes:
        """Turn a command that ran into the message of its next try.

        Args:
            command: The command.
            uses_up: Whether that has one retry less left.

        Raises:
            EncodeError: As :meth:`encode`.
        """
        header = self._header(command)
        retries = max(header.retries - 1, 0) if uses_up else header.retries
        return self._encode(command, header._replace(retries=retries, retried=header.retried + 1))

    def _encode(self, command: QueueCommand, header: MessageHeader) -> bytes:
        encoded = header.encode()
        payload = self._payload(command)
        try:
            return encoded + self._serializer.encode_within(payload, encoded, self._max_size)
        except EncodeError as error:
            raise self._with_place(command, encoded, error) from error

    def _with_place(self, command: QueueCommand, encoded: bytes, error: EncodeError) -> EncodeError:
        """Say whose data could not be carried, and of a function's arguments which."""
        name = command.command_name
        if not isinstance(command, FunctionCommand):
            return EncodeError(f"the data of {name}: {error}")
        args, kwargs = command.data
        named = {f"args[{index}]": value for index, value in enumerate(args)}
        named |= {f"kwargs[{key!r}]": value for key, value in kwargs.items()}
        for label, value in named.items():
            try:
                self._serializer.encode_within(value, encoded, self._max_size)
            except EncodeError as refused:
                return EncodeError(f"{label} of {name}: {refused}")
        return EncodeError(f"the arguments of {name}: {error}")

    def _payload(self, command: QueueCommand) -> Any:
        received = command.received
        if received is None or command.keeps_changes or command.data is not received.data:
            return command.to_payload()
        # Decoded anew: to keep a copy of the arguments would cost every command what only a retry needs.
        header, encoded, body = read_message(received.message)
        try:
            return self._accepted[header.serializer].decode_within(body, encoded, self._max_size)
        except DecodeError as error:
            raise EncodeError(f"the arguments of {command!r} cannot be read a second time: {error}") from error

    def _header(self, command: QueueCommand) -> MessageHeader:
        enqueued_at, expires_at = command.enqueued_at, command.expires_at
        if enqueued_at is None:
            enqueued_at, expires_at = command.written_at(self._clock())
        options, received = command.options, command.received
        overrides: Mapping[str, Any] = NO_FIELDS
        if command.overrides:
            overrides = {name: value for name, value in command.overrides.items() if self._options.find(name).travels}
            if received is not None:
                # Those that are not known here are there for a consumer that has the plugin.
                overrides = {**received.header.options, **overrides}
        return MessageHeader(
            command.task_id,
            command.command_name,
            self._serializer_name,
            enqueued_at,
            command.retries,
            command.retried,
            command.eta,
            expires_at,
            options.priority or None,
            overrides,
            command.headers or NO_FIELDS,
            command.tick_at,
            # What a later version wrote into the header survives a retry by this one.
            NO_FIELDS if received is None else received.header.fields,
        )

    def decode(self, data: bytes) -> QueueCommand:
        """Turn a message back into a command.

        Raises:
            DecodeError: The bytes are damaged, of a future format, or of a serializer that is not accepted.
            SignatureError: The signature is missing or wrong.
            CommandNotFound: No command of that name is registered here.
        """
        header, encoded, body = read_message(data)
        header.check()
        task_id, command_name, serializer_name = header.task_id, header.command_name, header.serializer
        if not task_id.isascii() and has_surrogate(task_id):
            raise DecodeError("the message's header field 'id' is not valid Unicode")
        serializer = self._accepted.get(serializer_name)
        if serializer is None:
            accepted = ", ".join(sorted(self._accepted))
            raise DecodeError(f"the message is written with {serializer_name!r} and only {accepted} is accepted here")
        command_class = self._registry.get(command_name)
        payload = serializer.decode_within(body, encoded, self._max_size)
        try:
            overrides = header.options
            if header.priority is not None:
                overrides = {**overrides, "priority": header.priority}
            command = command_class(command_class.from_payload(payload), task_id)
            if overrides:
                command.override_checked(self._options.check_known(overrides))
        except (TypeError, ValueError, ConfigurationError) as error:
            raise DecodeError(f"the message does not fit the command {command_name!r}: {error}") from error
        command.receive(ReceivedMessage(header, data, command.data))
        return command
