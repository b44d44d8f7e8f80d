"""``crontab(tz=...)``: what is due where clocks are changed, compared with a look at every minute."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import crontab

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ZONES = [
    "Africa/Cairo",  # at midnight
    "Africa/Casablanca",  # back in Ramadan
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",  # until 2006 at a minute past midnight
    "Antarctica/Troll",  # by two hours
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # by half an hour
    "Europe/Dublin",
    "Europe/Paris",
    "Pacific/Apia",  # where a day was left out
    "UTC",
]


@cache
def changes(zone: str) -> list[datetime]:
    """When the clocks of a zone are changed, to the hour before."""
    hours = [datetime(1995, 1, 1, tzinfo=UTC) + day * DAY for day in range(35 * 365)]
    place = ZoneInfo(zone)
    offsets = [hour.astimezone(place).utcoffset() for hour in hours]
    return [hour for hour, before, after in zip(hours, offsets, offsets[1:], strict=False) if before != after]


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Moments of which half are about a change of the clocks."""
    some_time = st.datetimes(datetime(1995, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))
    if not changes(zone) or draw(st.booleans()):
        return draw(some_time)
    minutes = draw(st.integers(-26 * 60, 50 * 60))
    return draw(st.sampled_from(changes(zone))) + minutes * MINUTE


def minutes_after(utc: datetime) -> list[datetime]:
    first = utc.replace(second=0, microsecond=0) + MINUTE
    return [first + number * MINUTE for number in range(4 * 24 * 60)]


def found_by_looking(schedule: crontab, utc: datetime, zone: str, goes_on: bool) -> datetime:
    """The next due time, found by looking at the clocks in every minute."""
    place = ZoneInfo(zone)
    for minute in minutes_after(utc):
        shown = minute.astimezone(place)
        wall = shown.replace(tzinfo=None, fold=0)
        if goes_on:
            if schedule(wall):
                return minute
            continue
        if schedule(wall) and not shown.fold:
            return minute
        skipped = (minute - MINUTE).astimezone(place).replace(tzinfo=None) + MINUTE
        while skipped < wall:
            if schedule(skipped):
                return minute
            skipped += MINUTE
    raise AssertionError("nothing is due in the next days")


hours = st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True).map(lambda few: ",".join(map(str, few)))
few_minutes = st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True).map(lambda few: ",".join(map(str, few)))


@pytest.mark.parametrize("zone", ZONES)
@given(data=st.data(), hour=hours, minute=few_minutes)
def test_fixed_times_are_due_once_where_clocks_are_changed(zone, data, hour: str, minute: str) -> None:
    utc = data.draw(moments(zone))
    schedule = crontab(hour=hour, minute=minute, tz=zone)

    assert schedule.next_after(utc) == found_by_looking(schedule, utc, zone, goes_on=False)


@pytest.mark.parametrize("zone", ZONES)
@given(data=st.data(), hour=hours | st.sampled_from(["*", "*/5"]), minute=st.sampled_from(["*", "*/7", "0,*/45"]))
def test_what_goes_on_is_due_by_what_the_clocks_show(zone, data, hour: str, minute: str) -> None:
    utc = data.draw(moments(zone))
    schedule = crontab(hour=hour, minute=minute, tz=zone)

    assert schedule.next_after(utc) == found_by_looking(schedule, utc, zone, goes_on=True)


def due(schedule: crontab, begin: datetime, end: datetime) -> list[str]:
    """The due times between two instants, as clocks in UTC show them."""
    found, at = [], schedule.next_after(begin - MINUTE)
    while at is not None and at < end:
        found.append(f"{at:%d %H:%M}")
        at = schedule.next_after(at)
    return found


SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
"""Days on which the clocks of Paris are changed, at 01:00 UTC."""


class TestWhereAnHourIsSkipped:
    def test_a_fixed_time_in_it_is_due_at_the_change(self) -> None:
        schedule = crontab(hour=2, minute=30, tz="Europe/Paris")

        assert due(schedule, SPRING - DAY, SPRING + 2 * DAY) == ["28 01:30", "29 01:00", "30 00:30"]

    def test_several_fixed_times_in_it_are_one(self) -> None:
        schedule = crontab(hour="2,3", minute="0,30", tz="Europe/Paris")

        assert due(schedule, SPRING, SPRING + 3 * HOUR) == ["29 01:00", "29 01:30"]

    def test_an_interval_goes_on(self) -> None:
        schedule = crontab(minute="*/30", tz="Europe/Paris")

        assert due(schedule, SPRING, SPRING + 2 * HOUR) == ["29 00:00", "29 00:30", "29 01:00", "29 01:30"]

    def test_the_minutes_of_an_hour_that_is_skipped_are_not_due(self) -> None:
        assert due(crontab(hour=2, minute="*", tz="Europe/Paris"), SPRING, SPRING + DAY) == []


class TestWhereAnHourComesTwice:
    def test_a_fixed_time_in_it_is_due_the_first_time(self) -> None:
        schedule = crontab(hour=2, minute=30, tz="Europe/Paris")

        assert due(schedule, AUTUMN - DAY, AUTUMN + 2 * DAY) == ["24 00:30", "25 00:30", "26 01:30"]

    def test_an_interval_goes_on(self) -> None:
        schedule = crontab(minute=0, tz="Europe/Paris")

        assert due(schedule, AUTUMN, AUTUMN + 3 * HOUR) == ["25 00:00", "25 01:00", "25 02:00"]


@pytest.fixture
def in_paris(monkeypatch):
    """Let this process be in Paris."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("hour", "minute"), [("2", "30"), ("*", "*/20"), ("2,3", "0"), ("3", "*/20")])
@pytest.mark.parametrize("day", [SPRING, AUTUMN, AUTUMN + 30 * DAY])
def test_local_time_is_that_of_this_process(in_paris, hour, minute, day) -> None:
    local = crontab(hour=hour, minute=minute).by_local_time()
    zoned = crontab(hour=hour, minute=minute, tz="Europe/Paris")

    assert due(local, day - DAY, day + 2 * DAY) == due(zoned, day - DAY, day + 2 * DAY)


def test_a_time_zone_goes_before_local_time(in_paris) -> None:
    schedule = crontab(hour=9, minute=0, tz="Asia/Tokyo")

    assert due(schedule.by_local_time(), SPRING, SPRING + DAY) == ["29 00:00"]
