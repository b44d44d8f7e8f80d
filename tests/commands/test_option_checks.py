"""The checks that core and plugins make options of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.option_checks import MAX_SECONDS, flag, number, optional, seconds, whole_number
from huey_core.exceptions import ConfigurationError

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def outcome(check, value):
    """What a check returns, or the exception that it raises."""
    try:
        return check("size", value)
    except ConfigurationError as error:
        return error


@given(anything)
def test_a_number_is_taken_between_its_bounds_alone(value):
    found = outcome(number(-1, 10), value)

    if is_number(value) and -1 <= value <= 10:
        assert (found, type(found)) == (value, float)
    else:
        assert isinstance(found, ConfigurationError)


@given(anything)
def test_a_whole_number_is_taken_between_its_bounds_alone(value):
    found = outcome(whole_number(0, 10), value)

    if is_number(value) and isinstance(value, int) and 0 <= value <= 10:
        assert (found, type(found)) == (value, int)
    else:
        assert isinstance(found, ConfigurationError)


def test_a_whole_number_may_be_without_an_upper_bound():
    assert whole_number(0)("size", 10**30) == 10**30


@given(st.timedeltas(timedelta(), timedelta(seconds=MAX_SECONDS)))
def test_a_timedelta_is_its_seconds(value):
    assert seconds("size", value) == value.total_seconds()


@given(anything)
def test_what_is_optional_may_be_none_or_what_its_check_takes(value):
    found, inner = outcome(optional(flag), value), outcome(flag, value)

    if value is None:
        assert found is None
    else:
        assert (type(found), str(found)) == (type(inner), str(inner))


@pytest.mark.parametrize("check", [flag, seconds, number(1), whole_number(1)])
def test_what_is_refused_is_told_with_the_name_of_the_option(check):
    with pytest.raises(ConfigurationError, match="size"):
        check("size", "much")
