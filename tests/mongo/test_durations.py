"""Times and durations beyond the year 9999 are taken for the longest that a date can be."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from huey_core.backends.messages import Counts, Message, State
from huey_core.backends.outcomes import Ack, ResultWrite, Retry

MINUTE = 60.0


@pytest.fixture(params=[timedelta.max.total_seconds(), 1e300, math.inf], ids=["timedelta.max", "1e300", "inf"])
def endless(request):
    """More seconds than there are."""
    return request.param


def test_a_message_may_wait_so_long(queue, endless):
    queue.write(b"x", eta=endless)
    (scheduled,) = queue.peek(State.SCHEDULED)
    assert scheduled.due > queue.now() + timedelta(days=365 * 1000).total_seconds()


def test_a_key_may_be_taken_so_long(queue, endless):
    queue.write(b"x", message_id="a", unique_key="k", unique_for=endless)
    assert queue.read() == b"x"
    assert queue.write(b"y", unique_key="k", unique_for=endless).message_id == "a"


def test_a_lease_may_last_so_long(queue, endless):
    queue.write(b"x")
    deliveries = queue.claim(1, endless).deliveries
    assert queue.extend(deliveries, endless) == [True]
    assert queue.claim(1, MINUTE).deliveries == []
    assert queue.settle([Ack(delivery) for delivery in deliveries]) == [True]


def test_a_retry_may_wait_so_long(queue, endless):
    queue.write(b"x")
    (delivery,) = queue.claim(1, MINUTE).deliveries
    assert queue.settle([Retry(delivery, b"again", endless)]) == [True]
    assert queue.claim(1, MINUTE).deliveries == []
    assert queue.counts() == Counts(ready=0, scheduled=1, running=0, dead=0)


def test_a_value_may_be_kept_so_long(store, endless):
    store.put("k", b"v", ttl=endless)
    assert store.put_if_absent("l", b"w", ttl=endless)
    assert [store.get("k"), store.get("l")] == [b"v", b"w"]


def test_a_counter_may_be_kept_so_long(store, endless):
    assert [store.increment("k", ttl=endless), store.increment("k", ttl=endless)] == [1, 2]
    assert store.get("k") == b"2"


def test_a_result_may_be_kept_so_long(queue, store, endless):
    queue.write_many([Message(b"x"), Message(b"y")])
    first, second = queue.claim(2, MINUTE).deliveries
    outcomes = [
        Ack(first, ResultWrite(store, "k", b"v", endless)),
        Ack(second, ResultWrite(store, "l", b"w", endless), (Message(b"next"),)),
    ]
    assert queue.settle(outcomes) == [True, True]
    assert [store.get("k"), store.get("l")] == [b"v", b"w"]


def test_a_follow_up_may_wait_and_its_key_be_taken_so_long(queue, endless):
    queue.write(b"parent")
    (delivery,) = queue.claim(1, MINUTE).deliveries
    follow_ups = (
        Message(b"later", eta=endless),
        Message(b"next", unique_key="k", unique_for=endless),
    )
    assert queue.settle([Ack(delivery, follow_ups=follow_ups)]) == [True]
    assert queue.counts() == Counts(ready=1, scheduled=1, running=0, dead=0)
    assert queue.read() == b"next"


def test_what_is_no_time_is_none_to_wait_for(queue):
    queue.write(b"x", message_id="moved")
    assert queue.reschedule(["moved"], math.nan) == ["moved"]
    assert queue.counts().scheduled == 0
