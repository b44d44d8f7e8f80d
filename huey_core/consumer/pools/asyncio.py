"""An event loop that runs deliveries as its tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.consumer.pools.event_loops import loop_factory
from huey_core.consumer.pools.executor import DaemonExecutor
from huey_core.consumer.pools.loop_watchdog import LoopWatchdog
from huey_core.consumer.supervision import run_supervised
from huey_core.safe_logging import get_logger
from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings, Run, Runner, WorkerPool
from huey_core.workers.interruption import ThreadInterruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted

__all__ = ["AsyncioPool"]

log: Final = get_logger(__name__)


class LoopInterruption(ThreadInterruption):
    """Cancels the task of a command; of one that is no coroutine function, it interrupts the thread."""

    def enter(self, delivery: Delivery, timeout: float | None = None) -> None:
        """Note that a command begins in this thread."""
        self._thread = threading.get_ident()
        super().enter(delivery, timeout)


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
        self._unfinished = 0
        self._waiting: deque[tuple[Delivery, Runner]] = deque()
        self._running: dict[asyncio.Task[None], tuple[Run, LoopInterruption]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopping = False
        self._is_over = False
        self._started: Future[None] = Future()
        self._context = copy_context()
        self._finished: SimpleQueue[Runner | None] = SimpleQueue()
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
            self._finished.put(None)
            raise
        self._started.result()

    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Add deliveries, in order; raise ``RuntimeError`` when the loop has ended."""
        with self._lock:
            if self._loop is None or self._is_over:
                raise RuntimeError("the event loop does not run")
            self._waiting.extend((delivery, runner) for delivery in deliveries)
            self._unfinished += len(deliveries)
            self._loop.call_soon_threadsafe(self._begin)

    def room(self) -> int:
        """How many more tasks there may be than deliveries that were put in and not run to their end."""
        return self.size - self._unfinished

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
            self._unfinished -= len(drained)
        if self._is_stopping:
            self.stop()
        return drained

    def running(self) -> list[Run]:
        """What runs now."""
        return [run for run, _ in list(self._running.values())]

    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is the loop's, hands on what has run there, or runs what is no coroutine function."""
        return thread in {self._thread, self._handing_on} or thread in self._executor.threads

    def cancel(self, run: Run, error: type[CommandInterrupted]) -> bool:
        """Cancel a task, which ends where it awaits, or raise an exception in the thread of what is no coroutine."""
        for running, interruption in list(self._running.values()):
            if running.delivery is run.delivery:
                return interruption.interrupt(run.delivery, error)
        return False

    def stop(self) -> None:
        """Have the loop end, behind what is put in already."""
        with self._lock:
            self._is_stopping = True
            if self._loop is not None and not self._is_over:
                self._loop.call_soon_threadsafe(self._end_when_idle)

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
        self._finished.put(None)
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
        watchdog = LoopWatchdog(loop, threading.get_ident(), settings.blocked_after, self._delivery_of)
        watchdog.start()
        try:
            # What raises SystemExit ends the loop, and nothing else that is in it.
            run_supervised(loop.run_forever, "the event loop", 0.0)
        finally:
            watchdog.stop()

    def _begin(self) -> None:
        while len(self._running) < self.size:
            try:
                delivery, runner = self._waiting.popleft()
            except IndexError:
                return
            interruption = LoopInterruption(self._settings.timeout_grace)
            # Not by the loop's factory of tasks: one that begins a task at once would begin it here.
            task = asyncio.Task(
                runner.run_async(delivery, interruption, executor=self._executor),
                loop=self._loop,
                context=self._context.copy(),
            )
            self._running[task] = Run(delivery, runner, time.monotonic()), interruption
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        run, _ = self._running.pop(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            log.critical("a run of message %s has crashed", run.delivery.message_id, exc_info=error)
            run.runner.abandon(run.delivery)
        with self._lock:
            self._unfinished -= 1
        self._finished.put(run.runner)
        if self._waiting:
            self._begin()
        elif self._is_stopping:
            self._end_when_idle()

    def _end_when_idle(self) -> None:
        with self._lock:
            if self._unfinished or self._loop is None:
                return
            self._is_over = True
            self._loop.stop()

    def _hand_on(self) -> None:
        run_supervised(self._hand_on_until_ended, "the thread that hands on outcomes", self._settings.restart_after)

    def _hand_on_until_ended(self) -> None:
        while (runner := self._finished.get()) is not None:
            runner.has_run()

    def _delivery_of(self, task: asyncio.Task[Any]) -> Delivery | None:
        running = self._running.get(task)
        return None if running is None else running[0].delivery
