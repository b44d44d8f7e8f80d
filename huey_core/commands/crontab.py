"""``crontab``: when a periodic command is due, in the words of cron, to the minute."""

from __future__ import annotations

import copy
import re
import warnings
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn, Self

from huey_core.commands.wall_clock import end_of_gap, instants_of, is_steady, wall_time, zone_of
from huey_core.exceptions import ConfigurationError
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from zoneinfo import ZoneInfo

__all__ = ["crontab"]

_RANGES: Final = {
    "month": (1, 12),
    "day": (1, 31),
    "day_of_week": (0, 7),
    "hour": (0, 23),
    "minute": (0, 59),
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_OF_WEEK: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final = {
    "month": {name: number for number, name in enumerate(_MONTHS, start=1)},
    "day_of_week": {name: number for number, name in enumerate(_DAYS_OF_WEEK)},
}
_IN_ORDER_OF_CRON: Final = ("minute", "hour", "day", "month", "day_of_week")
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_LAST_YEAR: Final = 9998
"""The last year of which every time is a ``datetime`` in all time zones."""

_VALUE: Final = "[0-9]+|[A-Za-z]{3}"
_PIECE: Final = re.compile(rf"(?:\*|(?P<first>{_VALUE})(?:-(?P<last>{_VALUE}))?)(?:/(?P<step>[0-9]+))?")


class crontab:
    """A schedule to the minute: it is due in each minute of which all five fields match.

    A field is a number, or text: ``*`` (every value), ``*/n`` (every n-th, from the first of the range), ``m-n``
    (both included), ``m-n/s`` (every s-th of them), or several of these and of numbers, separated by commas. Months and
    days of the week may be called by the first three letters of their English names: ``day_of_week="mon-fri"``.

    All five fields must match. This differs from cron, which runs a job when *either* the day or the day of the week
    matches: ``crontab(day=13, day_of_week=5, hour=0, minute=0)`` is midnight of a Friday the 13th, and of no other day.
    :meth:`parse` reads a line as cron does.

    It is a :class:`~huey_core.commands.Schedule`. It can be called too, with a ``datetime``, and says whether that
    matches, whatever its seconds and its time zone are.

    Where the clocks of its time zone are changed:

    * With an hour or a minute that has a ``*`` in it, it goes by what the clocks show, so it goes on at the same
      distance: minutes that are skipped are not due, and those that come twice are due twice.
    * With an hour and a minute of fixed values, it is due once on each day that matches: at a time that is skipped, at
      the moment of the change (where 02:00 is followed by 03:00, 02:30 is due at 03:00), and at one that comes twice,
      the first time.

    Args:
        month: 1 to 12, or names.
        day: The day of the month, 1 to 31.
        day_of_week: 0 to 6 from Sunday to Saturday, or names; 7 is Sunday too.
        hour: 0 to 23.
        minute: 0 to 59. Without it every minute matches, of which a ``UserWarning`` is given where another field is not
            ``*``; ``"*"`` means the same and says so.
        tz: The time zone of all five, such as ``"Europe/Paris"``; ``None`` for UTC, or local time by the consumer's
            ``UTC`` setting.

    Raises:
        ConfigurationError: A field cannot be read or is out of its range, there is no such day in those months, or the
            time zone is unknown.
    """

    __slots__ = ("_days_are_either", "_line", "_local", "_text", "_values", "_zone")

    def __init__(
        self,
        month: int | str = "*",
        day: int | str = "*",
        day_of_week: int | str = "*",
        hour: int | str = "*",
        minute: int | str | None = None,
        *,
        tz: str | ZoneInfo | None = None,
    ) -> None:
        given = {"month": month, "day": day, "day_of_week": day_of_week, "hour": hour}
        self._set(given | {"minute": "*" if minute is None else minute}, tz)
        if minute is None and self._text:
            warnings.warn(
                f"{self!r} has no minute, so it is due in every minute of each hour that matches; write minute=0 for "
                "one run in an hour, or minute='*' to say that every minute is meant",
                stacklevel=2,
            )

    @classmethod
    def parse(cls, line: str, *, tz: str | ZoneInfo | None = None) -> Self:
        """Read a schedule as it stands in a crontab: ``crontab.parse("*/5 9-17 * * mon-fri")``.

        The five fields come in the order of cron, which is minute, hour, day, month and day of the week, and are
        written as those of :class:`crontab`. ``@hourly``, ``@daily``, ``@midnight``, ``@weekly``, ``@monthly``,
        ``@yearly`` and ``@annually`` are read too.

        As in cron, and other than for ``crontab(...)``, where neither the day nor the day of the week begins with
        ``*``, a day matches that matches *either*: ``"0 0 13 * fri"`` is midnight of every 13th and of every Friday.

        Args:
            line: The fields, separated by blanks.
            tz: As for :class:`crontab`.

        Raises:
            ConfigurationError: It has another number of fields, or one cannot be read, or the time zone is unknown.
        """
        if not isinstance(line, str):
            raise ConfigurationError(f"crontab.parse() reads a text, such as '0 3 * * *', not {line!r}")
        fields = _NICKNAMES.get(line.strip().lower(), line).split()
        if len(fields) != len(_IN_ORDER_OF_CRON):
            raise ConfigurationError(
                f"crontab.parse({line!r}): it has {counted(len(fields), 'field')}, and a line of cron has five, for "
                f"minute, hour, day, month and day of the week, or is one of {', '.join(_NICKNAMES)}"
            )
        given: dict[str, int | str] = dict(zip(_IN_ORDER_OF_CRON, fields, strict=True))
        made = cls.__new__(cls)
        try:
            made._set({field: given[field] for field in _RANGES}, tz, line)
        except ConfigurationError as error:
            raise ConfigurationError(f"crontab.parse({line!r}): {error}") from None
        return made

    def _set(self, given: dict[str, int | str], tz: str | ZoneInfo | None, line: str | None = None) -> None:
        self._values = {field: _parse(field, value) for field, value in given.items()}
        self._values["day_of_week"] = frozenset(number % 7 for number in self._values["day_of_week"])
        self._text = {field: text for field, value in given.items() if (text := str(value)) != "*"}
        self._zone = None if tz is None else zone_of(tz)
        self._local = False
        self._line = line
        are_fixed = not any(str(given[field]).startswith("*") for field in ("day", "day_of_week"))
        self._days_are_either = line is not None and are_fixed
        last = max(_DAYS_IN_MONTH[number - 1] for number in self._values["month"])
        if min(self._values["day"]) > last and not self._days_are_either:
            month, day = given["month"], given["day"]
            raise ConfigurationError(
                f"crontab(month={month!r}, day={day!r}) never matches: no such month has such a day"
            )

    @property
    def fields(self) -> dict[str, str]:
        """The text of each of the five fields, by the name of its argument."""
        return {field: self._text.get(field, "*") for field in _RANGES}

    @property
    def tz(self) -> str | None:
        """The name of its time zone, if it has one."""
        return None if self._zone is None else self._zone.key

    @property
    def line(self) -> str | None:
        """The line that it was read from, if :meth:`parse` has made it."""
        return self._line

    def __call__(self, when: datetime) -> bool:
        """Whether the time matches in every field; its seconds and its time zone do not matter."""
        return when.minute in self._values["minute"] and when.hour in self._values["hour"] and self._has_day(when)

    def by_local_time(self) -> Self:
        """The same in local time; itself where it has a time zone."""
        if self._zone is not None:
            return self
        made = copy.copy(self)
        made._local = True
        return made

    def next_after(self, utc: datetime) -> datetime | None:
        """The first due time after another, both aware and in UTC; ``None`` after the year 9998."""
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
        if self._local:
            return None
        return UTC if self._zone is None else self._zone

    @property
    def _goes_on(self) -> bool:
        """Whether it is meant as an interval, which goes on while the clocks are changed, and not as times of a day."""
        return any("*" in self._text.get(field, "*") for field in ("hour", "minute"))

    def _has_day(self, day: date) -> bool:
        is_day = day.day in self._values["day"]
        is_day_of_week = day.isoweekday() % 7 in self._values["day_of_week"]
        matches = is_day or is_day_of_week if self._days_are_either else is_day and is_day_of_week
        return matches and day.month in self._values["month"]

    def _days_from(self, day: date) -> Iterator[date]:
        while day.year <= _LAST_YEAR:
            if day.month not in self._values["month"]:
                day = (day.replace(day=28) + 4 * _DAY).replace(day=1)
                continue
            if self._has_day(day):
                yield day
            day += _DAY

    def _first_of(self, day: date, utc: datetime, place: tzinfo | None) -> datetime | None:
        """The first due time of a day that is later than an instant."""
        midnight = datetime(day.year, day.month, day.day)
        if is_steady(midnight, _DAY, place):
            [begins] = instants_of(midnight, place)
            wall = self._first_time(midnight, midnight + (utc - begins))
            return None if wall is None else begins + (wall - midnight)
        hours = [midnight.replace(hour=hour) for hour in self._values["hour"]]
        return min((due for hour in hours for due in self._instants_in(hour, place) if due > utc), default=None)

    def _instants_in(self, hour: datetime, place: tzinfo | None) -> Iterator[datetime]:
        """The due times in an hour that matches, in no order."""
        if is_steady(hour, _HOUR, place):
            [begins] = instants_of(hour, place)
            yield from (begins + timedelta(minutes=minute) for minute in self._values["minute"])
        else:
            for minute in self._values["minute"]:
                yield from self._instants_of(hour.replace(minute=minute), place)

    def _first_time(self, midnight: datetime, after: datetime) -> datetime | None:
        """The first time of a day, on its clocks, that is later than another."""
        hours, minutes = self._values["hour"], self._values["minute"]
        first = max(midnight, after.replace(second=0, microsecond=0) + timedelta(minutes=1))
        if first >= midnight + _DAY:
            return None
        minute = min((one for one in minutes if one >= first.minute), default=None)
        if first.hour in hours and minute is not None:
            return first.replace(minute=minute)
        hour = min((one for one in hours if one > first.hour), default=None)
        return None if hour is None else midnight.replace(hour=hour, minute=min(minutes))

    def _instants_of(self, wall: datetime, place: tzinfo | None) -> list[datetime]:
        instants = instants_of(wall, place)
        if self._goes_on:
            return instants
        return instants[:1] or [end_of_gap(wall, place)]

    def _key(self) -> tuple[object, ...]:
        return tuple(self._text.items()), self.tz, self._local, self._days_are_either

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, crontab) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        zone = [] if self.tz is None else [f"tz={self.tz!r}"]
        if self._line is not None:
            return f"crontab.parse({', '.join([repr(self._line), *zone])})"
        return f"crontab({', '.join([*(f'{field}={text!r}' for field, text in self._text.items()), *zone])})"


