"""The writing of what runs report of their progress.

A command notes its latest progress and goes on; one thread of the process writes what was noted, for all runs. So a
store that is slow or away holds up no command, and no event loop.

What a command calls here takes no lock and waits for none: it may be interrupted at any instruction of it, and a lock
that its thread holds would then be kept.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core.backends.capabilities import Capability
from huey_core.backends.deadline import time_limit
from huey_core.backends.forking import PerProcess
from huey_core.commands.progress import encode_progress, keeps_progress, progress_key
from huey_core.exceptions import DeliveryLost
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.commands.progress import Progress
    from huey_core.serializers.base import Serializer
    from huey_core.workers.interruption import Interruption

__all__ = ["INTERVAL", "ProgressInvoker", "ProgressReporter", "ProgressWriter", "new_reporter"]

log: Final = get_logger(__name__)

INTERVAL: Final = 0.2
"""Seconds between two writes of the progress of one run, the first and the last excepted."""

LEAST_TTL: Final = 3600.0
"""Seconds for which a progress is kept at the least: a command with a short ``result_ttl`` may be silent for longer."""

MOST_TTL: Final = 86400.0
"""Seconds for which it is kept where the results are kept for ever."""

PATIENCE: Final = 1.0
"""Seconds that a write may take, and that the end of a run waits for its last one."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries to write to a store that is away, at the most."""


class ProgressInvoker(Protocol):
    """What is needed of an invoker to write the progress of its commands."""

    result_store: BaseDataStore | None
    result_ttl: float | None
    serializer: Serializer

    def now(self) -> float:
        """The current time, in seconds since the epoch."""


class ProgressReporter:
    """What one run reports: it keeps the latest progress, and has it written.

    Args:
        writer: Returns what writes it in this process.
        store: Where; ``None`` for nowhere.
        write: Writes a progress into the store.
        forget: Removes it when the run has ended, where the store does not forget by itself.
        is_lost: Whether another run of the command counts, so that this one writes nothing any more.
        awaits: Whether the command is a coroutine function, whose event loop waits for nothing when it has ended.
    """

    __slots__ = (
        "_awaits",
        "_forget",
        "_is_lost",
        "_is_over",
        "_write",
        "_writer",
        "is_handed_over",
        "latest",
        "next_at",
        "store",
        "written",
    )

    def __init__(
        self,
        writer: Callable[[], ProgressWriter],
        store: BaseDataStore | None,
        write: Callable[[Progress], object],
        *,
        forget: Callable[[], object] | None = None,
        is_lost: Callable[[], bool] = bool,
        awaits: bool = False,
    ) -> None:
        self.store = store
        self.latest: Progress | None = None
        self.written: Progress | None = None
        self.is_handed_over = False
        self.next_at = float("-inf")
        self._writer = writer
        self._write = write
        self._forget = forget
        self._is_lost = is_lost
        self._awaits = awaits
        self._is_over = False

    def report(self, progress: Progress) -> bool:
        """Note a progress, and return whether it was in time: before the run has ended."""
        if self._is_over:
            return False
        before, self.latest = self.latest, progress
        if self.store is None:
            return True
        # Only the first that is complete: who counts up a total as well would have each of them written.
        is_urgent = progress.is_complete and not (before is not None and before.is_complete)
        if is_urgent or not self.is_handed_over:
            # In this order: the writer takes it back before it looks at the latest.
            self.is_handed_over = True
            self._writer().hand_over(self, is_urgent=is_urgent)
        return True

    def end(self) -> None:
        """Note that the run has ended, and have its last progress written: within a second, or it is dropped.

        In the event loop of a coroutine function it does not wait for that; see :meth:`end_in_loop`.
        """
        if self._is_to_be_written_at_end():
            waiter, writer = threading.Lock(), self._writer()
            waiter.acquire()
            writer.hand_over(self, is_urgent=True, done=waiter.release)
            if not writer.is_late and not (self._awaits and _runs_in_loop()):
                writer.is_late = not waiter.acquire(timeout=PATIENCE)

    async def end_in_loop(self) -> None:
        """Do what :meth:`end` does, in an event loop, which runs others meanwhile."""
        if not self._is_to_be_written_at_end():
            return
        import asyncio

        loop, written = asyncio.get_running_loop(), asyncio.Event()

        def note() -> None:
            # The loop may have been closed since, and then nobody waits for this.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(written.set)

        writer = self._writer()
        writer.hand_over(self, is_urgent=True, done=note)
        if not writer.is_late:
            try:
                async with asyncio.timeout(PATIENCE):
                    await written.wait()
            except TimeoutError:
                writer.is_late = True

    def _is_to_be_written_at_end(self) -> bool:
        """Note that the run has ended, if that is news, and return whether there is anything left to do."""
        if self._is_over:
            return False
        self._is_over = True
        return self.store is not None and (self.latest is not self.written or self._forget is not None)

    def write_latest(self) -> bool:
        """Write the latest progress if it is not written, or remove it at the end; return whether the store was asked.

        Raises:
            Exception: The store could not be written.
        """
        self.is_handed_over = False
        latest = self.latest
        if self._is_over and self._forget is not None:
            self._forget()
            return True
        if latest is None or latest is self.written or self._is_lost():
            return False
        self._write(latest)
        self.written = latest
        return True

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self._is_over


