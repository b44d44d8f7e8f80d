"""Commands: one object is one call. Their classes are made by the decorators, or subclassed by hand."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from huey_core.backends.messages import new_message_id
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.follow_ups import FollowUps
from huey_core.commands.local_time import to_epoch
from huey_core.commands.options import CommandOptions, OptionTable, default_table
from huey_core.commands.schedules import Schedule
from huey_core.commands.unique_keys import fill_in, key_of_all, key_of_value
from huey_core.exceptions import ConfigurationError
from huey_core.names import dotted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue
    from huey_core.commands.progress import Progress
    from huey_core.commands.progress_writer import ProgressReporter
    from huey_core.message import MessageHeader

__all__ = [
    "CommandInvoker",
    "PeriodicQueueCommand",
    "QueueCommand",
    "ReceivedMessage",
    "on_declaration",
]

on_declaration: Final[list[Callable[[type[QueueCommand]], object]]] = []
"""Called with each command that is written as a class when the class is defined: the default registry registers it."""


class CallRevocations(Protocol):
    """What revokes single calls."""

    def revoke_call(self, task_id: str, terminate: bool = False) -> None:
        """Keep a call from running, and ``terminate`` it if it runs."""

    def restore_call(self, task_id: str) -> bool:
        """Forget that, and say whether there was anything to forget."""

    def is_call_revoked(self, task_id: str) -> bool:
        """Whether a call is revoked."""


class CommandInvoker(Protocol):
    """What a command knows of its invoker."""

    queue: BaseQueue
    task_store: BaseDataStore | None
    command_options: OptionTable

    @property
    def backends(self) -> Sequence[Backend]:
        """The backends that were opened from URLs."""

    @property
    def revocations(self) -> CallRevocations:
        """The revocations of calls."""

    def on_queue(self, name: str) -> CommandInvoker:
        """The invoker of another queue at the same place; of the name of its own queue itself."""

    @property
    def default_queue(self) -> str:
        """The name of the queue of commands that name none."""


class ReceivedMessage(NamedTuple):
    """The message that a command was read from: its header, all of its bytes, and the command's data as it had them."""

    header: MessageHeader
    message: bytes
    data: Any