def _parse(field: str, value: int | str) -> frozenset[int]:
    if isinstance(value, bool) or not isinstance(value, int | str):
        _refuse(field, value, "it is neither a number nor text")
    if isinstance(value, str) and (value.startswith("@") or len(value.split()) == len(_IN_ORDER_OF_CRON)):
        raise ConfigurationError(f"crontab({field}={value!r}): a line of cron is read by crontab.parse({value!r})")
    return frozenset(number for piece in str(value).split(",") for number in _parse_piece(field, value, piece.strip()))


def _parse_piece(field: str, value: int | str, piece: str) -> range:
    match = _PIECE.fullmatch(piece)
    if match is None or (match["step"] and match["first"] and not match["last"]):
        names = f"a name such as {next(iter(_NAMES[field]))}, " if field in _NAMES else ""
        _refuse(field, value, f"{piece!r} is not a number, {names}*, */n, m-n or m-n/s")
    low, high = _RANGES[field]
    first = low if match["first"] is None else _number(field, value, match["first"])
    last = first if match["first"] else high
    if match["last"]:
        # Of a range, Sunday is the end as well.
        last = _number(field, value, match["last"])
        last = 7 if match["last"].lower() == "sun" and last < first else last
    step = int(match["step"] or 1)
    for number in (first, last):
        if not low <= number <= high:
            _refuse(field, value, f"{number} is out of range")
    if first > last:
        _refuse(field, value, f"{piece!r} runs backwards; write {first}-{high},{low}-{last} to wrap around")
    if not 1 <= step <= high - low + 1:
        _refuse(field, value, f"a step of {step} is not possible")
    return range(first, last + 1, step)


def _number(field: str, value: int | str, text: str) -> int:
    if text.isdecimal():
        return int(text)
    names = _NAMES.get(field, {})
    if text.lower() not in names:
        names_in_words = f", and is none of {', '.join(names)}" if names else ""
        _refuse(field, value, f"{text!r} is not a number{names_in_words}")
    return names[text.lower()]


def _refuse(field: str, value: object, reason: str) -> NoReturn:
    low, high = _RANGES[field]
    raise ConfigurationError(f"crontab({field}={value!r}): {reason}; {field} takes {low} to {high}")
