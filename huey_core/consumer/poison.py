"""Keeps a command that kills its consumer from taking its neighbours with it.

Every message that a killed consumer had in flight has used up one of its deliveries, the innocent ones included. A
message on its last delivery is therefore not in flight with any other redelivered one beside it: if it is the guilty
one, nobody else reaches the end of its deliveries by its fault, and if it is not, the guilty one is not there to bring
it down.

What this costs is kept small. Where one such message came, others follow as a rule, and they are claimed singly instead
of being claimed and given back. Most commands end within a moment, so for a moment nothing is claimed beside it; after
that, what was never delivered before may join it. No redelivered message of another queue of the consumer is beside it
either, for they would be lost together; what was never delivered before is claimed from there at any time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.policy import Policy

__all__ = ["PoisonIsolation", "QueuesTogether"]


class QueuesTogether:
    """The queues of one consumer, whose messages are lost together when it is killed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.all: list[PoisonIsolation] = []


@dataclass(eq=False, repr=False)
class PoisonIsolation:
    """Lets one message on its last delivery through at a time. The fetch loop's alone, but for :meth:`has_run`."""

    max_deliveries: int
    """The number of the last delivery. With 1, every delivery is the last and nothing is given back."""
    in_flight: InFlight
    may_kill: Callable[[Delivery], bool] = lambda delivery: True
    """Whether a delivery could end this process at all, which takes that it is run here."""
    patience: float = 60.0
    """Seconds for which no redelivered message is in flight beside it. A command that takes longer than that is likely
    to be long, not deadly, and the others are not to wait for its sake."""
    clock: Callable[[], float] = time.monotonic
    _: KW_ONLY
    policy: Policy
    together: QueuesTogether = field(default_factory=QueuesTogether)
    """Those with which it is in one consumer."""

    def __post_init__(self) -> None:
        self.together.all.append(self)
        self._suspect: Delivery | None = None
        self._over: Delivery | None = None
        self._since = 0.0
        self._not_before = float("-inf")
        self._singly = False

    def limit(self, room: int) -> int:
        """How many messages may be claimed now, of the ``room`` that there is for them."""
        with self.together.lock:
            if self._suspect_in_flight() is not None:
                return room if self.clock() > max(self._since + self.policy.alone, self._not_before) else 0
            if self._is_beside_another():
                return room if self.clock() > self._not_before else 0
            return min(room, 1) if self._singly else room

    def divide(self, deliveries: Sequence[Delivery]) -> tuple[Sequence[Delivery], Sequence[Delivery]]:
        """Divide what was just claimed into what may be in flight together, and what must be given back before it."""
        if self.max_deliveries == 1:
            return deliveries, []
        with self.together.lock:
            suspect, is_beside = self._suspect_in_flight(), self._is_beside_another()
            if suspect is None and not is_beside:
                last = (one for one in deliveries if one.attempt >= self.max_deliveries and self.may_kill(one))
                suspect = next(last, None)
                self._singly = suspect is not None
                if suspect is None:
                    return deliveries, []
                self._suspect = suspect
                self._since = self.clock()
            kept: list[Delivery] = []
            given_back: list[Delivery] = []
            for one in deliveries:
                joins = one.attempt == 1 or one is suspect or not self.may_kill(one)
                (kept if joins else given_back).append(one)
            if given_back:
                self._not_before = self.clock() + self.policy.alone
            return kept, given_back

    def has_run(self, delivery: Delivery) -> None:
        """Say that a delivery is over, though it may be in flight for a while until its outcome is written.

        Any thread may call this.
        """
        if delivery is self._suspect:
            self._over = delivery

    def _suspect_in_flight(self) -> Delivery | None:
        suspect = self._suspect
        if suspect is None:
            return None
        is_over = suspect is self._over or suspect not in self.in_flight
        if is_over or self.clock() - self._since > self.patience:
            self._suspect = self._over = None
            return None
        return suspect

    def _is_beside_another(self) -> bool:
        """Whether a message of another queue is in flight alone."""
        return any(one is not self and one._suspect_in_flight() is not None for one in self.together.all)
