"""The containers of huey-memory order exactly, forget in time, and do not pile up what is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from huey_memory._collections import ExpiringDict, Shelf

NAMES = st.sampled_from("abcdef")
KEYS = st.tuples(st.integers(-3, 3).map(float), st.integers(0, 3))


@given(st.lists(st.tuples(NAMES, st.none() | KEYS), max_size=60))
def test_a_shelf_is_ordered_like_a_sorted_dictionary(steps):
    shelf = Shelf()
    model = {}
    for name, key in steps:
        if key is None:
            shelf.discard(name)
            model.pop(name, None)
        else:
            shelf.add(name, key)
            model[name] = key
        expected = sorted((key, name) for name, key in model.items())
        assert shelf.first() == (expected[0] if expected else None)
        assert shelf.smallest(3) == [name for _, name in expected[:3]]
        assert len(shelf) == len(model)


def test_a_name_that_moves_again_and_again_takes_no_more_room():
    shelf = Shelf()
    for number in range(10_000):
        shelf.add("name", (float(number), 0))
    assert len(shelf._heap) < 100
    assert shelf.first() == ((9999.0, 0), "name")


def test_values_are_there_until_their_time_and_not_at_it():
    values: ExpiringDict[bytes] = ExpiringDict()
    values.set("key", b"v", now=100.0, until=110.0)
    assert values.get("key", now=109.9) == b"v"
    assert values.get("key", now=110.0) is None


def test_expired_values_that_nobody_asks_for_are_dropped_by_later_writes():
    values: ExpiringDict[bytes] = ExpiringDict()
    for number in range(1000):
        values.set(f"old {number}", b"v", now=0.0, until=1.0)
    for number in range(100):
        values.set(f"new {number}", b"v", now=2.0)
    assert len(values) == 100


def test_one_write_drops_a_bounded_portion():
    values: ExpiringDict[bytes] = ExpiringDict()
    for number in range(1000):
        values.set(f"old {number}", b"v", now=0.0, until=1.0)
    values.set("new", b"v", now=2.0)
    assert len(values) == 1001 - ExpiringDict.portion


def test_a_value_that_was_given_a_later_time_is_kept():
    values: ExpiringDict[bytes] = ExpiringDict()
    values.set("key", b"old", now=0.0, until=1.0)
    values.set("key", b"new", now=0.0, until=10.0)
    values.set("other", b"v", now=5.0)
    assert values.get("key", now=5.0) == b"new"


def test_all_that_is_there_is_listed_and_nothing_dropped():
    values: ExpiringDict[bytes] = ExpiringDict()
    values.set("kept", b"1", now=100.0)
    values.set("ended", b"2", now=100.0, until=110.0)
    values.set("there", b"3", now=100.0, until=110.5)
    assert list(values.items(110.0)) == [("kept", b"1"), ("there", b"3")]
    assert len(values) == 3
