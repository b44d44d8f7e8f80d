"""From times on the clocks of a place to instants, where those clocks are changed.

A place is a ``tzinfo``, or ``None`` for where this process runs, as :meth:`datetime.datetime.astimezone` has it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError
from huey_core.text import closest

if TYPE_CHECKING:
    from datetime import tzinfo
    from zoneinfo import ZoneInfo

__all__ = ["end_of_gap", "instants_of", "is_steady", "wall_time", "zone_of"]

_SECOND: Final = timedelta(seconds=1)


def zone_of(tz: str | ZoneInfo) -> ZoneInfo:
    """The time zone of a name, such as ``"Europe/Paris"``.

    Raises:
        ConfigurationError: There is none, or this machine has no time zones.
    """
    # What it imports is for those alone who name a time zone.
    import zoneinfo

    if isinstance(tz, zoneinfo.ZoneInfo) and tz.key:
        return tz
    if not isinstance(tz, str):
        raise ConfigurationError(f"a time zone is given by its name, such as 'Europe/Paris', not {tz!r}")
    try:
        return zoneinfo.ZoneInfo(tz)
    except (LookupError, ValueError, OSError):
        known = zoneinfo.available_timezones()
    if not known:
        raise ConfigurationError(
            f"the time zone {tz!r} cannot be looked up, because there are none on this machine; install them with: "
            "pip install tzdata"
        )
    found = closest(tz, known)
    hint = "names are such as 'Europe/Paris' or 'UTC'" if found is None else f"did you mean {found!r}?"
    raise ConfigurationError(f"there is no time zone {tz!r} on this machine; {hint}")


def wall_time(utc: datetime, place: tzinfo | None) -> datetime:
    """What the clocks show at an instant, as a naive time."""
    return utc.astimezone(place).replace(tzinfo=None)


def instants_of(wall: datetime, place: tzinfo | None) -> list[datetime]:
    """The instants at which the clocks show a naive time, in UTC: one, two that are in order, or none."""
    first, second = (_instant(wall, place, fold) for fold in (0, 1))
    if first == second:
        return [first]
    return [first, second] if first < second else []


def end_of_gap(wall: datetime, place: tzinfo | None) -> datetime:
    """The instant at which the clocks are put forward past a naive time that they never show."""
    after, before = (_instant(wall, place, fold) for fold in (0, 1))
    shift_before = wall - after.replace(tzinfo=None)
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if wall_time(middle, place) - middle.replace(tzinfo=None) == shift_before:
            before = middle
        else:
            after = middle
    return after


def is_steady(begin: datetime, length: timedelta, place: tzinfo | None) -> bool:
    """Whether the clocks are not changed from a naive time that they show until so much later, a day at the most."""
    if place is UTC:
        return True
    begins, ends = instants_of(begin, place), instants_of(begin + length, place)
    return len(begins) == len(ends) == 1 and ends[0] - begins[0] == length


def _instant(wall: datetime, place: tzinfo | None, fold: int) -> datetime:
    # By way of its timestamp: Python 3.11's astimezone() takes a local time that the clocks skip by the other fold.
    return datetime.fromtimestamp(wall.replace(tzinfo=place, fold=fold).timestamp(), UTC)
