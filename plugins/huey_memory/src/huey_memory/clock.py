"""The clocks that decide due times, leases and times to live.

A clock is also where shared memory is anchored: the spaces that run by it live as long as it does. So a test that makes
its own :class:`ManualClock` starts with empty memory, and everything on the clock of the system is one for the process.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from huey_core.backends import ProcessLock

__all__ = ["SYSTEM_CLOCK", "Clock", "ManualClock", "Waiting"]


class Waiting(Protocol):
    """What runs by a clock, and waits for times to come."""

    def look_again(self) -> None:
        """Look whether something has fallen due."""


class Clock:
    """The system's clock, in UTC."""

    def __init__(self) -> None:
        self.lock: Final = ProcessLock()
        self.spaces: Final[dict[str, Waiting]] = {}

    def __call__(self) -> float:
        """The time in seconds since the epoch."""
        return time.time()

    def until(self, moment: float) -> float:
        """How many seconds of real time to wait for a moment; infinite if waiting alone does not bring it."""
        return moment - self()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ManualClock(Clock):
    """A clock that stands still until a test moves it; moving it wakes whoever waits for a time to come.

    Safe to use from several threads.

    Args:
        now: The time to begin with, in seconds since the epoch; the present by default.
    """

    def __init__(self, now: float | None = None) -> None:
        super().__init__()
        self._now = time.time() if now is None else now

    def __call__(self) -> float:
        """The time to which the clock was last moved, in seconds since the epoch."""
        return self._now

    def until(self, moment: float) -> float:
        """Zero for a moment that has come; infinite for any other, since only :meth:`advance` brings it."""
        return 0.0 if moment <= self._now else float("inf")

    def advance(self, seconds: float) -> None:
        """Move the clock forward, or back by a negative number."""
        with self.lock:
            self._now += seconds
            spaces = list(self.spaces.values())
        for space in spaces:
            space.look_again()


SYSTEM_CLOCK: Final = Clock()
"""The clock of whoever does not ask for another."""
