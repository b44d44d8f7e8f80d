"""What a command knows of its run, and how it asks for it."""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core.commands.base import CommandInvoker, QueueCommand
from huey_core.commands.progress import checked_progress
from huey_core.commands.progress_writer import ProgressInvoker, new_reporter
from huey_core.commands.sharing import follow_up_queue
from huey_core.exceptions import CommandTimeout, NoCurrentCommand
from huey_core.message import read_header
from huey_core.text import printable_text
from huey_core.unicode import cut_middle

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.commands.progress_writer import ProgressReporter
    from huey_core.workers.interruption import Interruption

__all__ = ["CURRENT", "RunContext", "current_command", "log_fields"]


class RunInvoker(CommandInvoker, ProgressInvoker, Protocol):
    """What a run needs of the invoker whose command it runs."""


class RunContext:
    """One run of a command. What it is can be read and not changed.

    Args:
        command: The command.
        delivery: The delivery that carries it.
        invoker: The invoker of the queue that it is from.
        interruption: By which the command is interrupted, if it can be.
    """

    __slots__ = ("_command", "_delivery", "_interruption", "_invoker")

    def __init__(
        self, command: QueueCommand, delivery: Delivery, invoker: RunInvoker, interruption: Interruption
    ) -> None:
        self._command = command
        self._delivery = delivery
        self._invoker = invoker
        self._interruption = interruption

    @property
    def task_id(self) -> str:
        """The command's identifier."""
        return self._command.task_id

    @property
    def name(self) -> str:
        """The command's registered name."""
        return self._command.command_name

    @property
    def delivery_count(self) -> int:
        """The number of this delivery since the last outcome, from 1: above 1 when a run before had none."""
        return self._delivery.attempt

    @property
    def retries_left(self) -> int:
        """How many more times the command is tried if this run fails."""
        return self._command.retries

    @property
    def retry_count(self) -> int:
        """How often the command was tried again, for whatever reason: 0 in its first run."""
        return self._command.retried

    @property
    def headers(self) -> dict[str, str]:
        """The texts by name that travel with the message; a copy, which may be passed on."""
        return dict(self._command.headers)

    @property
    def enqueued_at(self) -> float | None:
        """When the command was enqueued, in seconds since the epoch; ``None`` if the message does not say."""
        return self._command.enqueued_at

    @property
    def deadline(self) -> float | None:
        """When the command's ``timeout`` is over, on the clock of :func:`time.monotonic`; ``None`` without one.

        So ``deadline - time.monotonic()`` is how many seconds are left to it.
        """
        return self._interruption.deadline(self._delivery)

    @property
    def cancelled(self) -> bool:
        """Whether the command is to end: it was cancelled, or its consumer has lost its message."""
        error = self._interruption.error(self._delivery)
        return error is not None and not isinstance(error, CommandTimeout)

    def check(self) -> None:
        """Raise what the command is to end with, if it is to end.

        To be called now and then by a command that cannot be interrupted otherwise: in a thread of its own, between two
        calls that last, or where its worker pool cannot interrupt what it does.

        Raises:
            CommandTimeout: Its ``timeout`` is over.
            CommandInterrupted: It was cancelled.
            DeliveryLost: Its consumer has lost its message.
        """
        error = self._interruption.error(self._delivery)
        if error is not None:
            raise error
        deadline = self.deadline
        if deadline is not None and time.monotonic() >= deadline:
            raise CommandTimeout("it ran for longer than its timeout")

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """The logger of the module that defines the command; its records have the fields of :func:`log_fields`."""
        fields = log_fields(self._invoker.queue.name, self._delivery, self._command.command_name)
        return _Log(logging.getLogger(self._command.logger_name()), fields)

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Tell whoever looks how far this run has come: ``handle.progress()``, ``handle.watch_progress()``.

        It returns at once, and a thread writes it beside the result: the first one and the first with ``done == total``
        at once, of the others the latest every fifth of a second, and the last when the run ends. A store that is away
        is logged once, and costs the command nothing.

        Args:
            done: How much is done, from 0 to 2**53.
            total: How much there is to do; ``None`` where that is not known.
            note: What to say of it; the middle of more than some 500 characters is left out.

        Raises:
            ConfigurationError: An argument is something else.
            NoCurrentCommand: The run has ended: it was reported in a thread that the command has not waited for.
        """
        command, invoker = self._command, self._invoker
        if not command.add_progress(checked_progress(done, total, note, invoker.now()), self._make_reporter):
            raise _too_late(command, "its progress is not written: a thread that reports it")

    def _make_reporter(self) -> ProgressReporter:
        command = self._command
        ttl, awaits = command.options.result_ttl, command.is_coroutine
        return new_reporter(self._invoker, self._delivery, self._interruption, ttl, awaits=awaits)

    def then(self, command: QueueCommand) -> None:
        """Have another command enqueued when this one succeeds, in the same step as its ack and its result.

        When this run fails, it is dropped; the next run may ask for it again. It is written as it is when the run ends.

        Args:
            command: The command of a call: ``function.command(...)``. It goes to its own queue, which must be where
                this command's is.

        Raises:
            TypeError: It is no command.
            NoCurrentCommand: The run has ended: it was asked for in a thread that the command has not waited for.
            ConfigurationError: Its queue is at another place.
            Unsupported: Nothing can be written there in one step with the end of this command.
        """
        if isinstance(command, QueueCommand):
            follow_up_queue(command, self._invoker)
        if not self._command.add_follow_up(command):
            raise _too_late(self._command, f"{command!r} cannot follow it: a thread that asks for it")

    def __repr__(self) -> str:
        return f"<run of {self._command!r}>"


def _too_late(command: QueueCommand, what: str) -> NoCurrentCommand:
    return NoCurrentCommand(f"the run of {command!r} has ended, so {what} has to be waited for in the command")


class _Log(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        # Of Python's own, the fields of a single call are lost.
        return msg, {**kwargs, "extra": {**(self.extra or {}), **(kwargs.get("extra") or {})}}


CURRENT: Final[ContextVar[tuple[QueueCommand, Delivery, RunInvoker, Interruption]]] = ContextVar(
    "huey_core.current_command"
)
"""The command that runs in this context, its delivery, the invoker of its queue, and by what it is interrupted.

