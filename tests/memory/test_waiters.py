"""Who waits for a key is known only for as long as it waits."""

from __future__ import annotations

import pytest

from huey_core.backends import Message, Release, State, Wake
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

LEAVES = {
    "freed": lambda queue, wake: queue.free(wake),
    "fallen due": lambda queue, wake: (queue.space.clock.advance(61), queue.claim(1, 60.0)),
    "requeued": lambda queue, wake: queue.requeue(["x"]),
    "rescheduled": lambda queue, wake: queue.reschedule(["x"], queue.now() + 10),
    "deleted": lambda queue, wake: queue.delete(["x"]),
    "flushed": lambda queue, wake: queue.flush(),
}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def queue(clock):
    return MemoryQueue("queue", clock=clock)


@pytest.fixture
def wake(clock):
    store = MemoryDataStore("store", clock=clock)
    store.put("lock", b"held")
    return Wake(store, "lock", b"held")


def wait_for(queue, wake, *ids):
    queue.write_many([Message(b"x", message_id) for message_id in ids])
    queue.settle([Release(delivery, 60.0, wake) for delivery in queue.claim(len(ids), 60.0).deliveries])


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
def test_nothing_is_left_of_who_waits_no_more(queue, wake, leave):
    wait_for(queue, wake, "x")
    assert len(queue._messages._waiting) == 1

    leave(queue, wake)

    assert queue._messages._waiting == {}


def test_who_does_not_wait_for_a_key_is_in_no_list(queue):
    queue.write(b"x")
    queue.settle([Release(queue.claim(1, 60.0).deliveries[0], 60.0)])

    assert queue.counts().scheduled == len(queue.peek(State.SCHEDULED)) == 1
    assert queue._messages._waiting == {}
