"""Outcomes that the server has refused while it took others: they are tried again by themselves, from time to time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.backends.leased import Outcome
    from huey_core.consumer.policy import Policy

__all__ = ["Parked", "Refused"]


@dataclass(slots=True)
class Refused:
    """An outcome that was refused, when that was first, and how many results had been written by then."""

    outcome: Outcome
    since: float
    results_before: int
    tries: int = 0

    @property
    def size(self) -> int:
        """The bytes that it keeps in memory."""
        result = self.outcome.result
        return len(self.outcome.delivery.data) + (len(result.value) if result else 0)


@dataclass(eq=False, repr=False)
class Parked:
    """The outcomes that are parked; safe to use from several threads."""

    clock: Callable[[], float]
    policy: Policy

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._parked: list[Refused] = []
        self._again_at = 0.0

    def add(self, one: Refused) -> bool:
        """Park an outcome, and return whether it is the only one."""
        with self._lock:
            is_first = not self._parked
            if is_first:
                self._again_at = self.clock() + self.policy.parked_for
            self._parked.append(one)
        return is_first

    def take(self) -> list[Refused]:
        """Remove and return all."""
        with self._lock:
            parked, self._parked = self._parked, []
        return parked

    def put_back(self, untried: Iterable[Refused]) -> None:
        """Park again what had no turn, and let time pass before the next try.

        First those that had no turn, so that none waits for ever behind others that are refused for good.
        """
        with self._lock:
            self._parked = sorted([*untried, *self._parked], key=lambda one: one.tries)
            self._again_at = self.clock() + self.policy.parked_for

    def is_full(self) -> bool:
        """Whether so much is parked that nothing more should be claimed, lest it grow without end."""
        with self._lock:
            parked, policy = self._parked, self.policy
            return bool(parked) and (
                len(parked) >= policy.parked_outcomes or sum(one.size for one in parked) >= policy.parked_bytes
            )

    def due_in(self) -> float:
        """Seconds until the next try; infinite when nothing is parked."""
        with self._lock:
            return max(self._again_at - self.clock(), 0.0) if self._parked else float("inf")

    def outcomes(self) -> list[Outcome]:
        """The outcomes that are parked now."""
        with self._lock:
            return [one.outcome for one in self._parked]

    def __len__(self) -> int:
        with self._lock:
            return len(self._parked)