Whoever runs a command sets it, in a context that belongs to the run alone. It is what a :class:`RunContext` is made of,
and not that itself, because it is set for every command and hardly ever asked for.
"""


def current_command() -> RunContext:
    """What the command that runs here knows of its run.

    It is known in the command, in what it calls and awaits, and in the hooks around it. A thread that the command
    starts knows it if it runs in a copy of the command's context, as those of ``asyncio.to_thread()`` do.

    Raises:
        NoCurrentCommand: No command runs here.
    """
    try:
        return RunContext(*CURRENT.get())
    except LookupError:
        raise NoCurrentCommand(
            "no command runs here; in a thread that a command has started, run what asks for it in a copy of the "
            "command's context: contextvars.copy_context().run(...)"
        ) from None


def log_fields(
    queue_name: str, message: Delivery | StoredMessage, command: str | None = None, duration: float | None = None
) -> dict[str, object]:
    """What a line of the log says of a message in fields, for who searches or counts by them.

    Args:
        queue_name: The name of its queue.
        message: The message, as it was delivered or is stored.
        command: The registered name of its command; otherwise it is what the message's header says.
        duration: How long the command ran, in seconds, once it has ended.
    """
    fields: dict[str, object] = {
        "task_id": message.message_id,
        "queue": queue_name,
        "delivery_count": message.attempt,
    }
    # Whoever can write to a queue decides what is in a header.
    name = command or cut_middle(printable_text(read_header(message.data).command_name), 200)
    if name:
        fields["command"] = name
    if duration is not None:
        fields["duration"] = round(duration, 6)
    return fields
