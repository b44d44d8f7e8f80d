"""Keeps a command that kills its consumer from taking its neighbours with it.

Every message that a killed consumer held has used up one of its deliveries, the innocent ones included. A message on
its last delivery is therefore held without any other redelivered one beside it: if it is the guilty one, nobody else
reaches the end of its deliveries by its fault, and if it is not, the guilty one is not there to bring it down.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.held import HeldDeliveries

__all__ = ["LastDelivery"]


class LastDelivery:
    """Lets one message on its last delivery through at a time.

    Args:
        max_deliveries: The number of the last delivery. With 1, every delivery is the last and nothing is set apart.
        held: The deliveries of this consumer.
        patience: Seconds for which nothing more is claimed beside it. A command that takes longer than that is likely
            to be long, not deadly, and the other workers are not to idle for its sake.
        clock: A monotonic time in seconds.
    """

    def __init__(
        self,
        max_deliveries: int,
        held: HeldDeliveries,
        patience: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_deliveries = max_deliveries
        self._held = held
        self._patience = patience
        self._clock = clock
        self._suspect: Delivery | None = None
        self._since = 0.0

    def is_held(self) -> bool:
        """Whether a message on its last delivery is held, so that nothing more should be claimed for now."""
        if self._suspect is None:
            return False
        if self._suspect not in self._held or self._clock() - self._since > self._patience:
            self._suspect = None
        return self._suspect is not None

    def divide(self, deliveries: Sequence[Delivery]) -> tuple[Sequence[Delivery], Sequence[Delivery]]:
        """Divide what was just claimed into what may be held together, and what must be given back before that runs."""
        suspects = [one for one in deliveries if one.attempt >= self._max_deliveries]
        if self._max_deliveries == 1 or not suspects:
            return deliveries, []
        self._suspect = suspects[0]
        self._since = self._clock()
        kept = [one for one in deliveries if one.attempt == 1 or one is self._suspect]
        return kept, [one for one in deliveries if one.attempt > 1 and one is not self._suspect]
