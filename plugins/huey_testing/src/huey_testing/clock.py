"""The clock that a test moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_memory import ManualClock

__all__ = ["RehearsalClock", "in_seconds"]


class RehearsalClock:
    """Stands still until a test moves it, and decides about schedules, retries, leases, expiry and periodic commands.

    Only what huey-core does goes by it: ``time.time()`` in the application is not changed.

    Args:
        manual: The clock of the memory.
        next_stop: Given the present time, says at which later time something is to be done.
        stop: Does it; called with the time.
    """

    def __init__(self, manual: ManualClock, next_stop: Callable[[float], float], stop: Callable[[float], None]) -> None:
        self._manual = manual
        self._next_stop = next_stop
        self._stop = stop

    def now(self) -> float:
        """The time in seconds since the epoch."""
        return self._manual()

    def advance(self, duration: float | timedelta) -> None:
        """Let time pass while consumers are there: on the way, periodic commands are enqueued when they are due.

        Nothing runs by that; ``run_until_idle()`` then runs what has fallen due.

        Args:
            duration: Seconds, or a timedelta.

        Raises:
            ValueError: It is negative.
        """
        seconds = in_seconds(duration)
        if seconds < 0:
            raise ValueError(f"time cannot pass for {seconds:g} s; set() moves the clock back")
        end = self.now() + seconds
        while (now := self.now()) < end:
            self._move(min(self._next_stop(now), end))
            self._stop(self.now())

    def set(self, moment: float | datetime) -> None:
        """Move the clock, forward or back, as if no consumer had been there meanwhile: no periodic command is enqueued.

        Args:
            moment: Seconds since the epoch, or a datetime; a naive one is local time.
        """
        self._move(moment.timestamp() if isinstance(moment, datetime) else moment)

    def _move(self, moment: float) -> None:
        # Between two floats of one magnitude the difference is exact, so the clock arrives at the moment itself.
        self._manual.advance(moment - self.now())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.now()!r}>"


def in_seconds(duration: float | timedelta) -> float:
    """A duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
