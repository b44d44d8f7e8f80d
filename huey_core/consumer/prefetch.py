"""How many messages to prefetch.

Quick commands are worth claiming in large portions, because a round trip costs more than they do. Slow ones are not:
a message that waits here behind a slow command could be running in another consumer. So the number prefetched is what
the workers get through in a short time, by the latest durations, and none as soon as commands are slow. Nor is more
prefetched than fits into a bounded amount of memory, by the latest sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from huey_core.consumer.policy import Policy

__all__ = ["Prefetch"]

_UNKNOWN: Final = float("inf")


@dataclass(eq=False, repr=False)
class Prefetch:
    """Decides how many messages to claim, and prefetches no more than ``limit``.

    The fetch loop's alone, but for :meth:`observe`.
    """

    workers: int
    limit: int
    policy: Policy

    def __post_init__(self) -> None:
        self._mean = _UNKNOWN
        self._largest = 1
        self.seconds = 0.0
        """How long all commands took, in seconds."""

    @property
    def cost(self) -> float:
        """How long a command takes, in seconds, by the latest durations; infinite when none has run."""
        return max(self._mean, 1e-6)

    def weigh(self, largest: int) -> None:
        """Learn the size in bytes of the largest message of a claim."""
        # As with durations: a large one counts at once, and is forgotten over some claims.
        self._largest = max(largest, self._largest // 2, 1)

    def observe(self, duration: float) -> None:
        """Learn how long a command took, in seconds. Workers call this at the same time, and one may be unheard."""
        self.seconds += duration
        mean = self._mean
        if mean is _UNKNOWN:
            self._mean = duration
        else:
            # A slow command counts at once and is forgotten slowly: prefetching too little costs a round trip,
            # prefetching too much delays somebody's message.
            weight = 0.5 if duration > mean else 0.05
            self._mean = mean + (duration - mean) * weight

    def target(self, longest_running: float = 0.0) -> int:
        """The number of messages to prefetch, while the longest-running command has run for so many seconds."""
        horizon, most_bytes = self.policy.horizon, self.policy.prefetched_bytes
        if longest_running > horizon:
            return 0
        return min(self.limit, int(self.workers * horizon / self.cost), most_bytes // self._largest)
