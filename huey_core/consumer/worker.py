"""Workers: threads that take deliveries from the local buffer and run them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from huey_core.consumer.supervision import run_supervised
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.consumer import Consumer

__all__ = ["WorkBuffer", "Worker"]

log: Final = get_logger(__name__)


class WorkBuffer:
    """Deliveries that wait in this process for an idle worker."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()

    def put(self, deliveries: Iterable[Delivery]) -> None:
        """Add deliveries, in order."""
        for delivery in deliveries:
            self._queue.put(delivery)

    def take(self) -> Delivery | None:
        """Wait for a delivery and remove it; ``None`` tells a worker to end."""
        return self._queue.get()

    def drain(self) -> list[Delivery]:
        """Remove and return everything, in order."""
        drained = []
        # Not "while there is something": a worker may be the one to take it, and get() would wait for the next.
        with suppress(Empty):
            while True:
                delivery = self._queue.get_nowait()
                if delivery is not None:
                    drained.append(delivery)
        return drained

    def end_workers(self, count: int) -> None:
        """Tell so many workers to end, behind what is in the buffer."""
        for _ in range(count):
            self._queue.put(None)

    def __len__(self) -> int:
        return self._queue.qsize()


class Worker(threading.Thread):
    """One thread that runs commands, one after another.

    Args:
        consumer: The consumer that it works for.
        name: The worker's name, in logs and hooks.

    Attributes:
        running: The delivery that runs now, or ``None``.
        started: When it started, on the monotonic clock.
    """

    def __init__(self, consumer: Consumer, name: str) -> None:
        # A daemon, because a command that does not end must not keep the process from ending.
        super().__init__(name=f"huey-{name}", daemon=True)
        self.worker_name = name
        self.running: Delivery | None = None
        self.started = 0.0
        self._consumer = consumer

    def run(self) -> None:
        """Run deliveries until told to end."""
        consumer = self._consumer
        consumer.notify("huey_worker_start", worker=self.worker_name)
        run_supervised(self._work, f"worker {self.worker_name!r}")
        consumer.notify("huey_worker_stop", worker=self.worker_name)

    def _work(self) -> None:
        consumer = self._consumer
        # What a run has left that failed before this one.
        self.running = None
        while (delivery := consumer.buffer.take()) is not None:
            self.started = time.monotonic()
            self.running = delivery
            self._run_one(delivery)
            consumer.prefetch.observe(time.monotonic() - self.started)
            self.running = None
            consumer.fetcher.finished_one()

    def _run_one(self, delivery: Delivery) -> None:
        consumer = self._consumer
        try:
            outcome, _ = consumer.runner.run(delivery, consumer.fetcher.revocable)
            consumer.outbox.add(outcome)
        except BaseException:
            # Not an error of the command, which the runner would have handled. The lease, which is renewed no more,
            # brings the message back, and the backend counts its deliveries.
            consumer.held.discard(delivery)
            log.critical(
                "a worker crashed: message %s has no outcome, and is delivered again when its lease ends",
                delivery.message_id,
                exc_info=True,
                extra={"task_id": delivery.message_id, "delivery_count": delivery.attempt},
            )

    def busy_for(self, now: float) -> float:
        """Seconds for which the present command has run at ``now`` (monotonic); 0 when idle."""
        return now - self.started if self.running is not None else 0.0
