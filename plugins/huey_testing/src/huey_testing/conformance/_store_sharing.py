"""What a data store promises to those who share state through it: values that end, locks and counters."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from huey_core.backends import Capability, EmptyData
from huey_testing.conformance._promises import Counting, Passing, eventually, in_threads, promise, unique_name
from huey_testing.conformance._store_base import StoreFixtures
from huey_testing.conformance._texts import DIFFICULT_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StoreSharing"]


class StoreSharing(StoreFixtures):
    """Promises of ``ttl``, ``put_if_absent``, ``replace_if_equal``, ``increment`` and ``increment_many``."""

    @promise(Capability.TTL)
    def test_a_value_is_forgotten_after_its_time(self, store: Any, advance: Passing) -> None:
        """Without this, results that nobody fetches would fill the server up."""
        store.put("short", b"v", ttl=self.lease)
        store.put("long", b"v", ttl=60.0)
        store.put("for good", b"v")
        advance(self.beyond(self.lease))
        assert store.get("short") is EmptyData
        assert [store.get("long"), store.get("for good")] == [b"v", b"v"]

    @promise(Capability.TTL)
    def test_a_value_is_not_forgotten_too_early(self, store: Any) -> None:
        """Without this, a result could be gone before it is fetched."""

        def is_there() -> bool:
            store.put("key", b"v", ttl=self.lease)
            return bool(store.get("key") == b"v")

        # More than one try, because a slow machine may take longer than that between the two calls.
        eventually(is_there, "a value within its time", self.deadline)

    @promise(Capability.TTL)
    def test_a_new_put_sets_a_new_time(self, store: Any, advance: Passing) -> None:
        """Without this, a fresh result would vanish at the time that was set for the one before."""
        store.put("kept", b"old", ttl=self.lease)
        store.put("kept", b"new")
        store.put("shortened", b"old")
        store.put("shortened", b"new", ttl=self.lease)
        advance(self.beyond(self.lease))
        assert [store.get("kept"), store.get("shortened")] == [b"new", EmptyData]

    @promise(Capability.TTL)
    def test_what_has_expired_is_removed(self, store: Any, advance: Passing, count_records: Counting) -> None:
        """Without this, results that nobody fetches would fill the server up, though nobody sees them any more."""
        before = count_records()
        for number in range(50):
            store.put(f"key {number}", b"v", ttl=self.lease)
        advance(self.beyond(self.lease))

        def is_removed() -> bool:
            # A store may have nobody but those who write to remove what is over.
            store.put("another", b"v", ttl=self.lease)
            return count_records() < before + 25

        eventually(is_removed, "the removal of half of what has expired", 3 * self.deadline)

    @promise(Capability.LOCKS)
    def test_put_if_absent_stores_once(self, store: Any) -> None:
        """Without this, a lock could be taken from whoever holds it."""
        assert [store.put_if_absent("key", b"mine"), store.put_if_absent("key", b"yours")] == [True, False]
        assert store.get("key") == b"mine"
        assert store.put_if_absent("key", b"") is True
        assert store.put_if_absent("key", b"not empty") is False

    @promise(Capability.LOCKS, Capability.TTL)
    def test_put_if_absent_succeeds_after_the_time(self, store: Any, advance: Passing) -> None:
        """Without this, a lock would stay taken for ever when its holder was killed."""

        def is_held() -> bool:
            store.delete("key")
            store.put_if_absent("key", b"dead holder", ttl=self.lease)
            return store.put_if_absent("key", b"too early") is False

        eventually(is_held, "a lock within its time", self.deadline)
        advance(self.beyond(self.lease))
        assert store.put_if_absent("key", b"next") is True

    @promise(Capability.LOCKS)
    def test_of_many_who_put_if_absent_one_does(self, new_store: Callable[..., Any]) -> None:
        """Without this, two processes would hold the same lock."""
        name = unique_name()
        stores = [new_store(name) for _ in range(8)]
        for number in range(5):
            puts = [partial(store.put_if_absent, f"key {number}", b"v") for store in stores]
            assert in_threads(puts).count(True) == 1

    @promise(Capability.LOCKS)
    def test_replace_if_equal_replaces_only_what_it_knows(self, store: Any) -> None:
        """Without this, a late holder of a lock would overwrite the one that has it now."""
        store.put("key", b"old")
        assert store.replace_if_equal("key", b"other", b"new") is False
        assert store.replace_if_equal("absent", b"", b"new") is False
        assert store.replace_if_equal("key", b"old", b"new") is True
        assert [store.get("key"), store.get("absent")] == [b"new", EmptyData]

    @promise(Capability.LOCKS, Capability.TTL)
    def test_replace_if_equal_sets_a_new_time(self, store: Any, advance: Passing) -> None:
        """Without this, a lock that is renewed would end all the same."""

        def is_renewed() -> bool:
            store.put("renewed", b"v", ttl=self.lease)
            return store.replace_if_equal("renewed", b"v", b"v", ttl=60.0) is True

        eventually(is_renewed, "a renewal within the time", self.deadline)
        store.put("ending", b"v")
        assert store.replace_if_equal("ending", b"v", b"v", ttl=self.lease) is True
        advance(self.beyond(self.lease))
        assert [store.get("renewed"), store.get("ending")] == [b"v", EmptyData]

    @promise(Capability.LOCKS, Capability.TTL)
    def test_replace_if_equal_without_a_time_keeps_the_value_for_ever(self, store: Any, advance: Passing) -> None:
        """Without this, what consumers share would vanish at the time that was set for an earlier value."""

        def is_replaced() -> bool:
            store.put("key", b"old", ttl=self.lease)
            return store.replace_if_equal("key", b"old", b"new") is True

        eventually(is_replaced, "a replacement within the time", self.deadline)
        advance(self.beyond(self.lease))
        assert store.get("key") == b"new"

    @promise(Capability.LOCKS)
    def test_of_many_who_replace_one_does(self, new_store: Callable[..., Any]) -> None:
        """Without this, two processes would both believe that they took over."""
        name = unique_name()
        stores = [new_store(name) for _ in range(8)]
        stores[0].put("key", b"old")
        replaces = [partial(store.replace_if_equal, "key", b"old", b"%d" % n) for n, store in enumerate(stores)]
        replaced = in_threads(replaces)
        assert replaced.count(True) == 1
        assert stores[0].get("key") == b"%d" % replaced.index(True)

    @promise(Capability.LOCKS)
    def test_a_counter_counts(self, store: Any) -> None:
        """Without this, a rate limit or a progress bar would show nonsense."""
        assert [store.increment("key"), store.increment("key", 5), store.increment("key", -7)] == [1, 6, -1]
        assert store.get("key") == b"-1"
        assert store.increment("key") == 1

    @promise(Capability.LOCKS)
    def test_digits_that_were_put_count_on(self, store: Any) -> None:
        """Without this, a counter that was set to a number could not be counted up from there."""
        store.put("key", b"5")
        assert [store.increment("key"), store.increment("key", -7)] == [6, -1]
        assert store.get("key") == b"-1"

    @promise(Capability.LOCKS)
    def test_no_increment_is_lost(self, new_store: Callable[..., Any]) -> None:
        """Without this, a group of commands would never be seen as complete."""

        def count_25_times(store: Any) -> list[int]:
            return [store.increment("key") for _ in range(25)]

        name = unique_name()
        stores = [new_store(name) for _ in range(8)]
        seen = in_threads([partial(count_25_times, store) for store in stores])
        assert sorted(value for values in seen for value in values) == list(range(1, 201))

    @promise(Capability.LOCKS, Capability.TTL)
    def test_a_counter_is_forgotten_after_its_time(self, store: Any, advance: Passing) -> None:
        """Without this, a rate limit would never open again."""

        def counts_on() -> bool:
            store.delete("key")
            store.increment("key", ttl=self.lease)
            return bool(store.increment("key") == 2)

        eventually(counts_on, "two counts within the time", self.deadline)
        advance(self.beyond(self.lease))
        assert store.increment("key") == 1

    @promise(Capability.LOCKS)
    def test_several_counters_count(self, store: Any) -> None:
        """Without this, what is counted in one go, such as what a consumer has done, would be counted wrongly."""
        assert store.increment_many({"a": 1, "b": 5}) == {"a": 1, "b": 5}
        assert store.increment("a") == 2
        assert store.increment_many({"b": -7, "c": 0, "a": 1}) == {"b": -2, "c": 0, "a": 3}
        assert [store.get(key) for key in "abc"] == [b"3", b"-2", b"0"]

    @promise(Capability.LOCKS)
    def test_counting_nothing_is_no_error(self, store: Any) -> None:
        """Without this, who has nothing to count would crash."""
        assert store.increment_many({}) == {}

    @promise(Capability.LOCKS)
    def test_many_counters_of_any_name_are_told_apart(self, store: Any) -> None:
        """Without this, one command would be counted as another."""
        keys = [*DIFFICULT_TEXTS, *(f"counter {number}" for number in range(1000))]
        amounts = {key: number for number, key in enumerate(keys)}
        assert store.increment_many(amounts) == amounts
        assert store.peek_many(keys) == [b"%d" % number for number in range(len(keys))]

    @promise(Capability.LOCKS)
    def test_none_of_several_increments_is_lost(self, new_store: Callable[..., Any]) -> None:
        """Without this, several consumers that count at once would count too little."""

        def count_25_times(store: Any, keys: str) -> list[dict[str, int]]:
            return [store.increment_many(dict.fromkeys(keys, 1)) for _ in range(25)]

        name = unique_name()
        stores = [new_store(name) for _ in range(8)]
        orders = ["abc", "cba", "bac", "cab"] * 2
        seen = in_threads([partial(count_25_times, *each) for each in zip(stores, orders, strict=True)])
        for key in "abc":
            assert sorted(values[key] for each in seen for values in each) == list(range(1, 201))

    @promise(Capability.LOCKS, Capability.TTL)
    def test_several_counters_are_forgotten_after_their_time(self, store: Any, advance: Passing) -> None:
        """Without this, counters of every minute would fill the server up, or end before their time."""

        def count_on() -> bool:
            store.flush()
            store.increment_many({"a": 1, "b": 1}, ttl=self.lease)
            return bool(store.increment_many({"a": 1, "b": 1}) == {"a": 2, "b": 2})

        eventually(count_on, "two counts within the time", self.deadline)
        store.increment("b", ttl=60.0)
        store.increment("c")
        advance(self.beyond(self.lease))
        assert store.increment_many({"a": 1, "b": 1, "c": 1}) == {"a": 1, "b": 4, "c": 2}
