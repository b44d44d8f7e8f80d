"""How many messages a consumer holds ahead of its workers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from huey_core.consumer.policy import POLICY
from huey_core.consumer.prefetch import Prefetch


def observed(*durations: float, workers: int = 4, limit: int = 1000) -> Prefetch:
    ahead = Prefetch(workers, limit, POLICY)
    for duration in durations:
        ahead.observe(duration)
    return ahead


def test_nothing_is_held_ahead_before_anything_is_known():
    assert observed().target() == 0


def test_quick_commands_are_held_ahead_for_a_moment_of_work():
    assert observed(0.001, workers=4).target() == int(4 * POLICY.horizon / 0.001)


def test_no_more_than_the_limit_is_held_ahead():
    assert observed(1e-9, limit=1000).target() == 1000


def test_slow_commands_are_not_held_ahead():
    assert observed(5.0, workers=4).target() == 0


def test_one_slow_command_is_enough_to_hold_less():
    quick = observed(*[0.001] * 100)
    before = quick.target()

    quick.observe(2.0)

    assert quick.target() == 0 < before


def test_quick_commands_win_trust_again_little_by_little():
    ahead = observed(2.0)

    for _ in range(200):
        ahead.observe(0.001)

    assert ahead.target() > 100


def test_nothing_is_held_ahead_behind_a_command_that_runs_long():
    assert observed(0.001).target(longest_running=1.0) == 0


@given(st.lists(st.floats(0, 1e6)), st.integers(1, 64), st.integers(0, 5000))
def test_the_target_is_never_negative_nor_above_the_limit(durations, workers, limit):
    assert 0 <= observed(*durations, workers=workers, limit=limit).target() <= limit


def test_no_more_is_held_ahead_than_fits_into_memory():
    ahead = Prefetch(workers=4, limit=1000, policy=POLICY)
    ahead.observe(0.0001)
    ahead.weigh(2 * 2**20)

    assert ahead.target() == 8


def test_large_messages_are_forgotten_over_some_claims_of_small_ones():
    ahead = Prefetch(workers=4, limit=1000, policy=POLICY)
    ahead.observe(0.0001)
    ahead.weigh(2 * 2**20)

    for _ in range(10):
        ahead.weigh(100)

    assert ahead.target() == 1000
