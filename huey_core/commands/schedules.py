"""Schedules: what says when something is due, and what is asked of it.

A schedule is any object with ``next_after``. It needs no clock, no queue and no memory, so every consumer that asks it
about the same time gets the same answer, and nobody has to agree on anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol, Self, runtime_checkable

from huey_core.commands.option_checks import Seconds
from huey_core.commands.option_checks import seconds as read_seconds
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ByMinute", "Every", "Schedule", "by_local_time", "due_between", "every", "next_due"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)

LOOK_AHEAD: Final = timedelta(days=1)
"""How far a function is asked ahead, minute by minute, for the next time at which it is due."""

LEAST_DISTANCE: Final = timedelta(seconds=1)
"""The least time between two due times of one schedule; what comes sooner after another is left out."""


@runtime_checkable
class Schedule(Protocol):
    """Says when something is due. Whatever has this method is one."""

    def next_after(self, utc: datetime) -> datetime | None:
        """The first due time that is later than a time.

        Args:
            utc: An aware time in UTC.

        Returns:
            An aware time in UTC, strictly later; ``None`` when nothing is due any more.
        """


@runtime_checkable
class _ByItsConsumersTime(Schedule, Protocol):
    """A schedule that goes by UTC or by local time, as the consumer's setting ``UTC`` says."""

    def by_local_time(self) -> Schedule:
        """The same schedule in local time, or itself where it names a time zone."""


@dataclass(frozen=True, slots=True)
class ByMinute:
    """A schedule made of a function that says of a minute whether something is due in it.

    The function is asked of each minute when that has come, so its answer may depend on more than the time.

    Attributes:
        function: Takes the minute's beginning as a naive time, in UTC or in local time.
        local: Whether that is local time.
    """

    function: Callable[[datetime], bool]
    local: bool = False

    def by_local_time(self) -> Self:
        """The same with local time."""
        return replace(self, local=True)

    def next_after(self, utc: datetime) -> datetime | None:
        """The first minute for which the function says yes; ``None`` where it says so of none in the next 24 hours."""
        return self.next_until(utc, utc + LOOK_AHEAD)

    def next_until(self, utc: datetime, until: datetime) -> datetime | None:
        """The first such minute that begins after ``utc`` and not after ``until``; later ones are not asked about."""
        minute = following_minute(utc)
        while minute <= until:
            if self.function(minute.astimezone(None if self.local else UTC).replace(tzinfo=None)):
                return minute
            minute += _MINUTE
        return None


def following_minute(utc: datetime) -> datetime:
    """The beginning of the next minute."""
    return utc.replace(second=0, microsecond=0) + _MINUTE


@dataclass(frozen=True, slots=True, repr=False)
class Every:
    """Due at the multiples of a period since the epoch. Make one with :func:`every`."""

    period: timedelta

    def next_after(self, utc: datetime) -> datetime:
        """The first multiple that is later than a time, both aware and in UTC."""
        return _EPOCH + ((utc - _EPOCH) // self.period + 1) * self.period

    def __repr__(self) -> str:
        return f"every(seconds={self.period.total_seconds():.12g})"


def every(
    period: Seconds | None = None,
    *,
    seconds: float | None = None,
    minutes: float | None = None,
    hours: float | None = None,
) -> Every:
    """Make a schedule that is due again and again, with the same time in between: ``every(seconds=30)``.

    It is due at the multiples of the period since the epoch, which is 1970-01-01 00:00 UTC, by the clock of the queue's
    server. So all consumers have the same due times, however often they are started, and each runs once. Of a period
    that divides a day, they are the same on each day, in UTC: ``every(hours=8)`` is due at 00:00, 08:00 and 16:00.

    Args:
        period: The period in seconds or as a timedelta; or else its parts by name, which are added up.
        seconds: So many seconds.
        minutes: So many minutes.
        hours: So many hours.

    Raises:
        ConfigurationError: The period is shorter than a second or longer than a hundred years, or is not given.
    """
    parts = [
        given * unit
        for name, given, unit in (("seconds", seconds, 1), ("minutes", minutes, 60), ("hours", hours, 3600))
        if given is not None and read_seconds(name, given) >= 0
    ]
    if (period is None) == (not parts):
        raise ConfigurationError("every() takes a period, as in every(30), or parts of one, as in every(seconds=30)")
    total = read_seconds("the period of every()", sum(parts) if period is None else period, least=1)
    return Every(timedelta(seconds=total))


def by_local_time(schedule: Schedule) -> Schedule:
    """A schedule for a consumer that goes by local time: the same one where it does not care, or names a time zone."""
    return schedule.by_local_time() if isinstance(schedule, _ByItsConsumersTime) else schedule


def due_between(schedule: Schedule, after: float, until: float) -> Iterator[float]:
    """The due times of a schedule that are later than ``after`` and not later than ``until``, in their order.

    All times are in seconds since the epoch.

    Raises:
        ValueError: The schedule answers with what is no later time, or not in UTC.
        Exception: What the schedule raises.
    """
    end = datetime.fromtimestamp(until, UTC)
    asked = datetime.fromtimestamp(after, UTC)
    while asked < end:
        due = schedule.next_until(asked, end) if isinstance(schedule, ByMinute) else _next_after(schedule, asked)
        if due is None or due > end:
            return
        yield due.timestamp()
        asked = due + LEAST_DISTANCE - datetime.resolution


def next_due(schedule: Schedule, after: float) -> float | None:
    """When to look at a schedule again, in seconds since the epoch: at its next due time, or at the next minute.

    ``None`` where nothing is due any more. What it raises is what :func:`due_between` raises.
    """
    asked = datetime.fromtimestamp(after, UTC)
    due = following_minute(asked) if isinstance(schedule, ByMinute) else _next_after(schedule, asked)
    return None if due is None else due.timestamp()


def _next_after(schedule: Schedule, utc: datetime) -> datetime | None:
    due = schedule.next_after(utc)
    if due is None:
        return None
    if not isinstance(due, datetime) or due.utcoffset() is None or due <= utc:
        raise ValueError(f"{schedule!r} must answer with an aware time that is later than {utc}, or None, not {due!r}")
    return due
