"""``crontab()``: when a periodic command is due, in the words of cron, to the minute."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn, Self

from huey_core.commands.wall_clock import end_of_gap, instants_of, is_steady, wall_time
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

__all__ = ["Crontab", "crontab"]

_RANGES: Final = {
    "month": (1, 12),
    "day": (1, 31),
    "day_of_week": (0, 7),
    "hour": (0, 23),
    "minute": (0, 59),
}
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY: Final = timedelta(days=1)
_LAST_YEAR: Final = 9998
"""The last year of which every time is a ``datetime`` in all time zones."""

_PIECE: Final = re.compile(r"(?:\*|(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?)(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True, slots=True, repr=False)
class Crontab:
    """Says of a time whether it matches, and which one is next. Make one with :func:`crontab`.

    It has the fields as they were given, where they are not ``*``, and the matching numbers; Sunday is 0.
    """

    text: tuple[tuple[str, str], ...]
    months: frozenset[int]
    days: frozenset[int]
    days_of_week: frozenset[int]
    hours: frozenset[int]
    minutes: frozenset[int]
    local: bool = False

    def __call__(self, when: datetime) -> bool:
        """Whether the time matches in every field; its seconds and its time zone do not matter."""
        return when.minute in self.minutes and when.hour in self.hours and self._has_day(when)

    def by_local_time(self) -> Self:
        """The same in local time."""
        return replace(self, local=True)

    def next_after(self, utc: datetime) -> datetime | None:
        """The first minute that matches and begins after a time, both aware and in UTC; ``None`` after the year 9998.

        Where the clocks are changed, see :func:`crontab`.
        """
        place = self._place
        found, last = None, date.max
        if utc.year > _LAST_YEAR:
            return None
        # An hour that is repeated may be that before midnight: then a time of the day before is still to come.
        for day in self._days_from(wall_time(utc, place).date() - _DAY):
            if day > last:
                break
            due = self._first_of(day, utc, place)
            if due is not None and (found is None or due < found):
                found, last = due, min(last, day + _DAY)
        return found

    @property
    def _place(self) -> tzinfo | None:
        return None if self.local else UTC

    @property
    def _goes_on(self) -> bool:
        """Whether it is meant as an interval, which goes on while the clocks are changed, and not as times of a day."""
        fixed = dict(self.text)
        return any("*" in fixed.get(field, "*") for field in ("hour", "minute"))

    def _has_day(self, day: date) -> bool:
        return day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.days_of_week

    def _days_from(self, day: date) -> Iterator[date]:
        while day.year <= _LAST_YEAR:
            if day.month not in self.months:
                day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
                continue
            if self._has_day(day):
                yield day
            day += _DAY

    def _first_of(self, day: date, utc: datetime, place: tzinfo | None) -> datetime | None:
        """The first due time of a day that is later than an instant."""
        midnight = datetime(day.year, day.month, day.day)
        if is_steady(day, place):
            [begins] = instants_of(midnight, place)
            wall = self._first_time(midnight, midnight + (utc - begins))
            return None if wall is None else begins + (wall - midnight)
        times = [midnight.replace(hour=hour, minute=minute) for hour in self.hours for minute in self.minutes]
        return min((due for wall in times for due in self._instants_of(wall, place) if due > utc), default=None)

    def _first_time(self, midnight: datetime, after: datetime) -> datetime | None:
        """The first time of a day, on its clocks, that is later than another."""
        first = max(midnight, after.replace(second=0, microsecond=0) + timedelta(minutes=1))
        if first >= midnight + _DAY:
            return None
        minute = min((one for one in self.minutes if one >= first.minute), default=None)
        if first.hour in self.hours and minute is not None:
            return first.replace(minute=minute)
        hour = min((one for one in self.hours if one > first.hour), default=None)
        return None if hour is None else midnight.replace(hour=hour, minute=min(self.minutes))

    def _instants_of(self, wall: datetime, place: tzinfo | None) -> list[datetime]:
        instants = instants_of(wall, place)
        if self._goes_on:
            return instants
        return instants[:1] or [end_of_gap(wall, place)]

    def __repr__(self) -> str:
        return f"crontab({', '.join(f'{field}={text!r}' for field, text in self.text)})"


def crontab(
    month: int | str = "*",
    day: int | str = "*",
    day_of_week: int | str = "*",
    hour: int | str = "*",
    minute: int | str = "*",
) -> Crontab:
    """Make a function that says of a time whether a periodic command is due in that minute.

    A field is a number, or text: ``*`` (every value), ``*/n`` (every n-th, from the first of the range), ``m-n``
    (both included), ``m-n/s`` (every s-th of them), or several of these and of numbers, separated by commas.

    All five fields must match. This differs from cron, which runs a job when *either* the day or the day of the week
    matches: ``crontab(day=13, day_of_week=5, hour=0, minute=0)`` is midnight of a Friday the 13th, and of no other day.

    Args:
        month: 1 to 12.
        day: The day of the month, 1 to 31.
        day_of_week: 0 to 6 from Sunday to Saturday; 7 is Sunday too.
        hour: 0 to 23.
        minute: 0 to 59.

    Returns:
        A :class:`~huey_core.commands.Schedule`, which can also be called with a ``datetime`` and returns a ``bool``.

    Raises:
        ConfigurationError: A field cannot be read or is out of its range, or there is no such day in those months.
    """
    given = {"month": month, "day": day, "day_of_week": day_of_week, "hour": hour, "minute": minute}
    values = {field: _parse(field, value) for field, value in given.items()}
    if min(values["day"]) > max(_DAYS_IN_MONTH[number - 1] for number in values["month"]):
        raise ConfigurationError(f"crontab(month={month!r}, day={day!r}) never matches: no such month has such a day")
    return Crontab(
        text=tuple((field, str(value)) for field, value in given.items() if value != "*"),
        months=values["month"],
        days=values["day"],
        days_of_week=frozenset(number % 7 for number in values["day_of_week"]),
        hours=values["hour"],
        minutes=values["minute"],
    )


def _parse(field: str, value: int | str) -> frozenset[int]:
    if isinstance(value, bool) or not isinstance(value, int | str):
        _refuse(field, value, "it is neither a number nor text")
    return frozenset(number for piece in str(value).split(",") for number in _parse_piece(field, value, piece.strip()))


def _parse_piece(field: str, value: int | str, piece: str) -> range:
    match = _PIECE.fullmatch(piece)
    if match is None or (match["step"] and match["first"] and not match["last"]):
        _refuse(field, value, f"{piece!r} is not a number, *, */n, m-n or m-n/s")
    low, high = _RANGES[field]
    first = int(match["first"] or low)
    last = int(match["last"] or match["first"] or high)
    step = int(match["step"] or 1)
    for number in (first, last):
        if not low <= number <= high:
            _refuse(field, value, f"{number} is out of range")
    if first > last:
        _refuse(field, value, f"{piece!r} runs backwards; write {first}-{high},{low}-{last} to wrap around")
    if not 1 <= step <= high - low + 1:
        _refuse(field, value, f"a step of {step} is not possible")
    return range(first, last + 1, step)


def _refuse(field: str, value: object, reason: str) -> NoReturn:
    low, high = _RANGES[field]
    raise ConfigurationError(f"crontab({field}={value!r}): {reason}; {field} takes {low} to {high}")
