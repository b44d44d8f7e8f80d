"""Schedules as a task store keeps them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import crontab, every
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.schedules.stored import read_schedule, stored_form


def fields(low, high):
    """What a field of crontab() may be."""
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(1, high - low + 1).map(lambda step: f"*/{step}")
    return st.one_of(st.just("*"), number, st.lists(st.one_of(number.map(str), span, step), min_size=1).map(",".join))


crontabs = st.builds(
    crontab,
    month=fields(1, 12),
    day=fields(1, 28),
    day_of_week=fields(0, 7),
    hour=fields(0, 23),
    minute=fields(0, 59),
    tz=st.none() | st.sampled_from(["Europe/Paris", "America/Lord_Howe", "UTC"]),
)
lines = st.builds(
    lambda fields, tz: crontab.parse(" ".join(map(str, fields)), tz=tz),
    st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 7)),
    st.none() | st.just("Europe/Paris"),
)


periods = st.timedeltas(timedelta(seconds=1), timedelta(days=36525)).map(every)


@given(crontabs | lines | periods)
def test_a_schedule_is_the_same_after_it_was_kept(schedule):
    assert read_schedule(json.loads(json.dumps(stored_form(schedule)))) == schedule


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


fields_of_crontab = st.dictionaries(st.sampled_from(["minute", "hour", "line", "tz"]), json_values)


@given(json_values | st.dictionaries(st.sampled_from(["crontab", "every"]), json_values | fields_of_crontab))
def test_whatever_is_stored_is_a_schedule_or_refused(stored):
    try:
        schedule = read_schedule(stored)
    except ConfigurationError:
        return
    assert read_schedule(stored_form(schedule)) == schedule


@pytest.mark.parametrize("schedule", [lambda when: True, None, object()])
def test_what_only_one_process_has_is_refused(schedule):
    with pytest.raises(ConfigurationError, match="kept in the task store"):
        stored_form(schedule)


@pytest.mark.parametrize(
    ("schedule", "written"),
    [
        ("* * * * *", r"crontab\.parse\('\* \* \* \* \*'\)"),
        (30, r"every\(30\)"),
        (timedelta(seconds=30), r"every\(.*30\)\)"),
    ],
)
def test_what_stands_for_a_schedule_elsewhere_is_refused_with_the_way_to_write_it(schedule, written):
    with pytest.raises(ConfigurationError, match=written):
        stored_form(schedule)