class QueueCommand:
    """One call of a command. Subclass it to write a command as a class.

    ::

        class SendMail(QueueCommand):
            def execute(self):
                send(self.data["to"], self.data["text"])


        invoker.enqueue(SendMail({"to": "...", "text": "..."}))

    A subclass is registered under its dotted name when it is defined; ``declare=False`` in its class statement keeps
    it out, for a base class. A consumer makes a command of its data and its identifier: a constructor of a subclass
    takes these two first, and needs nothing else.

    Args:
        data: What the command works on; any value that the invoker's serializer carries.
        task_id: The call's identifier; what :meth:`create_id` returns when ``None``.
        execute_time: When to run, as a ``datetime``, of which a naive one is in UTC; ``None`` runs as soon as possible.
        retries: How many more times it is tried when it raised; the class's when ``None``.
        retry_delay: The pause before the first retry, in seconds; the class's when ``None``.
        eta: Instead of ``execute_time``: when to run, in seconds since the epoch.
        overrides: Options of this call that differ from the class's; see :meth:`override`.
        headers: Texts by name that travel with the message, for trace context.

    Attributes:
        command_name: The registered name of the class.
        defaults: The options of every call.
        invoker: The invoker that the command was decorated for, or enqueued with.
        options: The options of this call.
        overrides: Those of them that were given for this call, as they are kept.
        retries: How many retries are left.
        retried: How many retries there have been.
        enqueued_at: When it was written, in seconds since the epoch; ``None`` before that.
        received: The message that it was read from; ``None`` where it was made here.
        unique: Goes before the options' ``unique_key`` and ``unique_for``, where it is set.
        expires_at: When it expires, in seconds since the epoch; ``None`` never.
        progress_reporter: What this run reports its progress by; ``None`` where it has reported none.
        tick_at: For a run by the clock: the time for which it is, in seconds since the epoch; ``None`` for a call.
    """

    command_name: ClassVar[str] = ""
    defaults: ClassVar[CommandOptions] = CommandOptions()
    is_coroutine: ClassVar[bool] = False
    """Whether it is run by a coroutine function, and so can be a task of an event loop. Known of each subclass."""
    keeps_changes: ClassVar[bool] = True
    """Whether a retry carries the data as a run has left them. Otherwise it carries those that the message had."""

    # Few commands have other values. What most of them are given later, the constructor sets: an object that gets
    # several more attributes than the first of its class had when they were made takes twice the memory.
    invoker: CommandInvoker | None = None
    unique: tuple[str, float | None] | None = None
    tick_at: float | None = None
    _follow_ups: FollowUps[QueueCommand] | None = None
    progress_reporter: ProgressReporter | None = None
    _has_ended = False

    def __init_subclass__(cls, declare: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "command_name" not in cls.__dict__:
            cls.command_name = dotted_name(cls)
        cls.is_coroutine = iscoroutinefunction(getattr(cls, "function", cls.execute))
        if declare:
            for callback in on_declaration:
                callback(cls)

    def __init__(
        self,
        data: Any = None,
        task_id: str | None = None,
        execute_time: datetime | None = None,
        retries: int | None = None,
        retry_delay: float | timedelta | None = None,
        *,
        eta: float | None = None,
        overrides: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.data = data
        self.task_id = task_id or self.create_id()
        self.eta = eta if execute_time is None else to_epoch(execute_time, convert_utc=False, name="execute_time")
        if retries is not None or retry_delay is not None:
            given = {"retries": retries, "retry_delay": retry_delay}
            overrides = {**(overrides or {}), **{name: value for name, value in given.items() if value is not None}}
        self.overrides: Mapping[str, Any] = {}
        self.options = self.defaults
        self.retries = self.options.retries
        if overrides:
            self.override(overrides)
        self.retried = 0
        self.headers = headers or {}
        self.enqueued_at: float | None = None
        self.expires_at: float | None = None
        self.received: ReceivedMessage | None = None

    def override(self, options: Mapping[str, Any]) -> None:
        """Let this call have options that differ from the class's; :attr:`retries` begins anew.

        The options are core's, and those of the invoker's plugins; where it has no invoker yet, of installed plugins.

        Raises:
            ConfigurationError: One is unknown, or its value cannot be used.
        """
        table = default_table if CORE_OPTIONS.keys() >= options.keys() else self._option_table()
        self.override_checked(table.check(options))

    def override_checked(self, values: Mapping[str, Any], options: CommandOptions | None = None) -> None:
        """Do what :meth:`override` does with values that an :class:`OptionTable` has checked.

        Args:
            values: The values, as they are kept.
            options: The class's options with these values, where they are at hand.
        """
        self.overrides = values
        self.options = self.defaults.with_values(values) if options is None else options
        self.retries = self.options.retries

    def receive(self, message: ReceivedMessage) -> None:
        """Take over what the message says that this command was read from."""
        header = message.header
        self.received = message
        self.eta = header.eta
        self.retries = header.retries
        self.retried = header.retried
        self.enqueued_at = header.enqueued_at
        self.expires_at = header.expires_at
        # A copy, since hooks may add to them.
        self.headers = dict(header.headers) if header.headers else {}
        if header.tick_at is not None:
            self.tick_at = header.tick_at

    def bind_to(self, invoker: CommandInvoker) -> None:
        """Note the invoker that it is enqueued with."""
        self.invoker = invoker

    def mark_enqueued(self, now: float) -> None:
        """Note that it is written for the first time at ``now``, in seconds since the epoch."""
        self.enqueued_at, self.expires_at = self.written_at(now)

    def mark_tick(self, due: float, unique: tuple[str, float | None] | None) -> None:
        """Be the run for a time, in seconds since the epoch, and no call.

        Args:
            due: The time.
            unique: Its unique key, and for how many seconds that is taken; ``None`` for the options'.
        """
        self.tick_at, self.unique = due, unique

    def written_at(self, now: float) -> tuple[float, float | None]:
        """When it was enqueued, and when it expires, if it is written for the first time at ``now``."""
        expires = self.options.expires
        return now, self.expires_at if expires is None else (self.eta or now) + expires

    def add_follow_up(self, command: QueueCommand) -> bool:
        """Have another command enqueued in the step in which this run's success is written.

        Returns:
            Whether that was in time: before the run has ended.

        Raises:
            TypeError: It is no command.
        """
        if not isinstance(command, QueueCommand):
            raise TypeError(
                f"a {type(command).__name__} cannot follow a command; give the command of a call: function.command(...)"
            )
        # In one step, because a command may have threads.
        follow_ups: FollowUps[QueueCommand] = vars(self).setdefault("_follow_ups", FollowUps())
        if self._has_ended:
            # Whether the end has seen it or not, nothing is taken any more.
            follow_ups.end()
        return follow_ups.add(command)

    def add_progress(self, progress: Progress, make_reporter: Callable[[], ProgressReporter]) -> bool:
        """Note how far this run has come, and return whether that was in time: before it has ended."""
        # As above.
        reporter = self.progress_reporter or vars(self).setdefault("progress_reporter", make_reporter())
        if self._has_ended:
            reporter.end()
        return reporter.report(progress)

    def end_run(self) -> Sequence[QueueCommand]:
        """Note that the run has ended, and return the commands that it wants to follow it."""
        # First written and then looked, as add_follow_up() does: of the two, one sees the other.
        self._has_ended = True
        if (reporter := self.progress_reporter) is not None:
            reporter.end()
        follow_ups = self._follow_ups
        return () if follow_ups is None else follow_ups.end()

    def logger_name(self) -> str:
        """Return the name of the logger of its runs: that of the module that says what it does."""
        return type(self).__module__

    def create_id(self) -> str:
        """Return the identifier of a new call. No two calls may have the same."""
        return new_message_id()

    def execute(self) -> Any:
        """Do the work, and return the result."""
        raise NotImplementedError(f"{type(self).__qualname__} does not say how to execute()")

    def get_data(self) -> Any:
        """Return what the command works on."""
        return self.data

    def set_data(self, data: Any) -> None:
        """Replace what the command works on; a retry carries the new data."""
        self.data = data

    def revoke(self, terminate: bool = False) -> None:
        """Keep this call from running, if it has not started. It then ends without a run, as revoked.

        The revocation is kept for 30 days.

        Args:
            terminate: Whether to cancel it if it has started, wherever it runs.

        Raises:
            Unsupported: The invoker has no task store, or one that cannot keep revocations.
            ConfigurationError: The command was not enqueued, so it has no invoker yet.
        """
        self._bound().revocations.revoke_call(self.task_id, terminate)

    def restore(self) -> bool:
        """Take a :meth:`revoke` back, and say whether there was one."""
        return self._bound().revocations.restore_call(self.task_id)

    def is_revoked(self) -> bool:
        """Whether this call is revoked, be it that it was dropped for that already."""
        return self._bound().revocations.is_call_revoked(self.task_id)

    def _option_table(self) -> OptionTable:
        return default_table if self.invoker is None else self.invoker.command_options

    def _bound(self) -> CommandInvoker:
        if self.invoker is None:
            raise ConfigurationError(f"{self!r} belongs to no invoker before it is enqueued")
        queue = self.options.queue
        return self.invoker if queue is None else self.invoker.on_queue(queue)

    def to_payload(self) -> Any:
        """The value that the serializer carries in the message's body."""
        return self.data

    @classmethod
    def from_payload(cls, payload: Any) -> Any:
        """Turn what :meth:`to_payload` gave back into :attr:`data`."""
        return payload

    def unique_key(self) -> str | None:
        """The key that keeps a second command like this one from being written, or ``None``.

        Raises:
            ConfigurationError: No key can be made of the arguments of this call.
        """
        key = self.options.unique_key
        if callable(key):
            made = key_of_value(self._call_with_arguments(key))
        elif key is not None:
            made = fill_in(key, self._arguments_by_name())
        elif self.options.unique_for is not None:
            made = key_of_all(self._arguments_by_name())
        else:
            return None
        return None if made is None else f"{self.command_name}:{made}"

    def _call_with_arguments(self, function: Callable[..., Any]) -> Any:
        return function(self.data)

    def _arguments_by_name(self) -> dict[str, Any]:
        return self.data if isinstance(self.data, dict) else {"data": self.data}

    def __repr__(self) -> str:
        return f"<{self.command_name} {self.task_id}>"


class PeriodicQueueCommand(QueueCommand, declare=False):
    """A command that runs by the clock. Subclasses say when, by :attr:`schedule` or in :meth:`validate_datetime`.

    Attributes:
        schedule: When it runs; ``None`` in each minute for which :meth:`validate_datetime` says so.
        missed: What becomes of the due times at which nobody could run it, because every consumer was down or the
            server was out of reach: ``"skip"`` forgets them, ``"once"`` makes up for all of them with one run,
            ``"all"`` runs once for each.
        overlap: What becomes of a due time at which the run for an earlier one has not ended: ``"allow"`` runs both,
            ``"skip"`` leaves it out.
        queue_name: The queue that it is written to, and whose consumers see to it, as its option ``queue`` says too;
            ``None`` for that of its invoker. One that has neither is seen to by every consumer, each in its own queue.
    """

    schedule: ClassVar[Schedule | None] = None
    missed: ClassVar[str] = "skip"
    overlap: ClassVar[str] = "allow"
    queue_name: ClassVar[str | None] = None

    def __init_subclass__(cls, declare: bool = True, **kwargs: Any) -> None:
        if cls.missed not in {"skip", "once", "all"}:
            raise ConfigurationError(f"missed must be 'skip', 'once' or 'all', not {cls.missed!r}")
        if cls.overlap not in {"allow", "skip"}:
            raise ConfigurationError(f"overlap must be 'allow' or 'skip', not {cls.overlap!r}")
        if isinstance(cls.schedule, type) or not isinstance(cls.schedule, Schedule | None):
            raise ConfigurationError(
                f"schedule must have next_after(), as crontab() and every() make it, which {cls.schedule!r} does not"
            )
        cls._name_queue(vars(cls))
        super().__init_subclass__(declare=declare, **kwargs)

    @classmethod
    def _name_queue(cls, own: Mapping[str, Any]) -> None:
        """Let :attr:`queue_name` and the option ``queue`` be one, whichever of them the class says or inherits."""
        in_options = own["defaults"].queue if "defaults" in own else None
        queue = own.get("queue_name") or in_options or (None if "queue_name" in own else cls.queue_name)
        if in_options not in {None, queue}:
            raise ConfigurationError(
                f"queue_name is {queue!r} and the option queue is {in_options!r}: leave one of them out"
            )
        cls.queue_name = queue
        if cls.defaults.queue != queue:
            cls.defaults = cls.defaults.override(queue=queue)

    def validate_datetime(self, dt: datetime) -> bool:
        """Whether the command runs in the minute that begins at ``dt`` (naive; UTC or local by the ``UTC`` setting)."""
        raise NotImplementedError(f"{type(self).__qualname__} does not say when to run: validate_datetime()")