def new_reporter(
    invoker: ProgressInvoker, delivery: Delivery, interruption: Interruption, result_ttl: float | None, *, awaits: bool
) -> ProgressReporter:
    """Make what a run reports its progress by.

    Args:
        invoker: The invoker of the queue that the command is from.
        delivery: What it was delivered by.
        interruption: By which it is interrupted.
        result_ttl: For how many seconds the command's results are kept; ``None`` is as long as the invoker says.
        awaits: Whether it is a coroutine function.
    """
    task_id, store = delivery.message_id, invoker.result_store
    key, serializer = progress_key(task_id), invoker.serializer
    if store is None or not keeps_progress(store):
        _writer().say_once(
            "the progress of commands is not kept: "
            + ("the invoker has no result store" if store is None else f"{store!r} has neither 'ttl' nor 'locks'")
        )
        return ProgressReporter(_writer, None, bool)
    ttl = invoker.result_ttl if result_ttl is None else result_ttl
    forgets = Capability.TTL in store.capabilities
    seconds = (MOST_TTL if ttl is None else max(ttl, LEAST_TTL),) if forgets else ()

    def is_lost() -> bool:
        return isinstance(interruption.error(delivery), DeliveryLost)

    return ProgressReporter(
        _writer,
        store,
        lambda progress: store.put(key, encode_progress(serializer, task_id, progress), *seconds),
        forget=None if forgets else lambda: store.delete(key),
        is_lost=is_lost,
        awaits=awaits,
    )


class ProgressWriter:
    """Writes what runs report, in one thread, which is started when it is first needed.

    Of each run it writes once in :data:`INTERVAL` seconds, and at once what is urgent. A store that has failed is left
    alone for a growing pause; what is reported meanwhile is written after it, and what ends meanwhile is dropped.

    Args:
        clock: A monotonic time in seconds.

    Attributes:
        is_late: Whether somebody has waited in vain since it has last written: a store hangs, and others need not.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Its put() is written in C: whoever is interrupted has handed over, or has not.
        self._handed_over: SimpleQueue[tuple[ProgressReporter, bool, Callable[[], None] | None]] = SimpleQueue()
        self._due: dict[ProgressReporter, float] = {}
        self._told: dict[ProgressReporter, list[Callable[[], None]]] = {}
        # By identity, since a store need not be hashable.
        self._away: dict[int, _Away] = {}
        self.is_late = False
        self._is_running = True
        self._said: set[str] = set()

    def hand_over(
        self, reporter: ProgressReporter, *, is_urgent: bool = False, done: Callable[[], None] | None = None
    ) -> None:
        """Have the latest progress of a run written.

        Args:
            reporter: What the run reports by.
            is_urgent: Whether it is written at once.
            done: Called in the thread that writes, when it was written or is dropped.
        """
        if self._is_running:
            self._handed_over.put((reporter, is_urgent, done))
        elif done is not None:
            done()

    def start(self) -> ProgressWriter:
        """Start the thread, and return this. Where it cannot be started, nothing is written, and that is logged."""
        try:
            threading.Thread(target=self._run, name="huey-progress", daemon=True).start()
        except RuntimeError as error:
            self._is_running = False
            log.warning("the progress of commands is not written, because no thread can be started: %s", error)
        return self

    def say_once(self, what: str) -> None:
        """Log a warning, unless this process has done so."""
        if what not in self._said:
            self._said.add(what)
            log.warning("%s", what)

    def step(self, wait: bool = True) -> None:
        """Take what was handed over, waiting for it until something is due, and write what is due."""
        pause = min(self._due.values(), default=None)
        with suppress(Empty):
            self._take(*self._handed_over.get(wait, None if pause is None else max(pause - self._clock(), 0.0)))
            while True:
                self._take(*self._handed_over.get_nowait())
        now = self._clock()
        for reporter in [one for one, due in self._due.items() if due <= now]:
            del self._due[reporter]
            self._write(reporter)
            for done in self._told.pop(reporter, ()):
                done()

    def _run(self) -> None:
        while True:
            try:
                self.step()
            except Exception:
                log.exception("the progress of commands could not be written")

    def _take(self, reporter: ProgressReporter, is_urgent: bool, done: Callable[[], None] | None) -> None:
        due = float("-inf") if is_urgent else reporter.next_at
        self._due[reporter] = min(due, self._due.get(reporter, due))
        if done is not None:
            self._told.setdefault(reporter, []).append(done)

    def _write(self, reporter: ProgressReporter) -> None:
        away = self._away.get(id(reporter.store))
        now = self._clock()
        if away is not None and now < away.until:
            self._later(reporter, away.until)
            return
        try:
            with time_limit(PATIENCE):
                was_asked = reporter.write_latest()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            if away is None:
                away = self._away[id(reporter.store)] = _Away(reporter.store)
                log.warning("the progress of commands cannot be written for now: %s", error_line(error))
            self._later(reporter, away.failed(self._clock()))
            return
        reporter.next_at = self._clock() + INTERVAL
        self.is_late = False
        if away is not None and was_asked:
            del self._away[id(reporter.store)]
            log.info("the progress of commands is written again")

    def _later(self, reporter: ProgressReporter, when: float) -> None:
        # What has ended is superseded by its result.
        if not reporter.is_over:
            reporter.is_handed_over = True
            self._due[reporter] = when


class _Away:
    """A store that has failed, which is kept so that no other has its identity."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.until = 0.0
        self._pause = PATIENCE

    def failed(self, now: float) -> float:
        """Note that it has failed again, and return when to try next."""
        self.until = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        return self.until


def _runs_in_loop() -> bool:
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_writer: Final = PerProcess(lambda: ProgressWriter().start())
"""The one of this process."""
