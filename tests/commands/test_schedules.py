"""Schedules: what is one, and what is asked of it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.crontab import crontab
from huey_core.commands.schedules import ByMinute, Every, Schedule, by_local_time, due_between, every, next_due
from huey_core.exceptions import ConfigurationError

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Answers:
    """Answers with what a test says."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def next_after(self, utc: datetime) -> Any:
        return self.answer


def test_whatever_has_next_after_is_a_schedule() -> None:
    assert isinstance(Answers(None), Schedule)
    assert isinstance(crontab(), Schedule)
    assert not isinstance(lambda at: True, Schedule)


def test_a_function_is_due_in_the_minutes_for_which_it_says_so() -> None:
    half_past = ByMinute(lambda at: at.minute == 30)

    assert half_past.next_after(NOON) == NOON + HOUR / 2
    assert half_past.next_after(NOON + HOUR / 2) == NOON + 3 * HOUR / 2


def test_a_function_is_asked_a_day_ahead_at_the_most() -> None:
    asked: list[datetime] = []

    assert ByMinute(lambda at: bool(asked.append(at))).next_after(NOON) is None
    assert asked[-1] == NOON.replace(tzinfo=None) + 24 * HOUR
    assert len(asked) == 24 * 60


def test_a_function_is_due_at_minutes_although_it_is_looked_at_between_them() -> None:
    assert ByMinute(lambda at: True).next_after(NOON + timedelta(seconds=30.5)) == NOON + timedelta(minutes=1)


@pytest.mark.parametrize("answer", [NOON, NOON - HOUR, (NOON + HOUR).replace(tzinfo=None), 12.5, "noon"])
def test_an_answer_that_is_no_later_time_is_refused(answer: object) -> None:
    schedule = Answers(answer)

    with pytest.raises(ValueError, match=r"must answer with an aware time that is later than 2026-05-01 12:00"):
        list(due_between(schedule, NOON.timestamp(), NOON.timestamp() + 60))
    with pytest.raises(ValueError, match="must answer with"):
        next_due(schedule, NOON.timestamp())


def test_a_schedule_that_has_ended_is_not_due_again() -> None:
    assert next_due(Answers(None), NOON.timestamp()) is None
    assert list(due_between(Answers(None), 0, NOON.timestamp())) == []


def test_what_comes_within_a_second_after_another_due_time_is_left_out() -> None:
    class TenTimesASecond:
        def next_after(self, utc: datetime) -> datetime:
            return utc + timedelta(seconds=0.1)

    due = list(due_between(TenTimesASecond(), NOON.timestamp(), NOON.timestamp() + 10))

    assert len(due) == 10
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(due))


def test_only_a_schedule_that_goes_by_its_consumers_time_is_changed_for_local_time() -> None:
    own = Answers(None)
    by_minute = ByMinute(bool)

    assert by_local_time(own) is own
    assert by_local_time(by_minute) == ByMinute(bool, local=True)
    assert by_local_time(crontab()) == crontab().by_local_time() != crontab()


@pytest.mark.parametrize(
    ("made", "period"),
    [
        (every(30), 30),
        (every(1.5), 1.5),
        (every(timedelta(minutes=2)), 120),
        (every(seconds=30), 30),
        (every(hours=1, minutes=30), 5400),
        (every(minutes=0, seconds=1), 1),
    ],
)
def test_a_period_is_given_as_a_duration_or_in_parts(made: Every, period: float) -> None:
    assert made.period.total_seconds() == period


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "takes a period, as in every"),
        ({"period": 30, "seconds": 30}, "takes a period, as in every"),
        ({"seconds": 0.5}, r"the period of every\(\) must be a number of seconds or a timedelta of at least 1 "),
        ({"period": timedelta()}, "of at least 1 "),
        ({"seconds": -30, "minutes": 1}, "seconds must be"),
        ({"seconds": "30"}, "seconds must be"),
        ({"seconds": True}, "seconds must be"),
        ({"period": float("nan")}, "of at least 1 "),
        ({"hours": 10**9}, "at most"),
    ],
    ids=str,
)
def test_a_period_that_cannot_be_used_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        every(**given)


def test_a_period_that_divides_a_day_is_due_at_the_same_times_of_each() -> None:
    assert every(hours=8).next_after(NOON) == NOON + 4 * HOUR
    assert every(hours=8).next_after(NOON + 4 * HOUR) == NOON + 12 * HOUR


def test_a_period_is_shown_as_it_can_be_written() -> None:
    assert repr(every(minutes=1, seconds=0.5)) == "every(seconds=60.5)"
    assert every(60) == every(minutes=1) != every(61)


@given(
    period=st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
    after=st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_it_is_due_at_the_next_multiple_of_the_period_since_the_epoch(period: timedelta, after: datetime) -> None:
    due = every(period).next_after(after)

    assert after < due <= after + period
    assert (due - datetime(1970, 1, 1, tzinfo=UTC)) % period == timedelta()
