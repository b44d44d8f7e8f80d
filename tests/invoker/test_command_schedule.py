"""The schedule for queues that cannot keep a message until it is due."""

from __future__ import annotations

import pytest

from huey_core.exceptions import ConfigurationError
from huey_core.invoker.command_schedule import CommandSchedule
from huey_memory import ManualClock, MemoryDataStore
from plain_backend import PlainStore


@pytest.fixture(params=["none", "plain", "locking"])
def store(request):
    return {"none": None, "plain": PlainStore(), "locking": MemoryDataStore("s", clock=ManualClock())}[request.param]


def test_messages_come_out_when_they_are_due_the_earliest_first(store):
    schedule = CommandSchedule(store)
    schedule.add("b", 20.0, b"B")
    schedule.add("a", 10.0, b"A")
    schedule.add("c", 30.0, b"C")

    assert schedule.take_due(20.0) == [("a", b"A"), ("b", b"B")]
    assert schedule.take_due(20.0) == []
    assert schedule.next_due() == 30.0


def test_a_message_can_be_removed(store):
    schedule = CommandSchedule(store)
    schedule.add("a", 10.0, b"A")

    assert schedule.remove("a")
    assert not schedule.remove("a")
    assert len(schedule) == 0


def test_an_empty_schedule_is_never_due(store):
    assert CommandSchedule(store).next_due() is None


def test_a_schedule_of_an_invoker_is_refused(invoker):
    with pytest.raises(ConfigurationError, match="store must be BaseDataStore, not <Invoker"):
        CommandSchedule(invoker)


@pytest.mark.parametrize("store", [PlainStore(), MemoryDataStore("s", clock=ManualClock())], ids=["plain", "locking"])
def test_a_schedule_survives_the_consumer(store):
    CommandSchedule(store).add("a", 10.0, b"\x00A")

    after_restart = CommandSchedule(store)

    assert after_restart.take_due(10.0) == [("a", b"\x00A")]


def test_two_consumers_share_a_schedule_in_a_store_with_locks():
    store = MemoryDataStore("s", clock=ManualClock())
    one, other = CommandSchedule(store), CommandSchedule(store)

    one.add("a", 10.0, b"A")
    other.add("b", 10.0, b"B")

    assert sorted(one.take_due(10.0)) == [("a", b"A"), ("b", b"B")]
    assert other.take_due(10.0) == []


@pytest.mark.parametrize("change", [lambda one: one.add("b", 20.0, b"B"), lambda one: one.take_due(10.0)])
def test_a_change_that_could_not_be_stored_has_not_happened(change):
    class FailingStore(PlainStore):
        def put(self, key, value):
            raise ConnectionError("the cable is out")

    store = PlainStore()
    CommandSchedule(store).add("a", 10.0, b"A")
    schedule = CommandSchedule(store)
    store.__class__ = FailingStore

    with pytest.raises(ConnectionError):
        change(schedule)

    assert len(schedule) == 1
    assert schedule.next_due() == 10.0
