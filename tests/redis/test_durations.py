"""Times beyond what the server counts, and times that are over before they begin."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Bury, ResultWrite, Retry
from huey_redis.durations import LONGEST, milliseconds, time_to_live

MINUTE = 60.0
AGES = (1e16, 1e300, math.inf)


class TestConversion:
    @given(st.floats(allow_nan=False))
    def test_a_time_is_never_shortened_unless_it_is_beyond_all_counting(self, seconds):
        assert -LONGEST <= milliseconds(seconds) <= LONGEST
        assert milliseconds(seconds) >= min(seconds * 1000, LONGEST)

    @given(st.floats(allow_nan=False))
    def test_a_time_to_live_is_over_at_once_only_if_it_is_not_positive(self, seconds):
        assert 0 <= time_to_live(seconds) <= LONGEST
        assert (time_to_live(seconds) == 0) == (seconds <= 0)

    def test_no_time_to_live_is_unlike_any_other(self):
        assert time_to_live(None) < 0


class TestAges:
    @pytest.mark.parametrize("age", AGES)
    def test_a_batch_with_such_a_time_to_live_is_settled_whole(self, queue, store, age):
        queue.write_many([Message(b"x"), Message(b"y"), Message(b"z")])
        first, second, third = queue.claim(3, MINUTE).deliveries

        settled = queue.settle(
            [
                Ack(first, ResultWrite(store, "first", b"1", age)),
                Bury(second, "bad", result=ResultWrite(store, "second", b"2", age)),
                Retry(third, b"again", age),
            ]
        )

        assert settled == [True] * 3
        assert store.peek_many(["first", "second"]) == [b"1", b"2"]
        assert queue.counts().scheduled == 1

    @pytest.mark.parametrize("age", AGES)
    def test_a_value_with_such_a_time_to_live_is_kept(self, store, age):
        store.put("put", b"old", age)
        assert store.put_if_absent("absent", b"1", age)
        assert store.replace_if_equal("put", b"old", b"new", age)
        assert store.increment("counter", ttl=age) == 1
        assert store.peek_many(["put", "absent", "counter"]) == [b"new", b"1", b"1"]

    @pytest.mark.parametrize("age", AGES)
    def test_a_message_with_such_an_eta_waits(self, queue, age):
        queue.write(b"x", eta=age)
        assert queue.claim(1, MINUTE, wait=0.01).deliveries == []
        assert queue.counts().scheduled == 1

    @pytest.mark.parametrize("age", AGES)
    def test_a_unique_key_taken_for_so_long_stays_taken(self, queue, age):
        queue.write(b"x", unique_key="k", unique_for=age)
        assert queue.read() == b"x"
        assert not queue.write(b"y", unique_key="k").created

    @pytest.mark.parametrize("age", AGES)
    def test_so_long_a_lease_can_be_taken_and_renewed(self, queue, age):
        queue.write(b"x")
        (delivery,) = queue.claim(1, age).deliveries
        assert queue.extend([delivery], age) == [True]
        assert queue.claim(1, MINUTE).deliveries == []


@pytest.mark.parametrize("ttl", [0.0, -1.0])
class TestNoTime:
    def test_a_value_is_absent_at_once_and_so_is_what_it_replaces(self, store, ttl):
        store.put("k", b"old")
        store.put("k", b"new", ttl)
        assert store.peek("k") is EmptyData

    def test_a_value_that_was_absent_stays_so(self, store, ttl):
        assert store.put_if_absent("k", b"v", ttl)
        assert store.put_if_absent("k", b"v", ttl)
        assert store.peek("k") is EmptyData

    def test_a_value_that_was_there_is_not_put(self, store, ttl):
        store.put("k", b"old")
        assert not store.put_if_absent("k", b"new", ttl)
        assert store.peek("k") == b"old"

    def test_a_value_is_replaced_by_nothing(self, store, ttl):
        store.put("k", b"old")
        assert store.replace_if_equal("k", b"old", b"new", ttl)
        assert store.peek("k") is EmptyData

    def test_a_counter_tells_its_value_and_is_gone(self, store, ttl):
        assert store.increment("k", 5, ttl) == 5
        assert store.peek("k") is EmptyData

    def test_a_result_is_absent_at_once_and_so_is_what_it_replaces(self, queue, store, ttl):
        store.put("k", b"old")
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert queue.settle([Ack(delivery, ResultWrite(store, "k", b"new", ttl))]) == [True]
        assert store.peek("k") is EmptyData


def test_a_counter_is_exact_as_far_as_the_server_counts(store):
    assert store.increment("k", 2**62) == 2**62
    assert store.increment("k", 2**62 - 1) == 2**63 - 1
