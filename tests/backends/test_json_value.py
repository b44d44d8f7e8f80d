"""A value that many change at once loses no change, and is never overwritten when it cannot be read."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from huey_core.backends.base import EmptyData
from huey_core.backends.json_value import JSONValue
from huey_core.exceptions import DataStoreGetException, DataStorePutException
from huey_memory import ManualClock, MemoryDataStore
from json_changes import STEPS_OF_EACH, change_together

_spaces = itertools.count(1)


def new_store(**settings):
    return MemoryDataStore("state", space=f"json-value-{next(_spaces)}", **settings)


@pytest.fixture
def store():
    return new_store()


@given(STEPS_OF_EACH)
def test_changes_of_several_threads_lose_nothing(steps_of_each):
    store = new_store()

    expected = change_together(store, steps_of_each)

    assert JSONValue(store, "counters", {}).read() == expected


def test_a_change_returns_the_value_before(store):
    value = JSONValue(store, "latest", "")

    assert (value.change(lambda _: "a"), value.change(lambda _: "b"), value.read()) == ("", "a", "b")


def test_a_change_that_changes_nothing_writes_nothing(store):
    JSONValue(store, "k", {}).change(lambda before: before)

    assert store.peek("k") is EmptyData


def test_a_value_is_kept_for_as_long_as_its_change_says():
    clock = ManualClock()
    store = new_store(clock=clock)
    value = JSONValue(store, "k", {})
    for seconds in (10, 20):
        value.change(lambda _, seconds=seconds: {"s": seconds}, ttl=lambda after: after["s"])

    clock.advance(19)
    assert value.read() == {"s": 20}
    clock.advance(2)
    assert value.read() == {}


UNREADABLE = pytest.mark.parametrize("stored", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])


@UNREADABLE
def test_what_cannot_be_read_is_an_error_and_stays(store, stored):
    store.put("k", stored)
    value = JSONValue(store, "k", {})

    for use in (value.read, lambda: value.change(lambda _: {"a": 1})):
        with pytest.raises(DataStoreGetException, match=r"the value 'k' in .* cannot be read"):
            use()
    assert store.peek("k") == stored


@UNREADABLE
def test_an_expendable_value_that_cannot_be_read_is_replaced(store, stored):
    store.put("k", stored)
    value = JSONValue(store, "k", {}, expendable=True)

    assert value.read() == {}
    value.change(lambda before: {**before, "a": 1})

    assert value.read() == {"a": 1}


def test_a_change_that_others_prevent_each_time_is_an_error(store):
    value = JSONValue(store, "k", {}, pauses=[0.0] * 3)
    others = itertools.count()

    def change(before):
        store.put("k", b'{"other": %d}' % next(others))
        return {**before, "own": 1}

    with pytest.raises(DataStorePutException, match=r"'k' .* was changed by others during each of 3 tries"):
        value.change(change)
