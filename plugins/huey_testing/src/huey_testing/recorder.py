"""What was enqueued, and assertions about it whose failures show what was enqueued instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from huey_core.commands import FunctionCommand, QueueCommand, parameters_of
from huey_core.decorators import CommandFunction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends import LeasedQueue, Message, Written
    from huey_core.commands import CommandCodec

__all__ = ["Recorder", "read_command"]

What: TypeAlias = CommandFunction[..., Any, Any] | type[QueueCommand] | QueueCommand
"""What to look for: a decorated function, a class of commands, or one command with its data."""


class Recorder:
    """The commands that were written to the queues that it listens to, as a consumer will read them.

    A call that wrote nothing, because a live command has its unique key, is not among them. Periodic commands are.

    Attributes:
        commands: The commands, in the order in which they were enqueued.
    """

    def __init__(self) -> None:
        self.commands: list[QueueCommand] = []

    def assert_enqueued(self, what: What, /, *args: Any, within: float | None = None, **kwargs: Any) -> QueueCommand:
        """Fail unless a call was enqueued, and return the first command that fits.

        ::

            recorder.assert_enqueued(send_mail)  # any call
            recorder.assert_enqueued(send_mail, "ann", text=ANY)  # this call, however its arguments are passed
            recorder.assert_enqueued(send_mail, "ann", "hello", within=60)
            recorder.assert_enqueued(rebuild.command())  # a call without arguments, and no other
            recorder.assert_enqueued(SendMail({"to": "ann"}))  # a command written as a class

        Args:
            what: A decorated function or a class of commands, of which any call fits that has the arguments given here,
                if any are; or a command, of which a call with the same data fits.
            args: The arguments.
            within: The call must be due at most so many seconds after it was made; 0 for at once.
            kwargs: The keyword arguments. For one that is called ``within``, pass ``what`` as a command.
        """
        __tracebackhide__ = True
        found = self.find(what, *args, within=within, **kwargs)
        if not found:
            deadline = "" if within is None else f" to run within {within:g} s"
            raise AssertionError(f"{_sought(what, args, kwargs)} was not enqueued{deadline}; {self._instead()}")
        return found[0]

    def assert_not_enqueued(self, what: What, /, *args: Any, within: float | None = None, **kwargs: Any) -> None:
        """Fail if a call was enqueued; the arguments are those of :meth:`assert_enqueued`."""
        __tracebackhide__ = True
        if self.find(what, *args, within=within, **kwargs):
            raise AssertionError(f"{_sought(what, args, kwargs)} was enqueued; {self._instead()}")

    def find(self, what: What, /, *args: Any, within: float | None = None, **kwargs: Any) -> list[QueueCommand]:
        """The commands that fit; the arguments are those of :meth:`assert_enqueued`."""
        name = _class_of(what).command_name
        expected = _expected(what, args, kwargs)
        return [
            command
            for command in self.commands
            if command.command_name == name
            and (expected is None or _have_same_data(expected, command))
            and (within is None or _delay(command) <= within)
        ]

    def clear(self) -> None:
        """Forget what was enqueued so far. The queue keeps it."""
        self.commands.clear()

    def listen(self, queue: LeasedQueue, codec: CommandCodec) -> None:
        """Note what is written to a queue from now on, read with ``codec``."""
        write_many = queue.write_many

        def note_written(messages: Sequence[Message]) -> list[Written]:
            written = write_many(messages)
            created = [message for message, one in zip(messages, written, strict=True) if one.created]
            self.commands += filter(None, (read_command(codec, message.data) for message in created))
            return written

        queue.write_many = note_written  # type: ignore[method-assign]  # of this one object

    def _instead(self) -> str:
        if not self.commands:
            return "nothing was enqueued"
        return "\n  ".join(["what was enqueued:", *(_shown(command) for command in self.commands)])


def read_command(codec: CommandCodec, data: bytes) -> QueueCommand | None:
    """Read a message as a consumer will, or return ``None`` for one that cannot be read."""
    try:
        return codec.decode(data)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the consumer will say so when it comes to run it
        return None


def _class_of(what: What) -> type[QueueCommand]:
    if isinstance(what, CommandFunction):
        return what.command_class
    found = what if isinstance(what, type) else type(what)
    if not issubclass(found, QueueCommand):
        raise TypeError(f"look for a decorated function, a class of commands or a command, not for {what!r}")
    return found


def _expected(what: What, args: tuple[Any, ...], kwargs: dict[str, Any]) -> QueueCommand | None:
    if isinstance(what, QueueCommand):
        if args or kwargs:
            raise TypeError("a command has its data already; give arguments with a function or a class")
        return what
    if not args and not kwargs:
        return None
    return what.command(*args, **kwargs) if isinstance(what, CommandFunction) else what(*args, **kwargs)


def _have_same_data(expected: QueueCommand, command: QueueCommand) -> bool:
    return bool(_values(expected) == _values(command))


def _values(command: QueueCommand) -> Any:
    """The arguments by their names, so that it does not matter how they were passed."""
    if not isinstance(command, FunctionCommand):
        return command.data
    args, kwargs = command.data
    try:
        bound = parameters_of(command.function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        # A wrapper fills in arguments of its own, or nobody has compared them and it will fail when it runs.
        return list(args), kwargs
    bound.apply_defaults()
    return bound.arguments


def _delay(command: QueueCommand) -> float:
    if command.eta is None or command.enqueued_at is None:
        return 0.0
    return max(command.eta - command.enqueued_at, 0.0)


def _sought(what: What, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    expected = _expected(what, args, kwargs)
    return _class_of(what).command_name if expected is None else _call(expected)


def _shown(command: QueueCommand) -> str:
    delay = _delay(command)
    return f"{_call(command)}, due after {delay:g} s" if delay else _call(command)


def _call(command: QueueCommand) -> str:
    if not isinstance(command, FunctionCommand):
        return f"{command.command_name}({command.data!r})"
    args, kwargs = command.data
    texts = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    return f"{command.command_name}({', '.join(texts)})"
