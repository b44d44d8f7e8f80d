"""What is due of one schedule at a moment, and what of it was missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.crontab import crontab
from huey_core.commands.schedules import ByMinute, due_between
from huey_core.consumer.due_times import LONGEST_CATCH_UP, MOST_MADE_UP, PRESENT, due_now

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


@dataclass
class Listed:
    """Due at times that a test lists, in seconds after noon."""

    seconds: list[float]

    def next_after(self, utc: datetime) -> datetime | None:
        later = [at for each in self.seconds if (at := datetime.fromtimestamp(NOON + each, UTC)) > utc]
        return min(later, default=None)


def after_noon(due: list[float]) -> list[float]:
    return [each - NOON for each in due]


def test_the_latest_due_time_of_the_last_minute_is_dealt_with() -> None:
    schedule = Listed([-90, -30, -10, 5])

    assert after_noon(due_now(schedule, "skip", NOON, None)) == [-10]


def test_what_is_more_than_a_minute_late_is_missed() -> None:
    schedule = Listed([-PRESENT])

    assert due_now(schedule, "skip", NOON, NOON - 3600) == []
    assert after_noon(due_now(schedule, "once", NOON, NOON - 3600)) == [-PRESENT]


def test_what_was_dealt_with_is_not_due_again() -> None:
    schedule = Listed([-10, 10])

    assert due_now(schedule, "all", NOON, NOON - 10) == []


@pytest.mark.parametrize(("missed", "due"), [("skip", [0]), ("once", [-60, 0]), ("all", [-180, -120, -60, 0])])
def test_what_was_missed_is_made_up_for_as_the_policy_says(missed: str, due: list[float]) -> None:
    schedule = Listed([-240, -180, -120, -60, 0])

    assert after_noon(due_now(schedule, missed, NOON, NOON - 240)) == due


def test_nothing_is_missed_before_anybody_has_looked() -> None:
    assert after_noon(due_now(Listed([-240, -180, 0]), "all", NOON, None)) == [0]


def test_what_others_have_dealt_with_is_not_made_up_for() -> None:
    schedule = Listed([-240, -180, -120, 0])

    assert after_noon(due_now(schedule, "all", NOON, None, NOON - 180)) == [-120, 0]
    assert after_noon(due_now(schedule, "all", NOON, NOON - 900, NOON - 180)) == [-120, 0]


def test_no_more_is_made_up_for_than_the_bound_allows() -> None:
    every_second = Listed([float(-number) for number in range(2 * MOST_MADE_UP)])

    due = due_now(every_second, "all", NOON, NOON - 2 * MOST_MADE_UP)

    assert after_noon(due) == [float(number) for number in range(1 - MOST_MADE_UP, 1)]


def test_nothing_is_made_up_for_that_is_older_than_the_bound() -> None:
    schedule = Listed([-LONGEST_CATCH_UP, 1 - LONGEST_CATCH_UP, -3600])

    assert after_noon(due_now(schedule, "all", NOON, NOON - 2 * LONGEST_CATCH_UP)) == [1 - LONGEST_CATCH_UP, -3600]


DAY = 24 * 3600.0


@pytest.mark.parametrize("missed", ["once", "all"])
@pytest.mark.parametrize("days", [1.5, 8, 29])
def test_of_what_is_seldom_due_the_latest_is_made_up_for_after_a_longer_outage(missed: str, days: float) -> None:
    schedule = Listed([-days * DAY - 3600, -days * DAY])

    assert after_noon(due_now(schedule, missed, NOON, None, NOON - 31 * DAY)) == [-days * DAY]


@pytest.mark.parametrize(
    ("missed", "known"), [("skip", -20 * DAY), ("once", -5 * DAY), ("once", -40 * DAY), ("once", None)]
)
@pytest.mark.parametrize("due", [-5 * DAY, -31 * DAY])
def test_what_was_dealt_with_or_is_too_old_is_not(missed: str, known: float | None, due: float) -> None:
    found = due_now(Listed([due]), missed, NOON, None, None if known is None else NOON + known)

    assert found == ([NOON + due] if (known, due) == (-40 * DAY, -5 * DAY) else [])


def test_what_is_seldom_due_and_due_now_is_dealt_with_once() -> None:
    assert after_noon(due_now(Listed([-7 * DAY, 0]), "once", NOON, NOON - 8 * DAY)) == [0]


def test_a_function_is_not_asked_about_more_than_a_day() -> None:
    asked = []
    due_now(ByMinute(lambda at: bool(asked.append(at))), "once", NOON, NOON - 8 * DAY)

    assert len(asked) == 24 * 60


def test_a_function_is_not_asked_about_minutes_that_are_still_to_come() -> None:
    asked = []

    def note(at: datetime) -> bool:
        asked.append(at)
        return False

    due_now(ByMinute(note), "skip", NOON + 90, NOON)

    assert asked == [datetime(2026, 5, 1, 12, 1)]


moments = st.integers(-7200, 7200).map(float)


@given(seconds=st.lists(moments, max_size=30, unique=True), moments=st.lists(moments, min_size=2, max_size=2))
def test_due_times_are_those_of_the_half_open_interval(seconds: list[float], moments: list[float]) -> None:
    after, until = sorted(moments)

    due = list(due_between(Listed(seconds), NOON + after, NOON + until))

    assert after_noon(due) == sorted(each for each in seconds if after < each <= until)


@given(looks=st.lists(st.integers(0, 7200).map(float), unique=True, min_size=1), every=st.integers(1, 7))
def test_whoever_looks_again_and_again_finds_each_due_time_once(looks: list[float], every: int) -> None:
    schedule = crontab(minute=f"*/{every}")
    dealt_with, found = NOON - 1, []
    for look in sorted(looks):
        found += due_now(schedule, "all", NOON + look, dealt_with)
        dealt_with = NOON + look

    assert found == list(due_between(schedule, NOON - 1, dealt_with))


@given(
    seconds=st.lists(st.integers(-7200, 0).map(float), unique=True),
    dealt_with=st.none() | st.integers(-7200, 0).map(float),
    known=st.none() | st.integers(-7200, 7200).map(float),
)
def test_a_stricter_policy_finds_no_more(seconds: list[float], dealt_with: float | None, known: float | None) -> None:
    ends = [None if each is None else NOON + each for each in (dealt_with, known)]

    skip, once, everything = (due_now(Listed(seconds), missed, NOON, *ends) for missed in ("skip", "once", "all"))

    assert set(skip) <= set(once) <= set(everything)
    assert len(skip) <= 1
    assert len(once) <= len(skip) + 1
    assert everything == sorted(set(everything))
