"""The promises of data stores, in one class to subclass."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest

from huey_core.backends.base import BaseDataStore, EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.exceptions import Unsupported
from huey_core.testing.conformance._promises import (
    Conformance,
    Passing,
    in_threads,
    promise,
    unique_name,
)
from huey_core.testing.conformance._queue_basics import DIFFICULT_ENDINGS

__all__ = ["DataStoreConformance"]

StoreFactory = Callable[[str], Any]

VALUES: Final = {
    "empty": b"",
    "nul": b"\x00",
    "not utf-8": b"\xff\xfe",
    "digits": b"12",
    "every byte": bytes(range(256)),
    "1 MiB": bytes(range(256)) * 4096,
}

DIFFICULT_KEYS: Final = (*DIFFICULT_ENDINGS, "", "\x00", "a\x00b", "line\nline", "x" * 1000)

BEYOND_THE_ORIGINAL: Final[dict[str, tuple[Capability, Callable[[Any], object]]]] = {
    "put_if_absent": (Capability.LOCKS, lambda store: store.put_if_absent("key", b"v")),
    "replace_if_equal": (Capability.LOCKS, lambda store: store.replace_if_equal("key", b"v", b"w")),
    "increment": (Capability.LOCKS, lambda store: store.increment("counter")),
    "watch": (Capability.NOTIFY, lambda store: store.watch("key", lambda: None)()),
}


class DataStoreConformance(Conformance):
    """Every promise of a data store. Override ``make_data_store``; see :mod:`huey_core.testing.conformance`."""

    @pytest.fixture
    def make_data_store(self) -> StoreFactory:
        """Return a callable ``(name)`` that makes a data store. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture make_data_store")

    @pytest.fixture
    def declared(self, make_data_store: StoreFactory) -> frozenset[Capability]:
        """The capabilities of the store."""
        capabilities: frozenset[Capability] = make_data_store(unique_name()).capabilities
        return capabilities

    @pytest.fixture
    def new_store(self, make_data_store: StoreFactory) -> Iterator[Callable[..., Any]]:
        """Make stores that are flushed and closed after the test; without a name, each has a name of its own."""
        made: list[Any] = []

        def new(name: str | None = None) -> Any:
            made.append(make_data_store(name or unique_name()))
            return made[-1]

        yield new
        for store in made:
            store.flush()
            store.close()

    @pytest.fixture
    def store(self, new_store: Callable[..., Any]) -> Any:
        """An empty store that nobody else uses."""
        return new_store()

    @promise()
    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
    def test_a_value_comes_out_as_it_went_in(self, store: Any, value: bytes) -> None:
        """Without this, the result of a command would be damaged, or taken for no result at all."""
        store.put("key", value)
        got = store.get("key")
        assert got is not EmptyData
        # Compared first: pytest would explain at length how a million bytes differ from another million.
        intact = got == value
        assert intact

    @promise()
    def test_get_removes_what_it_returns(self, store: Any) -> None:
        """Without this, results that were fetched would fill the server up."""
        store.put("key", b"v")
        assert store.get("key") == b"v"
        assert store.get("key") is EmptyData

    @promise()
    def test_an_absent_key_is_the_one_and_only_empty_data(self, store: Any) -> None:
        """Without this, a command that has not finished would look as if it had returned something."""
        assert store.get("absent") is EmptyData
        assert not EmptyData
        assert copy.deepcopy(EmptyData) is EmptyData
        assert pickle.loads(pickle.dumps(EmptyData)) is EmptyData  # noqa: S301 - our own bytes

    @promise()
    def test_put_replaces(self, store: Any) -> None:
        """Without this, an old result would be returned for a new one."""
        store.put("key", b"old")
        store.put("key", b"new")
        assert store.get("key") == b"new"
        assert store.get("key") is EmptyData

    @promise()
    def test_keys_that_look_alike_are_different(self, store: Any) -> None:
        """Without this, one command would get the result of another."""
        for key in DIFFICULT_KEYS:
            store.put(key, key.encode())
        assert {key: store.get(key) for key in DIFFICULT_KEYS} == {key: key.encode() for key in DIFFICULT_KEYS}

    @promise()
    def test_names_that_look_alike_share_nothing(self, new_store: Callable[..., Any]) -> None:
        """Without this, two applications on one server would read each other's results."""
        base = unique_name()
        stores = {ending: new_store(f"{base}{ending}") for ending in DIFFICULT_ENDINGS}
        for ending, store in stores.items():
            store.put("key", ending.encode())
        assert {ending: store.get("key") for ending, store in stores.items()} == {
            ending: ending.encode() for ending in DIFFICULT_ENDINGS
        }

    @promise()
    def test_name_and_key_are_not_run_together(self, new_store: Callable[..., Any]) -> None:
        """Without this, a key of one store could be read as another key of another store."""
        base = unique_name()
        for separator in ("", ":", ".", "/", "-", "_"):
            new_store(f"{base}{separator}a").put("b", b"mine")
            assert new_store(base).get(f"a{separator}b") is EmptyData
            assert new_store(base).get(f"{separator}a{separator}b") is EmptyData

    @promise()
    @pytest.mark.parametrize("ending", DIFFICULT_ENDINGS)
    def test_a_flush_leaves_other_stores_alone(self, new_store: Callable[..., Any], ending: str) -> None:
        """Without this, clearing the results of a test would delete those of production."""
        base = unique_name()
        flushed = new_store(f"{base}{ending}")
        others = [new_store(name) for name in (base, f"{base}b", f"{base}abc", f"{base}{ending}2", f"2{base}{ending}")]
        for store in (flushed, *others):
            store.put("key", b"mine")
        flushed.flush()
        assert flushed.get("key") is EmptyData
        assert [store.get("key") for store in others] == [b"mine"] * len(others)

    @promise()
    def test_nothing_of_a_store_is_left_after_a_flush(self, store: Any) -> None:
        """Without this, results that an operator threw away would come up again."""
        keys = [f"key {number}" for number in range(20)]
        for key in keys:
            store.put(key, b"v")
        store.flush()
        assert [store.get(key) for key in keys] == [EmptyData] * 20

    @promise()
    def test_two_objects_of_one_name_are_one_store(self, new_store: Callable[..., Any]) -> None:
        """Without this, the result that a consumer writes would never reach whoever waits for it."""
        name = unique_name()
        new_store(name).put("key", b"v")
        assert new_store(name).get("key") == b"v"

    @promise()
    def test_values_stay_when_their_writer_closes(
        self, make_data_store: StoreFactory, new_store: Callable[..., Any]
    ) -> None:
        """Without this, results would vanish when the consumer that wrote them ends."""
        name = unique_name()
        writer = make_data_store(name)
        writer.put("key", b"v")
        writer.close()
        assert new_store(name).get("key") == b"v"

    @promise()
    def test_of_many_who_get_a_key_one_does(self, new_store: Callable[..., Any]) -> None:
        """Without this, something that must be taken once, such as a command that is due, would be taken twice."""
        name = unique_name()
        stores = [new_store(name) for _ in range(8)]
        for number in range(5):
            stores[0].put("key", b"%d" % number)
            got = in_threads([partial(store.get, "key") for store in stores])
            assert [value for value in got if value is not EmptyData] == [b"%d" % number]

    @promise()
    def test_delete_says_whether_the_key_was_there(self, store: Any) -> None:
        """Without this, a lock could not be given back with certainty."""
        store.put("key", b"")
        assert [store.delete("key"), store.delete("key")] == [True, False]
        assert store.get("key") is EmptyData

    @promise()
    @pytest.mark.parametrize("method", BEYOND_THE_ORIGINAL)
    def test_what_is_declared_works_and_the_rest_is_refused_by_name(self, store: Any, method: str) -> None:
        """Without this, a user would be told by a wrong result, and not by an error, what this store cannot do."""
        capability, call = BEYOND_THE_ORIGINAL[method]
        if capability in store.capabilities:
            call(store)
            return
        with pytest.raises(Unsupported) as refused:
            call(store)
        assert type(store).__name__ in str(refused.value)
        assert method in str(refused.value)

    @promise()
    def test_peek_leaves_the_value_or_is_refused_by_name(self, store: Any) -> None:
        """Without this, looking whether a result is there would destroy it."""
        store.put("key", b"")
        if type(store).peek is BaseDataStore.peek:
            with pytest.raises(Unsupported, match=type(store).__name__):
                store.peek("key")
        else:
            assert [store.peek("key"), store.peek("key")] == [b"", b""]
            assert store.peek("absent") is EmptyData
            assert store.peek_many(["absent", "key", "key"]) == [EmptyData, b"", b""]
        assert store.get("key") == b""

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
        store.put("key", b"v", ttl=self.lease)
        assert store.get("key") == b"v"

    @promise(Capability.TTL)
    def test_a_new_put_sets_a_new_time(self, store: Any, advance: Passing) -> None:
        """Without this, a fresh result would vanish at the time that was set for the one before."""
        store.put("kept", b"old", ttl=self.lease)
        store.put("kept", b"new")
        store.put("shortened", b"old")
        store.put("shortened", b"new", ttl=self.lease)
        advance(self.beyond(self.lease))
        assert [store.get("kept"), store.get("shortened")] == [b"new", EmptyData]

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
        store.put_if_absent("key", b"dead holder", ttl=self.lease)
        assert store.put_if_absent("key", b"too early") is False
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
        store.put("renewed", b"v", ttl=self.lease)
        store.put("ending", b"v")
        assert store.replace_if_equal("renewed", b"v", b"v", ttl=60.0) is True
        assert store.replace_if_equal("ending", b"v", b"v", ttl=self.lease) is True
        advance(self.beyond(self.lease))
        assert [store.get("renewed"), store.get("ending")] == [b"v", EmptyData]

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
        store.increment("key", ttl=self.lease)
        store.increment("key")
        advance(self.beyond(self.lease))
        assert store.increment("key") == 1

    @promise(Capability.NOTIFY)
    def test_a_watcher_is_told_of_a_put(self, store: Any, new_store: Callable[..., Any]) -> None:
        """Without this, whoever waits for a result would not learn that it is there."""
        told = threading.Event()
        end_watch = store.watch("key", told.set)
        new_store(store.name).put("key", b"v")
        assert told.wait(self.deadline)
        end_watch()

    @promise(Capability.NOTIFY)
    def test_no_put_after_the_watch_began_is_missed(self, store: Any, new_store: Callable[..., Any]) -> None:
        """Without this, a wait for a result would now and then last until its timeout."""
        other = new_store(store.name)
        for number in range(50):
            told = threading.Event()
            end_watch = store.watch(f"key {number}", told.set)
            other.put(f"key {number}", b"v")
            assert told.wait(self.deadline), f"put {number} was missed"
            end_watch()

    @promise(Capability.NOTIFY)
    def test_every_watcher_of_a_key_is_told(self, store: Any) -> None:
        """Without this, of two who wait for the same result only one would learn of it."""
        told = [threading.Event(), threading.Event()]
        ends = [store.watch("key", event.set) for event in told]
        store.put("key", b"v")
        assert [event.wait(self.deadline) for event in told] == [True, True]
        ends[0]()
        told[1].clear()
        store.put("key", b"v")
        assert told[1].wait(self.deadline)
        ends[1]()

    @promise(Capability.NOTIFY)
    def test_a_wait_ends_with_the_put(self, store: Any, new_store: Callable[..., Any]) -> None:
        """Without this, a caller would wait longer for a result than the command took."""
        other = new_store(store.name)
        came, _ = in_threads(
            [lambda: store.wait("key", 3 * self.deadline), lambda: other.put("key", b"")], self.deadline, "wait()"
        )
        assert came is True
        assert store.get("key") == b""

    @promise(Capability.NOTIFY)
    def test_a_wait_for_what_is_there_returns_at_once(self, store: Any) -> None:
        """Without this, a result that came first would be waited for in vain."""
        store.put("key", b"")
        assert in_threads([lambda: store.wait("key", 3 * self.deadline)], self.deadline, "wait()") == [True]

    @promise(Capability.NOTIFY)
    def test_a_wait_ends_at_its_timeout(self, store: Any) -> None:
        """Without this, a web request would hang when its command takes too long."""
        begin = time.monotonic()
        assert in_threads([lambda: store.wait("key", 0.05)], self.deadline, "wait(timeout=0.05)") == [False]
        assert time.monotonic() - begin >= 0.05
