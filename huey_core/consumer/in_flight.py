"""What is in flight: the deliveries under our lease, and what became of those before, under one lock."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, assert_never

from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_core.snapshot import Stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome

__all__ = ["InFlight"]


class InFlight:
    """The deliveries under our lease, and counters; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Each with the earliest moment at which its lease may end, on the monotonic clock.
        self._by_key: dict[tuple[str, str], tuple[Delivery, float]] = {}
        self._counts: Counter[str] = Counter()
        self._not_started = 0

    def add(self, deliveries: Sequence[Delivery], until: float = float("inf")) -> None:
        """Take in deliveries that were just claimed.

        Args:
            deliveries: The deliveries.
            until: When their leases end, at the earliest, on the monotonic clock; infinite without leases.
        """
        with self._lock:
            self._by_key.update({one.key: (one, until) for one in deliveries})
            self._counts["claimed"] += len(deliveries)

    def renewed(self, delivery: Delivery, until: float) -> None:
        """Note when the lease ends, at the earliest, of a delivery that may have been settled meanwhile."""
        with self._lock:
            if (known := self._by_key.get(delivery.key)) is not None:
                self._by_key[delivery.key] = delivery, max(until, known[1])

    def leased_until(self, delivery: Delivery) -> float:
        """When the lease of a delivery ends, at the earliest, on the monotonic clock; long ago if it is not ours."""
        # Without the lock: it is asked for every command, and one look into a dictionary is atomic in every build.
        known = self._by_key.get(delivery.key)
        return float("-inf") if known is None else known[1]

    def not_started(self) -> None:
        """Note that a delivery was not started, because its lease may have ended."""
        with self._lock:
            self._not_started += 1

    def take_not_started(self) -> int:
        """How many there were since this was asked last."""
        with self._lock:
            not_started, self._not_started = self._not_started, 0
        return not_started

    def discard(self, delivery: Delivery) -> None:
        """Let go of a delivery that ends without an outcome of ours."""
        with self._lock:
            self._by_key.pop(delivery.key, None)

    def ours(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Those of the outcomes whose deliveries are in flight."""
        with self._lock:
            known = self._by_key
            return [one for one in outcomes if one.delivery.key in known]

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Let go of deliveries whose outcomes were written."""
        with self._lock:
            for outcome in outcomes:
                self._by_key.pop(outcome.delivery.key, None)
            self._counts.update(map(_counted_as, outcomes))

    def lost(self, delivery: Delivery) -> bool:
        """Let go of a delivery whose lease had ended, and return whether it was in flight still."""
        with self._lock:
            was_here = self._by_key.pop(delivery.key, None) is not None
            self._counts["lost"] += was_here
        return was_here

    def buried_by_claim(self) -> None:
        """Count a message that a claim has made a dead letter."""
        with self._lock:
            self._counts["buried"] += 1

    def __contains__(self, delivery: Delivery) -> bool:
        with self._lock:
            return delivery.key in self._by_key

    def __len__(self) -> int:
        with self._lock:
            return len(self._by_key)

    def all(self) -> list[Delivery]:
        """The deliveries that are in flight now, the oldest first."""
        with self._lock:
            return [delivery for delivery, _ in self._by_key.values()]

    def stats(self) -> Stats:
        """What was done until now."""
        with self._lock:
            return Stats(**self._counts)


def _counted_as(outcome: Outcome) -> str:
    match outcome:
        case Ack():
            return "done"
        case Retry():
            return "retried"
        case Release():
            return "released"
        case Bury():
            return "buried"
        case _:
            assert_never(outcome)
