"""What a backend promises for its close: nothing of it works on, nothing waits on, and nobody else notices."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Backend, Capability
from huey_core.plugins import open_backend
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._promises import error_of, in_threads, promise, unique_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BackendClosing"]


class BackendClosing(BackendFixtures):
    """Promises of ``close``."""

    @pytest.fixture
    def closing(self, url: str) -> Iterator[Backend]:
        """A backend that the test closes; closing it again is no error."""
        closing = open_backend(url)
        yield closing
        closing.close()

    @promise()
    def test_what_was_closed_is_of_no_more_use(self, closing: Backend) -> None:
        """Without this, a program that has closed its backend would open connections again that nobody closes."""
        queue, store = closing.queue(unique_name()), closing.data_store(unique_name())
        calls: dict[str, Callable[[], object]] = {
            "write": partial(queue.write, b"message"),
            "len": partial(len, queue),
            "read": queue.read,
            "flush": queue.flush,
            "put": partial(store.put, "key", b"value"),
            "get": partial(store.get, "key"),
            "flush of the store": store.flush,
        }
        if Capability.TTL in closing.capabilities:
            calls["peek"] = partial(store.peek, "key")
        for call in calls.values():
            call()
        closing.close()
        # A backend that has nothing to give back has nothing to override.
        refused = set() if type(closing).close is Backend.close else set(calls)
        assert {name for name, call in calls.items() if error_of(call)} == refused

    @promise()
    def test_a_close_leaves_other_backends_alone(self, backend: Backend, closing: Backend) -> None:
        """Without this, a part of a program that ends would take the connections of the others with it."""
        name = unique_name()
        queue, store = backend.queue(name), backend.data_store(name)
        closing.queue(name).write(b"message")
        closing.data_store(name).put("key", b"value")
        assert len(queue) == 1
        closing.close()
        assert queue.read() == b"message"
        assert store.get("key") == b"value"

    @promise()
    def test_closing_a_part_leaves_the_backend_open(self, closing: Backend) -> None:
        """Without this, whoever is done with one queue would take the connections of all the others away."""
        queue, store = closing.queue(unique_name()), closing.data_store(unique_name())
        queue.close()
        store.close()
        for each in (queue, closing.queue(unique_name())):
            each.write(b"message")
            assert each.read() == b"message"
        for each_store in (store, closing.data_store(unique_name())):
            each_store.put("key", b"value")
            assert each_store.get("key") == b"value"

    @promise(Capability.NOTIFY)
    def test_a_close_calls_every_watch_a_last_time(self, closing: Backend) -> None:
        """Without this, a caller that waits for a result in its own way would never learn that none will come."""
        store, other = closing.data_store(unique_name()), closing.data_store(unique_name())
        told = [threading.Event() for _ in range(3)]
        watched = [(store, "key"), (store, "another key"), (other, "key")]
        ends = [each.watch(key, event.set) for (each, key), event in zip(watched, told, strict=True)]
        closing.close()
        assert [event.wait(self.deadline) for event in told] == [True] * 3
        assert error_of(partial(store.watch, "key", told[0].set))
        for end_watch in ends:
            end_watch()

    @promise(Capability.NOTIFY)
    def test_a_close_ends_a_wait_for_a_key_with_an_error(self, closing: Backend) -> None:
        """Without this, a caller would wait for ever, or be told that its result is there or late."""
        store: Any = closing.data_store(unique_name())
        assert store.wait("key", 0.0) is False
        has_looked, closed = threading.Event(), threading.Event()
        peek = store.peek

        def note_and_peek(key: str) -> object:
            has_looked.set()
            return peek(key)

        def close() -> None:
            # A wait of the store's own making may look in another way; then the close may come before it.
            has_looked.wait(self.deadline / 2)
            closed.set()
            closing.close()

        def wait() -> bool:
            error = error_of(partial(store.wait, "key", 4 * self.deadline))
            return error is not None and closed.is_set()

        store.peek = note_and_peek
        assert in_threads([wait, close], 2 * self.deadline, "wait()") == [True, None]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_close_ends_a_claim_that_waits_with_an_error(self, closing: Backend) -> None:
        """Without this, a consumer whose backend was closed would hang, or look for commands for ever."""
        queue: Any = closing.queue(unique_name())
        assert queue.claim(1, 60.0).deliveries == []
        begun, closed = threading.Event(), threading.Event()

        def claim_in_rounds() -> None:
            end = time.monotonic() + self.deadline
            while time.monotonic() < end:
                begun.set()
                queue.claim(1, 60.0, wait=4 * self.deadline)

        def wait() -> bool:
            return error_of(claim_in_rounds) is not None and closed.is_set()

        def close() -> None:
            begun.wait(self.deadline)
            closed.set()
            closing.close()

        assert in_threads([wait, close], 2 * self.deadline, "claim(wait=...)") == [True, None]
