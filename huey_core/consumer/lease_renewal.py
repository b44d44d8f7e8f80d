"""The renewal of the leases of what is in flight."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.commands.context import log_fields
from huey_core.consumer.supervision import Service
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source

__all__ = ["LeaseRenewal"]

log: Final = get_logger(__name__)

EXTEND_AT_ONCE: Final = 500
"""The most leases to renew in one call, so that no call keeps the server busy for long."""


@dataclass(eq=False, repr=False, kw_only=True)
class LeaseRenewal(Service):
    """Renews every lease three times before it would end, in a thread that no command can hold up."""

    source: Source
    in_flight: InFlight
    lease: float
    has_lost: Callable[[Delivery], object]
    """Called with a delivery whose lease was lost."""
    is_settling: Callable[[Delivery], bool]
    """Whether the outcome of a delivery is on its way to the server."""
    measure_clock: Callable[[], None]
    """Called after each renewal, to compare the clocks while the server answers."""
    back_off: BackOff
    policy: Policy

    def __post_init__(self) -> None:
        super().__init__("leases", "the renewal of leases", self.policy)

    def _pause(self, seconds: float) -> bool:
        """Go on at once: the work begins with a pause of its own, and no lease may wait for a longer one."""
        return self._stopping.is_set()

    def _work(self) -> None:
        pause = self.lease / 3
        while not self._rest(pause):
            began = time.monotonic()
            try:
                self.renew()
                self.measure_clock()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = min(self.back_off.failed(error), self.lease / 3)
            else:
                self.back_off.over()
                pause = max(self.lease / 3 - (time.monotonic() - began), 0.0)

    def renew(self) -> None:
        """Renew the leases of all that is in flight once, and let go of those that were lost."""
        deliveries = self.in_flight.all()
        for start in range(0, len(deliveries), EXTEND_AT_ONCE):
            portion = deliveries[start : start + EXTEND_AT_ONCE]
            asked = time.monotonic()
            for delivery, ours in zip(portion, self.source.extend(portion, self.lease), strict=True):
                if ours:
                    self.in_flight.renewed(delivery, asked + self.lease)
                # One that was settled while the renewal was on its way is no longer ours, and was not lost.
                elif not self.is_settling(delivery) and self.in_flight.lost(delivery):
                    log.warning(
                        "the lease of message %s was lost: it ended before it was renewed, or the message was deleted; "
                        "the outcome of this delivery does not count",
                        delivery.message_id,
                        extra=log_fields(self.source.queue_name, delivery),
                    )
                    self.has_lost(delivery)
