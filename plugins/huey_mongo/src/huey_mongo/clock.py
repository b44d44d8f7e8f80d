"""The server's clock, as far as a client can know it, and the order of writing that follows from it.

What decides leases and delays is written by the server itself (``$$NOW``). A filter cannot use that and an index at
the same time, so a query for what is due uses the estimate of this module, and the update that follows checks it again
by the server. The estimate also gives messages their order: numbers that rise strictly within a process, and by the
server's clock between processes, to within half a round trip and the millisecond in which the server tells its time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from huey_core.backends import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["ServerClock", "from_millis", "millis", "to_date"]

REFRESH: Final = 10.0
"""Seconds after which the clock is read again."""

READINGS: Final = 3
"""The most times that the clock is read at once, to find an exchange that was not held up."""

PROMPT: Final = 0.01
"""Seconds of an exchange that is short enough to be believed."""

SUSPECT: Final = 0.5
"""Seconds by which this machine's two clocks may drift apart before the estimate is taken for stale: it slept."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1) - 2**52 // 1000
"""The largest number of milliseconds that is stored, some 7,900 years.

Added to the server's time by the server itself, until the year 2112 when ranks end too, it is still a date.
"""


def millis(seconds: float) -> int:
    """Convert seconds to whole milliseconds, rounded up so that nothing happens early.

    At most :data:`LONGEST`, and no more than that before zero; so is what is no number, for which nothing waits.
    """
    if not seconds > -LONGEST / 1000:
        return -LONGEST
    return min(-int(-min(seconds, LONGEST / 1000) * 1000 // 1), LONGEST)


def from_millis(value: int) -> float:
    """Convert milliseconds to seconds."""
    return value / 1000


def to_date(value: int) -> datetime:
    """Convert milliseconds since the epoch to the date that MongoDB stores."""
    return EPOCH + timedelta(milliseconds=value)


class ServerClock:
    """The clock of one server or cluster. Everybody in this process who names the same servers shares it."""

    def __init__(self) -> None:
        self._last = 0
        self._ahead = 0.0
        self._read_at = float("-inf")
        self._local_ahead = 0.0
        self._lock = ProcessLock()

    def micros(self, read: Callable[[], datetime], count: int = 1) -> int:
        """Take ``count`` successive numbers, near the server's time in microseconds, and return the first.

        Args:
            read: Asks the server for its time, when it has to be asked.
            count: How many numbers to take. No other call gets one of them, or a lower one.
        """
        now = int(self.seconds(read) * 1e6)
        with self._lock:
            first = max(now, self._last + 1)
            self._last = first + count - 1
            return first

    def seconds(self, read: Callable[[], datetime]) -> float:
        """Estimate the server's time, in seconds since the epoch; see :meth:`micros`."""
        before = time.monotonic()
        if before - self._read_at < REFRESH and abs(time.time() - before - self._local_ahead) < SUSPECT:
            return before + self._ahead
        return self.set(read, before)

    def set(self, read: Callable[[], datetime], before: float | None = None) -> float:
        """Ask the server for its time, keep the difference, and return the time."""
        before = time.monotonic() if before is None else before
        shortest = float("inf")
        ahead = self._ahead
        for _ in range(READINGS):
            told = read().timestamp()
            after = time.monotonic()
            if after - before < shortest:
                shortest = after - before
                # The server tells the millisecond, which had begun half of one ago on average, half-way through the
                # exchange. One that was held up on one side, as by a busy machine, is wrong by half of that.
                ahead = told + 0.0005 - (before + after) / 2
            if shortest <= PROMPT:
                break
            before = after
        self._ahead = ahead
        self._local_ahead = time.time() - after
        self._read_at = after
        return after + ahead


_clocks: WeakValueDictionary[Hashable, ServerClock] = WeakValueDictionary()
_clocks_lock: Final = ProcessLock()


def clock_of(place: Hashable) -> ServerClock:
    """Return the clock that everybody in this process shares who connects to the same place."""
    with _clocks_lock:
        clock = _clocks.get(place)
        if clock is None:
            clock = _clocks[place] = ServerClock()
        return clock
