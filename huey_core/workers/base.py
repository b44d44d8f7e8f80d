"""The contract of a worker pool: what runs deliveries, as the consumer sees it, and what it is given to do so.

A consumer has one pool, which several queues may share. The consumer claims, renews leases and settles; the pool
decides where and when what it was given runs.

**Threads.** One thread starts a pool, and then all the rest is called at any time, by several threads at once; of those
that call :meth:`WorkerPool.put`, each queue has one. None may be kept waiting for a command to end, except in
:meth:`WorkerPool.wait`, for as long as it is told. No thread of the pool may keep the process from ending (so it is a
daemon): a command that does not end would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from huey_core.workers.interruption import DEFAULT_GRACE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from concurrent.futures import Executor

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.abilities import PoolAbility
    from huey_core.workers.interruption import Interruption
    from huey_core.workers.remote import RemoteApplication

__all__ = ["PoolSettings", "Run", "Runner", "WorkerPool"]


class Runner(Protocol):
    """What a pool does with the deliveries of one queue; the consumer gives it. Safe to use from several threads."""

    def run(self, delivery: Delivery, interruption: Interruption | None = None) -> None:
        """Run a delivery in the calling thread, and hand its outcome on.

        What a command raises is its outcome, and is not raised here. If something is raised all the same, the pool
        abandons the delivery, and goes on.

        Args:
            delivery: The delivery.
            interruption: Through which the pool interrupts the command. It is entered just before the command itself
                and left just after it, so that nothing else is hit. ``None`` when the pool cannot.
        """

    async def run_async(
        self, delivery: Delivery, interruption: Interruption | None = None, *, executor: Executor | None = None
    ) -> None:
        """The same in a task of an event loop, which is free for others while the command waits.

        The task's context is to be the run's alone.

        Args:
            delivery: The delivery.
            interruption: As for :meth:`run`.
            executor: What runs commands in threads that are not coroutine functions; ``None`` for the loop's own.
        """

    def has_run(self) -> None:
        """To be called when a run has ended and :meth:`WorkerPool.room` counts it no more, however it has ended.

        It may settle outcomes, and so wait for a server: not in an event loop.
        """

    def release(self, delivery: Delivery) -> None:
        """Give back a delivery that has not run to its end; it comes back at once, and is not counted."""

    def abandon(self, delivery: Delivery, reason: str = "it ended the worker that ran it") -> None:
        """To be called, before :meth:`has_run`, for a delivery that has ended what ran it.

        It is counted, and comes back, so that a command that kills its worker each time becomes a dead letter.

        Args:
            delivery: The delivery. One whose outcome was handed on before, or that was given back, keeps that.
            reason: What has happened, in one line, for the log and for the dead letter.
        """

    @property
    def queue_name(self) -> str:
        """The name of the queue."""

    @property
    def stores(self) -> Mapping[str, BaseDataStore]:
        """The data stores that an outcome may name, by their roles: ``results`` and ``state``, where there are such."""

    def leased_until(self, delivery: Delivery) -> float:
        """Until when, on the monotonic clock, a delivery may be begun, because its lease lasts; it may be renewed."""

    def not_started(self, delivery: Delivery) -> None:
        """To be called, before :meth:`has_run`, for a delivery that was not begun before that. It is given back."""

    def finish(self, outcome: Outcome, seconds: float) -> None:
        """Hand on the outcome of a delivery that was run elsewhere, before :meth:`has_run`.

        Args:
            outcome: How it ended, with the delivery that the pool was given.
            seconds: How long that took.
        """


class Run(NamedTuple):
    """A delivery that runs.

    Attributes:
        delivery: The delivery.
        runner: What runs it.
        started: When it started, on the monotonic clock.
    """

    delivery: Delivery
    runner: Runner
    started: float


async def _nothing() -> None:
    """Do nothing in an event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What a consumer gives the pool that it makes.

    Attributes:
        size: How many deliveries to run at once.
        on_start: To be called with the name of each worker, in its thread, before its first delivery. It raises
            nothing.
        on_stop: The same after its last one.
        restart_after: Seconds after which a worker that has failed is to begin again.
        loads_within: Seconds that a process may take to load the application.
        timeout_grace: Seconds that an interrupted command has to end, before it is logged that it has not, or before
            its process is killed.
        application: What a pool runs in other processes, for one that is :attr:`~WorkerPool.remote`.
        max_commands: After how many deliveries such a pool replaces a process by another; ``None`` for never.
        max_memory: The same for the bytes of memory that a process takes.
        event_loop: The kind of event loop: ``"asyncio"`` or ``"uvloop"``.
        on_loop_start: To be awaited in an event loop before its first delivery; :meth:`WorkerPool.start` raises what it
            raises.
        on_loop_stop: The same after its last one, and when ``on_loop_start`` has raised. It raises nothing.
        blocked_after: Seconds after which it is logged what keeps an event loop from running anything else.
    """

    size: int
    on_start: Callable[[str], None]
    on_stop: Callable[[str], None]
    restart_after: float = 1.0
    loads_within: float = 60.0
    timeout_grace: float = DEFAULT_GRACE
    application: RemoteApplication | None = None
    max_commands: int | None = None
    max_memory: int | None = None
    event_loop: str = "asyncio"
    on_loop_start: Callable[[], Coroutine[Any, Any, None]] = _nothing
    on_loop_stop: Callable[[], Coroutine[Any, Any, None]] = _nothing
    blocked_after: float = 1.0


class WorkerPool(ABC):
    """Runs deliveries, several at once, of one queue or of several that share it.

    Args:
        settings: What the consumer says.

    Raises:
        ConfigurationError: The pool cannot be what the settings say. For a subclass to raise.

    Attributes:
        abilities: What it promises beyond running deliveries. It is the class's, and read without making a pool.
        remote: Whether it runs deliveries in other processes, which it starts and replaces, by what
            :attr:`PoolSettings.application` names. It calls :meth:`Runner.run` of no runner then.
        size: How many it runs at once.
    """

    abilities: ClassVar[frozenset[PoolAbility]] = frozenset()
    remote: ClassVar[bool] = False

    @classmethod
    def default_size(cls) -> int:
        """How many deliveries it runs at once where the settings do not say."""
        return 4

    def __init__(self, settings: PoolSettings) -> None:
        self.size = settings.size

    @abstractmethod
    def start(self) -> None:
        """Begin to run what is put in. Called once.

        Raises:
            RuntimeError: A worker cannot be started. :meth:`stop` follows, as it may without :meth:`start`.
            ConfigurationError: The same, when it is for the user to put right.
        """

    @abstractmethod
    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Take deliveries, to be begun in this order when a worker is idle. There may be more than there is room.

        Raises:
            Exception: It cannot take them. The consumer gives back all of them, those that it has begun as well.
        """

    @abstractmethod
    def room(self) -> int:
        """How many more deliveries it would run at once.

        That is its size less the deliveries that it was given and has neither run to their end nor given back: below
        zero by those that wait.
        """

    @abstractmethod
    def waiting(self) -> int:
        """How many deliveries have not begun."""

    @abstractmethod
    def drain(self) -> list[tuple[Delivery, Runner]]:
        """Give back what has not begun, in order: it is run no more. The caller releases it."""

    @abstractmethod
    def running(self) -> list[Run]:
        """What runs now."""

    @abstractmethod
    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the pool's, which :meth:`wait` waits for."""

    def cancel(self, run: Run, error: type[CommandInterrupted]) -> bool:
        """Have a run end soon, as far as the pool is able to; nothing else may be hit.

        Args:
            run: One of :meth:`running`, which may have ended meanwhile.
            error: What is to be raised in the command, where it can be: :meth:`Interruption.interrupt` does it.

        Returns:
            Whether the run will end of it; ``False`` without an ability that says so, or when it has ended.
        """
        return False

    @abstractmethod
    def stop(self) -> None:
        """Have each worker end when it has run what it runs, and what is put in already. May be called twice."""

    @abstractmethod
    def wait(self, seconds: float) -> bool:
        """Wait for workers to end, for so long at the most, and return whether all have ended.

        It may return ``False`` earlier.
        """

    def problem(self) -> str | None:
        """What keeps it from running deliveries, in a few words, such as a thread of its own that has ended.

        It is asked between :meth:`start` and :meth:`stop`, by what says whether the consumer is healthy. A command that
        takes long is no problem. ``None`` while there is none.
        """
        return None

    def kill(self) -> None:
        """End at once what still runs, as far as the pool is able to: the time is up, and all of it was given back."""
