"""Threads of this process that run deliveries."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, ClassVar

from huey_core.consumer.supervision import run_supervised
from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings, Run, Runner, WorkerPool
from huey_core.workers.interruption import Interruption, ThreadInterruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted

__all__ = ["ThreadPool"]


class ThreadPool(WorkerPool):
    """Runs deliveries in threads, each one after another."""

    abilities: ClassVar[frozenset[PoolAbility]] = frozenset({PoolAbility.INTERRUPT_PYTHON})

    def __init__(self, settings: PoolSettings) -> None:
        super().__init__(settings)
        self._queue: SimpleQueue[tuple[Delivery, Runner] | None] = SimpleQueue()
        self._taken = 0
        self._taking = threading.Lock()
        self.workers = [_Worker(f"worker-{number}", self._queue, settings) for number in range(1, settings.size + 1)]

    def start(self) -> None:
        """Start the threads."""
        for worker in self.workers:
            worker.start()

    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Add deliveries, in order."""
        with self._taking:
            self._taken += len(deliveries)
        for delivery in deliveries:
            self._queue.put((delivery, runner))

    def room(self) -> int:
        """How many threads there are more than deliveries that were put in and not run to their end."""
        return self.size - self._taken + sum(worker.finished for worker in self.workers)

    def waiting(self) -> int:
        """How many deliveries wait for an idle worker."""
        return self._queue.qsize()

    def drain(self) -> list[tuple[Delivery, Runner]]:
        """Remove and return what waits, in order."""
        drained = []
        # Not "while there is something": a worker may be the one to take it, and get() would wait for the next.
        with suppress(Empty):
            while True:
                waiting = self._queue.get_nowait()
                if waiting is not None:
                    drained.append(waiting)
        with self._taking:
            self._taken -= len(drained)
        return drained

    def running(self) -> list[Run]:
        """What runs now."""
        return [Run(*run) for worker in self.workers if (run := worker.current) is not None]

    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the pool's."""
        return thread in self.workers

    def cancel(self, run: Run, error: type[CommandInterrupted]) -> bool:
        """Raise an exception in the thread of a run; one that is in a call of C code gets it after that."""
        for worker in self.workers:
            current, interruption = worker.current, worker.interruption
            if current is not None and current[0] is run.delivery and interruption is not None:
                return interruption.interrupt(run.delivery, error)
        return False

    def stop(self) -> None:
        """Have each thread end, behind what is put in already."""
        for _ in self.workers:
            self._queue.put(None)

    def problem(self) -> str | None:
        """Name a thread that has ended."""
        ended = [worker.worker_name for worker in self.workers if not worker.is_alive()]
        return f"{', '.join(ended)} of the worker pool ended" if ended else None

    def wait(self, seconds: float) -> bool:
        """Wait for a thread to end, for so long at the most, and return whether all have ended."""
        alive = next((worker for worker in self.workers if worker.is_alive()), None)
        if alive is not None:
            alive.join(seconds)
        return not any(worker.is_alive() for worker in self.workers)


@dataclass(eq=False, repr=False)
class _Worker(threading.Thread):
    """One thread that runs deliveries, one after another: the current one, and those that are finished."""

    worker_name: str
    queue: SimpleQueue[tuple[Delivery, Runner] | None]
    settings: PoolSettings

    def __post_init__(self) -> None:
        # A daemon, because a command that does not end must not keep the process from ending.
        super().__init__(name=f"huey-{self.worker_name}", daemon=True)
        # The fields of a Run, which is made when it is asked for.
        self.current: tuple[Delivery, Runner, float] | None = None
        self.finished = 0
        self.interruption: Interruption | None = None

    def run(self) -> None:
        """Run deliveries until told to end."""
        self.interruption = ThreadInterruption(self.settings.timeout_grace)
        self.settings.on_start(self.worker_name)
        run_supervised(self._work, f"worker {self.worker_name!r}", self.settings.restart_after)
        self.settings.on_stop(self.worker_name)

    def _work(self) -> None:
        interruption = self.interruption
        while (waiting := self.queue.get()) is not None:
            delivery, runner = waiting
            self.current = delivery, runner, time.monotonic()
            try:
                runner.run(delivery, interruption)
            except BaseException:
                runner.abandon(delivery)
                raise
            finally:
                self.current = None
                self.finished += 1
                runner.has_run()
