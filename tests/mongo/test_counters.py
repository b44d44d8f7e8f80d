"""Several counters are added to in one update, and each is exact although others change them meanwhile."""

from __future__ import annotations

import pytest

from mongo_writes import BetweenWrites

BEFORE_THE_UPDATE = 0


@pytest.mark.parametrize(
    ("happens", "value"),
    [
        (lambda store: store.increment("a", 10), 16),
        (lambda store: store.delete("a"), 1),
        (lambda store: store.flush(), 1),
        (lambda store: store.put("a", b"7"), 8),
    ],
    ids=["added to", "deleted", "flushed", "replaced"],
)
def test_a_counter_that_is_changed_meanwhile_is_added_to_as_it_is_then(store, monkeypatch, happens, value):
    store.increment("a", 5)
    BetweenWrites(monkeypatch, BEFORE_THE_UPDATE, lambda: happens(store))
    assert store.increment_many({"a": 1, "b": 1}) == {"a": value, "b": 1}
    assert store.peek_many(["a", "b"]) == [b"%d" % value, b"1"]


def test_a_counter_that_is_begun_meanwhile_is_added_to(store, monkeypatch):
    BetweenWrites(monkeypatch, BEFORE_THE_UPDATE, lambda: store.increment("a", 5))
    assert store.increment_many({"a": 1}) == {"a": 6}


def test_counters_that_nobody_else_changes_take_one_write(store, monkeypatch):
    amounts = {f"counter {number}": number for number in range(100)}
    store.increment_many(dict.fromkeys(list(amounts)[:50], 0))
    second = BetweenWrites(monkeypatch, 2, lambda: None)
    assert store.increment_many(amounts) == amounts
    assert not second.has_happened


def test_digits_that_were_put_are_counted_on_and_other_bytes_are_an_error(store):
    store.put("digits", b"41")
    store.put("other", b"x")
    assert store.increment_many({"digits": 1, "b": 1}) == {"digits": 42, "b": 1}
    with pytest.raises(ValueError, match="x"):
        store.increment_many({"other": 1})
