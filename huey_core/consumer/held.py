"""The deliveries that this consumer holds a lease on, and the renewal of those leases."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from huey_core.consumer.guard import run_guarded
from huey_core.consumer.trouble import Trouble
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.consumer import Consumer

__all__ = ["HeldDeliveries", "LeaseKeeper"]

log: Final = get_logger(__name__)

EXTEND_AT_ONCE: Final = 500
"""The most leases to renew in one call, so that no call keeps the server busy for long."""


class HeldDeliveries:
    """A set of deliveries, safe to use from several threads."""

    def __init__(self) -> None:
        self._by_receipt: dict[tuple[str, str], Delivery] = {}

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Hold deliveries that were just claimed."""
        self._by_receipt.update({(one.message_id, one.receipt): one for one in deliveries})

    def discard(self, delivery: Delivery) -> None:
        """Hold a delivery no longer, because it was settled or its lease was lost."""
        self._by_receipt.pop((delivery.message_id, delivery.receipt), None)

    def __contains__(self, delivery: Delivery) -> bool:
        return (delivery.message_id, delivery.receipt) in self._by_receipt

    def __len__(self) -> int:
        return len(self._by_receipt)

    def all(self) -> list[Delivery]:
        """The deliveries held now, the oldest first."""
        return list(self._by_receipt.values())


class LeaseKeeper(threading.Thread):
    """Renews every held lease three times before it would end, in a thread that no command can hold up.

    Args:
        consumer: The consumer whose leases they are.
    """

    def __init__(self, consumer: Consumer) -> None:
        super().__init__(name="huey-leases", daemon=True)
        self._consumer = consumer
        self._trouble = Trouble(consumer.outage, "renewing leases", consumer.config)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Renew until told to stop."""
        # It begins with a pause of its own, and no lease may wait for a longer one.
        run_guarded(self._renew_and_beat, "the renewal of leases", lambda seconds: None)

    def _renew_and_beat(self) -> None:
        pause = self._consumer.lease / 3
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                self.renew()
                self._consumer.measure_clock()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = min(self._trouble.failed(error), self._consumer.lease / 3)
            else:
                self._trouble.over()
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
                    )

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()
