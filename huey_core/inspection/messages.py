"""A stored message as facts. Nothing here raises because of what a message contains, and nothing of it is run.

Whoever can write to a queue decides what is in its messages. Reading the header decodes nothing else. The body is
decoded only for its arguments, by a serializer that the application accepts, and by none that would run code that the
bytes choose: to look at a message must not run it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from huey_core.commands.function_command import FunctionCommand
from huey_core.exceptions import BodyTooLarge, CommandNotFound, DecodeError
from huey_core.message import MessageHeader, read_message
from huey_core.text import printable

if TYPE_CHECKING:
    from huey_core.backends.messages import StoredMessage
    from huey_core.invoker.invoker import Invoker

__all__ = ["Arguments", "MessageFacts"]


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a command, or why they are not shown. Both are printable.

    Attributes:
        texts: The arguments as source text, one to a text: ``'anna'``, ``copies=2``.
        hidden: Why they are not shown; empty when they are.
    """

    texts: tuple[str, ...] = ()
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What a stored message says about itself, as it says it; a front end makes printable what it shows of that.

    Attributes:
        stored: The message, with the reason and the traceback of a dead one.
        problem: Why it cannot be read; empty when it can.
        header: Its header; without fields when it cannot be read.
        context: The bytes before the body.
        body: The bytes of its arguments.
    """

    stored: StoredMessage
    problem: str = ""
    header: MessageHeader = field(default_factory=MessageHeader)
    context: bytes = b""
    body: bytes = b""

    @classmethod
    def read(cls, stored: StoredMessage) -> MessageFacts:
        """Read a message; its body is not decoded."""
        try:
            header, context, body = read_message(stored.data)
        except DecodeError as error:
            return cls(stored, str(error))
        return cls(stored, "", header, context, body)

    @property
    def command(self) -> str:
        """The name of the command; empty when the message names none."""
        return self.header.command_name

    def has_expired(self, now: float) -> bool:
        """Whether a consumer would drop it at ``now`` (seconds since the epoch by the queue's clock), without a run."""
        expires = self.header.expires_at
        return expires is not None and now > expires

    def arguments(self, invoker: Invoker, limit: int) -> Arguments:
        """Decode the body.

        Args:
            invoker: Whose serializers and commands are used. Commands that it does not know are taken for functions.
            limit: The longest body in bytes that is decoded, without compression and other layers.
        """
        if self.problem:
            return Arguments(hidden=printable(self.problem))
        if self.header.malformed:
            return _hidden(f"the header's field {self.header.malformed!r} is of the wrong type")
        name = self.header.serializer
        serializer = invoker.accepted.get(name)
        if serializer is None:
            return _hidden(f"written with the serializer {name!r}, which is not accepted here")
        if serializer.runs_code:
            return _hidden(f"written with {name!r}, which nothing signs; to read it would run whatever it carries")
        try:
            payload = serializer.decode_within(self.body, self.context, limit)
            return Arguments(tuple(map(printable, _as_source(payload, self.command, invoker))))
        except BodyTooLarge as error:
            size = f"more than {limit:,}" if error.size is None else f"{error.size:,}"
            return _hidden(f"{size} bytes, too long to be shown here")
        # Whatever a serializer, or the repr() of a value, makes of bytes that anybody may have written.
        except Exception as error:  # noqa: BLE001
            return _hidden(f"cannot be read: {error}")


def _hidden(reason: str) -> Arguments:
    return Arguments(hidden=printable(reason))


def _as_source(payload: Any, name: str, invoker: Invoker) -> list[str]:
    try:
        is_call = issubclass(invoker.registry.get(name), FunctionCommand)
    except CommandNotFound:
        # This process need not have imported the commands; most are functions.
        is_call = True
    match payload:
        case [list(arguments), dict(keywords)] if is_call:
            return [repr(each) for each in arguments] + [f"{key}={value!r}" for key, value in keywords.items()]
        case None:
            return []
        case _:
            return [repr(payload)]
