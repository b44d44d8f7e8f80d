"""What is particular to a data store on Redis."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError


def test_more_counters_are_added_to_than_one_exchange_takes(store):
    amounts = {f"counter{number:0100}": number for number in range(10_000)}
    store.increment_many(amounts)
    assert store.increment_many(amounts) == {key: 2 * amount for key, amount in amounts.items()}


def test_a_counter_that_is_no_number_keeps_none_of_the_others_back(store):
    store.put("text", b"x")
    with pytest.raises(ResponseError):
        store.increment_many({"one": 1, "text": 1, "two": 2})
    assert store.peek_many(["one", "text", "two"]) == [b"1", b"x", b"2"]
