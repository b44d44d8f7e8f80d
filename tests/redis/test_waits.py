"""Messages that wait for a key of a data store on Redis: who is woken, and that nothing is kept of the others."""

from __future__ import annotations

import pytest

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Release, Wake
from huey_core.exceptions import Unsupported
from huey_redis import RedisDataStore

MINUTE = 60.0


@pytest.fixture
def held(store):
    """A key of the store that has a value."""
    store.put("lock", b"held")
    return Wake(store, "lock", b"held")


@pytest.fixture
def wait_for(queue):
    """Write a message, claim it and let it wait for a key; return its id."""

    def wait_for(wake, delay=MINUTE, **message):
        message_id = queue.write(b"x", **message).message_id
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert delivery.message_id == message_id
        assert queue.settle([Release(delivery, delay, wake)]) == [True]
        return message_id

    return wait_for


@pytest.fixture
def waits(admin, queue):
    """What is kept of those who wait."""
    return lambda: admin("ZRANGE", f"huey:{{{queue.name}}}:waits", 0, -1)


@pytest.fixture(params=["falls due", "requeued", "deleted", "rescheduled", "flushed", "freed"])
def end_wait(request, queue, held, eventually):
    def end_wait(message_id):
        match request.param:
            case "falls due":
                eventually(lambda: queue.claim(1, MINUTE).deliveries)
            case "requeued":
                assert queue.requeue([message_id]) == [message_id]
            case "deleted":
                assert queue.delete([message_id]) == [message_id]
            case "rescheduled":
                assert queue.reschedule([message_id], queue.now() + MINUTE) == [message_id]
            case "flushed":
                queue.flush()
            case "freed":
                assert queue.free(held) == 1

    return end_wait


def test_nothing_is_kept_of_a_message_that_does_not_wait_any_more(queue, held, wait_for, waits, end_wait):
    message_id = wait_for(held, delay=0.05)
    assert len(waits()) == 1
    end_wait(message_id)
    assert waits() == []


def test_a_message_that_does_not_wait_any_more_is_not_woken(queue, store, held, wait_for, end_wait):
    end_wait(wait_for(held, delay=0.05))
    before = queue.counts()
    store.put("lock", b"held")
    assert queue.free(held) == 0
    assert queue.counts() == before


def test_who_runs_is_not_woken_though_the_server_has_lost_that_he_waited(queue, admin, held, wait_for, eventually):
    message_id = wait_for(held, delay=0.05)
    admin("HDEL", f"huey:{{{queue.name}}}:run", message_id)
    eventually(lambda: queue.claim(1, MINUTE).deliveries)
    assert queue.free(held) == 0
    assert [message.message_id for message in queue.peek(State.RUNNING)] == [message_id]


def test_a_message_of_ordinary_delay_is_in_no_index(queue, waits):
    queue.write(b"later", eta=queue.now() + MINUTE)
    queue.write(b"x")
    queue.settle([Release(queue.claim(1, MINUTE).deliveries[0], MINUTE)])
    assert waits() == []


def test_the_first_by_priority_and_then_by_place_are_woken(queue, held, wait_for):
    ids = [wait_for(held, priority=priority) for priority in (0, -1000, 1000, 0, 7, -7)]
    assert queue.free(held, limit=4) == 4
    assert [message.message_id for message in queue.peek(State.READY)] == [ids[2], ids[4], ids[0], ids[3]]


def test_more_are_woken_than_one_portion_has(queue, held):
    queue.write_many([Message(b"%d" % number) for number in range(350)])
    deliveries = queue.claim(350, MINUTE).deliveries
    queue.settle([Release(delivery, MINUTE, held) for delivery in deliveries])
    assert queue.free(held, limit=320) == 320
    assert {message.data for message in queue.peek(State.SCHEDULED)} == {b"%d" % number for number in range(320, 350)}


@pytest.mark.parametrize("key", ["", "lo", "lock", "lock2", "lock:", "lock\0", "lock\x7f", "\N{PARTY POPPER}", "{a}%"])
def test_only_those_of_the_key_are_woken_whatever_it_is_called(queue, store, wait_for, key):
    store.put(key, b"v")
    store.put("lock1", b"v")
    message_id = wait_for(Wake(store, key, b"v"))
    wait_for(Wake(store, "lock1", b"v"))
    assert queue.free(Wake(store, key, b"v"), limit=10) == 1
    assert [message.message_id for message in queue.peek(State.READY)] == [message_id]


def test_a_waiting_message_is_shown_with_its_priority_and_attempt(queue, held, wait_for):
    message_id = wait_for(held, priority=7)
    (shown,) = queue.find([message_id])
    assert (shown.state, shown.priority, shown.attempt) == (State.SCHEDULED, 7, 0)


def test_a_message_keeps_its_count_of_deliveries_when_it_is_woken(queue, held, eventually):
    queue.write(b"x")
    queue.claim(1, 0.001)
    (second,) = eventually(lambda: queue.claim(1, MINUTE).deliveries)
    queue.settle([Release(second, MINUTE, held)])
    queue.free(held)
    assert queue.claim(1, MINUTE).deliveries[0].attempt == 2


def test_a_new_value_takes_the_place_of_the_old_one(queue, store, held):
    assert queue.free(held, b"", ttl=MINUTE) == 0
    assert store.peek("lock") == b""


def test_a_new_value_of_no_time_to_live_removes_the_key(queue, store, held):
    assert queue.free(held, b"new", ttl=0) == 0
    assert store.peek("lock") is EmptyData


def test_a_key_of_another_database_cannot_be_waited_for(queue, server):
    elsewhere = RedisDataStore("store", host="127.0.0.1", port=server.port, db=1)
    wake = Wake(elsewhere, "lock", b"held")
    queue.write(b"x")
    (delivery,) = queue.claim(1, MINUTE).deliveries
    with pytest.raises(Unsupported):
        queue.settle([Release(delivery, MINUTE, wake)])
    with pytest.raises(Unsupported):
        queue.free(wake)
    assert queue.counts().running == 1
    elsewhere.close()


@pytest.mark.parametrize(
    "make_ready",
    [lambda queue, held, _: queue.free(held), lambda queue, _, name: queue.reschedule([name], 0.0)],
    ids=["free", "reschedule"],
)
def test_the_bell_rings_for_who_need_not_wait_any_more(queue, admin, held, wait_for, make_ready):
    message_id = wait_for(held)
    bell = f"huey:{{{queue.name}}}:bell"
    admin("DEL", bell)
    make_ready(queue, held, message_id)
    assert admin("LLEN", bell) == 1
