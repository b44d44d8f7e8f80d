"""What a data store promises to those who wait for a key."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Capability
from huey_testing.conformance._promises import eventually, in_threads, promise
from huey_testing.conformance._store_base import StoreFixtures

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StoreWatching"]

WRITES: Final[dict[str, Callable[[Any], object]]] = {
    "put_if_absent": lambda store: store.put_if_absent("key", b"v"),
    "replace_if_equal": lambda store: store.replace_if_equal("known", b"old", b"new"),
    "increment": lambda store: store.increment("key"),
    "increment_many": lambda store: store.increment_many({"other": 1, "key": 1}),
}
"""Each way to write a key, beside ``put``."""


class _BugOfTheCallerError(Exception):
    pass


class _ExitOfTheCaller(BaseException):
    pass


class StoreWatching(StoreFixtures):
    """Promises of ``watch`` and ``wait``. A callback does no more than the contract allows it: it sets an event."""

    @promise(Capability.NOTIFY)
    def test_a_watcher_is_told_of_a_put(self, store: Any, new_store: Callable[..., Any]) -> None:
        """Without this, whoever waits for a result would not learn that it is there."""
        told = threading.Event()
        end_watch = store.watch("key", told.set)
        new_store(store.name).put("key", b"v")
        assert told.wait(self.deadline)
        end_watch()

    @promise(Capability.NOTIFY, Capability.LOCKS)
    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    def test_a_watcher_is_told_of_every_write(
        self, store: Any, new_store: Callable[..., Any], write: Callable[[Any], object]
    ) -> None:
        """Without this, who waits for a key would wait for ever, because of the method by which it was written."""
        other, told = new_store(store.name), threading.Event()
        ends = [store.watch(key, told.set) for key in ("key", "known")]
        other.put("known", b"old")
        assert told.wait(self.deadline)
        told.clear()
        assert write(other)
        assert told.wait(self.deadline)
        for end_watch in ends:
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

    @promise(Capability.NOTIFY)
    def test_a_callback_that_raises_is_logged_and_harms_nobody(
        self, store: Any, new_store: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without this, one caller's mistake would fail another's command, or keep it from ever learning the result."""

        def fail() -> None:
            raise _BugOfTheCallerError

        def leave() -> None:
            raise _ExitOfTheCaller

        other, told = new_store(store.name), threading.Event()
        ends = [store.watch("key", fail), store.watch("key", leave), store.watch("key", told.set)]
        for value in (b"first", b"second"):
            told.clear()
            other.put("key", value)
            assert told.wait(self.deadline), f"nobody was told of the {value.decode()} put"
        eventually(
            lambda: any(record.exc_info and record.exc_info[0] is _BugOfTheCallerError for record in caplog.records),
            "a line in the log",
            self.deadline,
        )
        for end_watch in ends:
            end_watch()

    @promise(Capability.NOTIFY)
    def test_a_watch_that_was_ended_is_told_nothing(self, store: Any) -> None:
        """Without this, a busy program would collect the watches of all results that it ever waited for."""
        told: list[str] = []
        sentinel = threading.Event()
        end_watch = store.watch("key", lambda: told.append("again"))
        end_watch()
        end_watch()
        told.clear()
        end_sentinel = store.watch("sentinel", sentinel.set)
        store.put("key", b"v")
        store.put("sentinel", b"v")
        assert sentinel.wait(self.deadline)
        end_sentinel()
        assert told == []
