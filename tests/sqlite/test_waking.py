"""Messages that wait for a key: what the file keeps of that, and for how long."""

from __future__ import annotations

import threading

import pytest

from huey_core.backends.outcomes import Ack, Release, Wake
from huey_core.exceptions import Unsupported
from huey_memory import MemoryDataStore

MINUTE = 60.0


@pytest.fixture
def queue(make_queue, clock):
    return make_queue(clock=clock)


@pytest.fixture
def store(make_data_store, clock):
    return make_data_store(clock=clock)


def postpone(queue, wake):
    """Let a message wait for a key, and return its id."""
    name = queue.write(b"x").message_id
    (delivery,) = queue.claim(1, MINUTE).deliveries
    assert queue.settle([Release(delivery, MINUTE, wake)]) == [True]
    return name


def waiting(queue):
    with queue.database.read() as connection:
        return connection.execute("SELECT count(*) FROM message WHERE wake_key IS NOT NULL").fetchone()[0]


def fall_due(queue, clock, store, name):
    clock.advance(MINUTE + 1)
    assert queue.claim(1, MINUTE).deliveries


@pytest.mark.parametrize(
    "end",
    [
        fall_due,
        lambda queue, clock, store, name: queue.requeue([name]),
        lambda queue, clock, store, name: queue.delete([name]),
        lambda queue, clock, store, name: queue.reschedule([name], clock() + 5 * MINUTE),
        lambda queue, clock, store, name: queue.flush(),
        lambda queue, clock, store, name: queue.free(Wake(store, "lock", b"mine")),
    ],
    ids=["due", "requeue", "delete", "reschedule", "flush", "free"],
)
def test_what_waits_no_more_is_not_kept_as_waiting(queue, store, clock, end):
    store.put("lock", b"mine")
    name = postpone(queue, Wake(store, "lock", b"mine"))
    assert waiting(queue) == 1

    end(queue, clock, store, name)

    assert waiting(queue) == 0


def test_a_message_that_waited_once_and_is_postponed_again_waits_for_its_time_alone(queue, store, clock):
    store.put("lock", b"mine")
    postpone(queue, Wake(store, "lock", b"mine"))
    clock.advance(MINUTE + 1)
    (delivery,) = queue.claim(1, MINUTE).deliveries

    queue.settle([Release(delivery, MINUTE)])

    assert queue.free(Wake(store, "lock", b"mine")) == 0


def test_a_wake_for_another_file_is_refused_and_nothing_is_settled(queue, make_data_store, tmp_path):
    queue.write(b"1")
    queue.write(b"2")
    first, second = queue.claim(2, MINUTE).deliveries

    for store in (make_data_store(path=tmp_path / "other.db"), MemoryDataStore("r")):
        wake = Wake(store, "lock", b"mine")
        with pytest.raises(Unsupported, match="own file only"):
            queue.settle([Ack(first), Release(second, MINUTE, wake)])
        with pytest.raises(Unsupported, match="own file only"):
            queue.free(wake)

    assert queue.settle([Ack(first), Ack(second)]) == [True, True]


def test_who_waits_for_the_key_is_told_at_once_that_it_was_freed(make_queue, make_data_store):
    queue, store = make_queue(), make_data_store(poll_interval=5 * MINUTE)
    store.put("lock", b"mine")
    told = threading.Event()
    store.watch("lock", told.set)
    assert told.wait(60), "the first look tells"
    told.clear()

    queue.free(Wake(store, "lock", b"mine"))

    assert told.wait(60)
