"""The time limit of a caller, beside calls that have none of their own."""

from __future__ import annotations

from huey_core.backends.deadline import time_left, time_limit


def test_without_a_limit_a_call_may_wait_as_long_as_it_likes():
    assert (time_left(5.0), time_left(None)) == (5.0, None)


def test_within_a_limit_a_call_waits_no_longer_than_that():
    with time_limit(100.0):
        assert 0 < time_left(None) <= 100.0
        assert time_left(5.0) == 5.0
    assert time_left(None) is None


def test_a_limit_that_is_over_leaves_time_for_an_answer():
    with time_limit(0.0):
        assert 0 < time_left(30.0) <= 1.0
