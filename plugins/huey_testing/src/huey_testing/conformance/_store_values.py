"""What every data store promises: bytes by key, and those of one store apart from those of any other."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import BaseDataStore, Capability, EmptyData
from huey_core.exceptions import Unsupported
from huey_testing.conformance._promises import error_of, in_threads, promise, unique_name
from huey_testing.conformance._store_base import StoreFixtures
from huey_testing.conformance._texts import DIFFICULT_ENDINGS, DIFFICULT_TEXTS, SIMILAR_TO_A_SURROGATE, SURROGATE, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_testing.conformance._store_base import StoreFactory

__all__ = ["StoreValues"]

VALUES: Final = {
    "empty": b"",
    "nul": b"\x00",
    "not utf-8": b"\xff\xfe",
    "digits": b"12",
    "every byte": bytes(range(256)),
    "1 MiB": bytes(range(256)) * 4096,
}

BEYOND_THE_ORIGINAL: Final[dict[str, tuple[Capability, Callable[[Any], object]]]] = {
    "put_if_absent": (Capability.LOCKS, lambda store: store.put_if_absent("key", b"v")),
    "replace_if_equal": (Capability.LOCKS, lambda store: store.replace_if_equal("key", b"v", b"w")),
    "increment": (Capability.LOCKS, lambda store: store.increment("counter")),
    "increment_many": (Capability.LOCKS, lambda store: store.increment_many({"counter": 1})),
    "watch": (Capability.NOTIFY, lambda store: store.watch("key", lambda: None)()),
}


class StoreValues(StoreFixtures):
    """Promises of :class:`~huey_core.backends.BaseDataStore`."""

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
        for key in DIFFICULT_TEXTS:
            store.put(key, key.encode())
        assert {key: store.get(key) for key in DIFFICULT_TEXTS} == {key: key.encode() for key in DIFFICULT_TEXTS}

    @promise()
    def test_a_key_that_is_no_unicode_is_refused_or_kept_apart(self, store: Any) -> None:
        """Without this, one command would get the result of another whose id looks alike on the server."""
        for key in SIMILAR_TO_A_SURROGATE:
            store.put(key, b"another")
        if error_of(lambda: store.put(SURROGATE, b"mine")) is None:
            assert store.get(SURROGATE) == b"mine"
        assert {store.get(key) for key in SIMILAR_TO_A_SURROGATE} == {b"another"}

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
    @pytest.mark.parametrize("ending", DIFFICULT_ENDINGS, ids=shown)
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
        # By default the plural makes calls of the singular.
        assert method.removesuffix("_many") in str(refused.value)

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
