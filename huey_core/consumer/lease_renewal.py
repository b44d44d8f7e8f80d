"""The renewal of the leases of what is in flight."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from huey_core.consumer.retry import BackOff
from huey_core.consumer.supervision import run_supervised
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from huey_core.consumer.consumer import Consumer

__all__ = ["LeaseRenewal"]

log: Final = get_logger(__name__)

EXTEND_AT_ONCE: Final = 500
"""The most leases to renew in one call, so that no call keeps the server busy for long."""


class LeaseRenewal(threading.Thread):
    """Renews every held lease three times before it would end, in a thread that no command can hold up.

    Args:
        consumer: The consumer whose leases they are.
    """

    def __init__(self, consumer: Consumer) -> None:
        super().__init__(name="huey-leases", daemon=True)
        self._consumer = consumer
        self._back_off = BackOff(consumer.outage, "renewing leases", consumer.config)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Renew until told to stop."""
        # It begins with a pause of its own, and no lease may wait for a longer one.
        run_supervised(self._renew_and_beat, "the renewal of leases", lambda seconds: None)

    def _renew_and_beat(self) -> None:
        pause = self._consumer.lease / 3
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                self.renew()
                self._consumer.measure_clock()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = min(self._back_off.failed(error), self._consumer.lease / 3)
            else:
                self._back_off.over()
                pause = max(self._consumer.lease / 3 - (time.monotonic() - began), 0.0)
            self._consumer.beat()

    def renew(self) -> None:
        """Renew the leases of all held deliveries once, and let go of those that were lost."""
        consumer = self._consumer
        held = consumer.held.all()
        for start in range(0, len(held), EXTEND_AT_ONCE):
            portion = held[start : start + EXTEND_AT_ONCE]
            for delivery, ours in zip(portion, consumer.source.extend(portion, consumer.lease), strict=True):
                # One that was settled while the renewal was on its way is no longer ours, and was not lost.
                if not ours and not consumer.outbox.is_settling(delivery) and delivery in consumer.held:
                    consumer.held.discard(delivery)
                    consumer.stats.lost += 1
                    log.warning(
                        "the lease of message %s was lost: it ran too long unrenewed, or was deleted. "
                        "Its outcome here will not be written",
                        delivery.message_id,
                        extra={"task_id": delivery.message_id, "delivery_count": delivery.attempt},
                    )

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()
