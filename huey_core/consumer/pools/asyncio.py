"""An event loop that runs deliveries as its tasks."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.consumer.pools.event_loops import loop_factory
from huey_core.consumer.pools.executor import DaemonExecutor
from huey_core.consumer.pools.loop_watchdog import LoopWatchdog
from huey_core.consumer.supervision import run_supervised
from huey_core.safe_logging import get_logger
from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings, Run, Runner, WorkerPool
from huey_core.workers.interruption import TaskInterruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted

__all__ = ["AsyncioPool"]

log: Final = get_logger(__name__)


LONGEST_ROUND: Final = 0.005
"""Seconds after which commands that have been begun go on, before others are begun."""

BEGIN_AT_ONCE: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""Has a task begin where it is made: one that never waits then costs the loop little."""


@dataclass(slots=True, eq=False)
class _Running:
    run: Run
    interruption: TaskInterruption
    task: asyncio.Task[BaseException | None] | None = None


class AsyncioPool(WorkerPool):
    """Runs deliveries as tasks of one event loop, in a thread of its own.

    What is not a coroutine function runs in a thread of an executor, which has as many at the most as deliveries run at
    once: none waits for a thread. Nothing is handed on in the loop, since that may ask a server; another thread does
    that.
    """

    abilities: ClassVar[frozenset[PoolAbility]] = frozenset({PoolAbility.RUN_COROUTINES})

    def __init__(self, settings: PoolSettings) -> None:
        super().__init__(settings)
        self._settings = settings
        self._make_loop = loop_factory(settings.event_loop)
        self._lock = threading.Lock()
        self._taken = 0
        # These are the loop's alone, but for who reads them.
        self._finished = 0
        self._to_hand_on: list[Runner] = []
        self._waiting: deque[tuple[Delivery, Runner]] = deque()
        self._running: dict[int, _Running] = {}
        self._begins_later = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._is_over = False
        self._started: Future[None] = Future()
        self._context = copy_context()
        self._handed_on: SimpleQueue[list[Runner] | None] = SimpleQueue()
        self._executor = DaemonExecutor(settings.size, settings.on_start, settings.on_stop)
        self._thread = threading.Thread(target=self._work, name="huey-loop", daemon=True)
        self._handing_on = threading.Thread(target=self._hand_on, name="huey-loop-outcomes", daemon=True)

    @classmethod
    def default_size(cls) -> int:
        """100: what waits costs little."""
        return 100

    def start(self) -> None:
        """Start the event loop, and wait until it is ready.

        Raises:
            RuntimeError: A thread cannot be started.
            Exception: What a plugin raised in ``huey_loop_start``.
        """
        self._handing_on.start()
        try:
            self._thread.start()
        except RuntimeError:
            self._handed_on.put(None)
            raise
        self._started.result()

    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Add deliveries, in order; raise ``RuntimeError`` when the loop has ended."""
        with self._lock:
            if self._loop is None or self._is_over:
                raise RuntimeError("the event loop does not run")
            self._waiting.extend((delivery, runner) for delivery in deliveries)
            self._taken += len(deliveries)
            self._loop.call_soon_threadsafe(self._begin)

    def room(self) -> int:
        """How many more tasks there may be than deliveries that were put in and not run to their end."""
        return self.size - self._taken + self._finished

    def waiting(self) -> int:
        """How many deliveries have no task yet."""
        return len(self._waiting)

    def drain(self) -> list[tuple[Delivery, Runner]]:
        """Remove and return what waits, in order."""
        drained = []
        with self._lock:
            # Not "while there is something": the loop takes without the lock.
            with suppress(IndexError):
                while True:
                    drained.append(self._waiting.popleft())
            self._taken -= len(drained)
        if self._is_stopping:
            self.stop()
        return drained

    def running(self) -> list[Run]:
        """What runs now."""
        return [running.run for running in list(self._running.values())]

    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is the loop's, hands on what has run there, or runs what is no coroutine function."""
        return thread in {self._thread, self._handing_on} or thread in self._executor.threads

    def cancel(self, run: Run, error: type[CommandInterrupted]) -> bool:
        """Cancel a task, which ends where it awaits, or raise an exception in the thread of what is no coroutine."""
        running = self._running.get(id(run.delivery))
        return running is not None and running.interruption.interrupt(run.delivery, error)

    def stop(self) -> None:
        """Have the loop end, behind what is put in already."""
        with self._lock:
            self._is_stopping = True
            if self._loop is not None and not self._is_over:
                self._loop.call_soon_threadsafe(self._end_when_idle)

    def problem(self) -> str | None:
        """Say that a thread has ended, that of the loop or that which hands on outcomes."""
        is_well = self._thread.is_alive() and self._handing_on.is_alive()
        return None if is_well else "a thread of the event loop has ended"

    def wait(self, seconds: float) -> bool:
        """Wait for a thread to end, for so long at the most, and return whether all have ended."""
        threads = [self._thread, *self._executor.threads, self._handing_on]
        alive = next((thread for thread in threads if thread.is_alive()), None)
        if alive is not None:
            alive.join(seconds)
        return not any(thread.is_alive() for thread in threads)

    def _work(self) -> None:
        self._settings.on_start("loop")
        try:
            self._run_loop()
        except BaseException as error:
            if self._started.done():
                log.critical("the event loop did not end in order", exc_info=True)
            else:
                self._started.set_exception(error)
        self._executor.shutdown(wait=False)
        self._handed_on.put(None)
        self._settings.on_stop("loop")

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=self._make_loop) as runner:
            try:
                # What plugins set in their context, each command sees in a copy of it.
                runner.run(self._settings.on_loop_start(), context=self._context)
                self._loop = runner.get_loop()
                self._started.set_result(None)
                self._run_until_stopped(self._loop)
            finally:
                runner.run(self._settings.on_loop_stop(), context=self._context)

    def _run_until_stopped(self, loop: asyncio.AbstractEventLoop) -> None:
        settings = self._settings
        watchdog = LoopWatchdog(loop, threading.get_ident(), settings.blocked_after, self._run_of)
        watchdog.start()
        try:
            run_supervised(partial(self._run_forever, loop), "the event loop", 0.0)
        finally:
            watchdog.stop()

    def _run_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        # A command may call stop(), or leave something behind that raises SystemExit: all else in the loop is to go on.
        while not self._is_over:
            loop.run_forever()

    def _begin(self) -> None:
        if self._begins_later:
            # Whoever calls would otherwise add a turn of its own to each round of the loop.
            return
        now = time.monotonic()
        until = now + LONGEST_ROUND
        while len(self._running) < self.size:
            try:
                delivery, runner = self._waiting.popleft()
            except IndexError:
                return
            running = _Running(Run(delivery, runner, now), TaskInterruption(self._settings.timeout_grace))
            self._running[id(delivery)] = running
            # Not by the loop's factory of tasks, which may be another one.
            task = asyncio.Task(self._run(running), loop=self._loop, context=self._context.copy(), **BEGIN_AT_ONCE)
            if task.done():
                self._ended(running, task)
            else:
                running.task = task
                task.add_done_callback(partial(self._ended, running))
            now = time.monotonic()
            if now > until and self._loop is not None:
                # What was begun before is to go on, too.
                self._begins_later = True
                self._loop.call_soon(self._begin_others)
                return

    def _begin_others(self) -> None:
        self._begins_later = False
        self._begin()

    async def _run(self, running: _Running) -> BaseException | None:
        """Run a delivery, and return what is raised: in the loop, a ``SystemExit`` would end it."""
        try:
            await running.run.runner.run_async(running.run.delivery, running.interruption, executor=self._executor)
        except BaseException as error:  # noqa: BLE001 - it is logged, whatever it is
            return error
        return None

    def _ended(self, running: _Running, task: asyncio.Task[BaseException | None]) -> None:
        run = running.run
        del self._running[id(run.delivery)]
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if error is not None:
            log.critical("a run of message %s has crashed", run.delivery.message_id, exc_info=error)
            run.runner.abandon(run.delivery)
        self._finished += 1
        if not self._to_hand_on and self._loop is not None:
            # With all that end in this round of the loop: to wake another thread for each costs more than to run it.
            self._loop.call_soon(self._hand_over)
        self._to_hand_on.append(run.runner)

    def _hand_over(self) -> None:
        ended, self._to_hand_on = self._to_hand_on, []
        self._handed_on.put(ended)
        if self._waiting:
            self._begin()
        elif self._is_stopping:
            self._end_when_idle()

    def _end_when_idle(self) -> None:
        with self._lock:
            if self._taken > self._finished or self._to_hand_on or self._loop is None:
                return
            self._is_over = True
            self._loop.stop()

    def _hand_on(self) -> None:
        run_supervised(self._hand_on_until_ended, "the thread that hands on outcomes", self._settings.restart_after)

    def _hand_on_until_ended(self) -> None:
        while (ended := self._handed_on.get()) is not None:
            for runner in ended:
                runner.has_run()

    def _run_of(self, task: asyncio.Task[Any]) -> Run | None:
        found = (running.run for running in list(self._running.values()) if running.task is task)
        return next(found, None)
