"""Threads of this process that run deliveries."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from huey_core.consumer.pools.base import Run, Runner
from huey_core.consumer.supervision import run_supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.policy import Policy

__all__ = ["ThreadPool"]


class ThreadPool:
    """Runs deliveries in threads, each one after another.

    Args:
        size: How many threads there are.
        on_start: Called in a worker's thread with the name of the worker, before the first delivery.
        on_stop: The same after the last one.
        policy: Says after how long a worker is restarted.
    """

    def __init__(
        self,
        size: int,
        *,
        on_start: Callable[[str], None],
        on_stop: Callable[[str], None],
        policy: Policy,
    ) -> None:
        self.size = size
        self._queue: SimpleQueue[tuple[Delivery, Runner] | None] = SimpleQueue()
        self._taken = 0
        self._taking = threading.Lock()
        self.workers = [
            _Worker(
                f"worker-{number}",
                self._queue,
                on_start=on_start,
                on_stop=on_stop,
                policy=policy,
            )
            for number in range(1, size + 1)
        ]

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

    def waiting(self) -> int:
        """How many deliveries wait for an idle worker."""
        return self._queue.qsize()

    def unfinished(self) -> int:
        """How many deliveries were put in and not run to their end."""
        return self._taken - sum(worker.finished for worker in self.workers)

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

    def abandoned(self) -> list[Run]:
        """Remove and return the deliveries whose threads have died of them."""
        found = []
        for worker in self.workers:
            if (run := worker.current) is not None and not worker.is_alive():
                worker.current = None
                found.append(Run(*run))
        return found


@dataclass(eq=False, repr=False)
class _Worker(threading.Thread):
    """One thread that runs deliveries, one after another: the current one, and those that are finished."""

    worker_name: str
    queue: SimpleQueue[tuple[Delivery, Runner] | None]
    _: KW_ONLY
    on_start: Callable[[str], None]
    on_stop: Callable[[str], None]
    policy: Policy

    def __post_init__(self) -> None:
        # A daemon, because a command that does not end must not keep the process from ending.
        super().__init__(name=f"huey-{self.worker_name}", daemon=True)
        # The fields of a Run, which is made when it is asked for.
        self.current: tuple[Delivery, Runner, float] | None = None
        self.finished = 0

    def run(self) -> None:
        """Run deliveries until told to end."""
        self.on_start(self.worker_name)
        run_supervised(self._work, f"worker {self.worker_name!r}", self.policy.restart_after)
        self.on_stop(self.worker_name)

    def _work(self) -> None:
        if self.current is not None:
            # What it ran when it crashed.
            self.current = None
            self.finished += 1
        while (waiting := self.queue.get()) is not None:
            delivery, runner = waiting
            self.current = delivery, runner, time.monotonic()
            runner.run(delivery)
            self.current = None
            self.finished += 1
            runner.has_run()
