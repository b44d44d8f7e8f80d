"""Threads of this process that run deliveries."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from huey_core.consumer.pools.base import Run
from huey_core.consumer.supervision import run_supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.leased import Delivery

__all__ = ["ThreadPool"]


class ThreadPool:
    """Runs deliveries in threads, each one after another.

    Args:
        size: How many threads there are.
        run: Runs a delivery and hands its outcome on. What it raises restarts the worker.
        ended: Called by the worker when it has run one and is idle.
        on_start: Called in a worker's thread with the name of the worker, before the first delivery.
        on_stop: The same after the last one.
    """

    def __init__(
        self,
        size: int,
        run: Callable[[Delivery], None],
        ended: Callable[[], None],
        *,
        on_start: Callable[[str], None],
        on_stop: Callable[[str], None],
    ) -> None:
        self.size = size
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()
        self.workers = [
            _Worker(f"worker-{number}", self._queue, run, ended, on_start=on_start, on_stop=on_stop)
            for number in range(1, size + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self.workers:
            worker.start()

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries, in order."""
        for delivery in deliveries:
            self._queue.put(delivery)

    def waiting(self) -> int:
        """How many deliveries wait for an idle worker."""
        return self._queue.qsize()

    def drain(self) -> list[Delivery]:
        """Remove and return what waits, in order."""
        drained = []
        # Not "while there is something": a worker may be the one to take it, and get() would wait for the next.
        with suppress(Empty):
            while True:
                delivery = self._queue.get_nowait()
                if delivery is not None:
                    drained.append(delivery)
        return drained

    def running(self) -> list[Run]:
        """What runs now."""
        return [run for worker in self.workers if (run := worker.current) is not None]

    def stop(self) -> None:
        """Have each thread end, behind what is put in already."""
        for _ in self.workers:
            self._queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for a thread to end, for so long at the most, and return whether all have ended."""
        alive = next((worker for worker in self.workers if worker.is_alive()), None)
        if alive is not None:
            alive.join(seconds)
        return not any(worker.is_alive() for worker in self.workers)

    def abandoned(self) -> list[Delivery]:
        """Remove and return the deliveries whose threads have died of them."""
        found = []
        for worker in self.workers:
            if (run := worker.current) is not None and not worker.is_alive():
                worker.current = None
                found.append(run.delivery)
        return found


class _Worker(threading.Thread):
    """One thread that runs deliveries, one after another.

    Attributes:
        current: What it runs now.
    """

    def __init__(
        self,
        name: str,
        queue: SimpleQueue[Delivery | None],
        run: Callable[[Delivery], None],
        ended: Callable[[], None],
        *,
        on_start: Callable[[str], None],
        on_stop: Callable[[str], None],
    ) -> None:
        # A daemon, because a command that does not end must not keep the process from ending.
        super().__init__(name=f"huey-{name}", daemon=True)
        self.current: Run | None = None
        self._worker_name = name
        self._queue = queue
        self._run_one = run
        self._ended = ended
        self._on_start = on_start
        self._on_stop = on_stop

    def run(self) -> None:
        """Run deliveries until told to end."""
        self._on_start(self._worker_name)
        run_supervised(self._work, f"worker {self._worker_name!r}")
        self._on_stop(self._worker_name)

    def _work(self) -> None:
        # What a run has left that failed before this one.
        self.current = None
        while (delivery := self._queue.get()) is not None:
            self.current = Run(delivery, time.monotonic())
            self._run_one(delivery)
            self.current = None
            self._ended()
