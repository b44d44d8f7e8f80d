"""What a data store promises to a process that forks: what was made before the fork works on both sides of it.

A store in the memory of its process cannot promise that, so these are promises of PERSISTENT.
"""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import Any

from huey_core.backends import Capability
from huey_testing.conformance._forking import Child
from huey_testing.conformance._promises import promise
from huey_testing.conformance._store_base import StoreFixtures

__all__ = ["StoreForks"]


class StoreForks(StoreFixtures):
    """Promises to parent and child of a fork."""

    @promise(Capability.PERSISTENT)
    def test_parent_and_children_get_their_own_values(self, store: Any) -> None:
        """Without this, processes would talk over one connection, and one would get the result of another."""
        store.put("before", b"the fork")

        def put_and_get(who: str) -> list[str]:
            got = []
            for number in range(25):
                store.put(f"{who} {number}", f"{number} of {who}".encode())
                got.append(store.get(f"{who} {number}").decode())
            store.put(who, b"done")
            return got

        processes = ("one child", "another child", "parent")
        with ExitStack() as stack:
            children = [stack.enter_context(Child(partial(put_and_get, who))) for who in processes[:2]]
            mine = put_and_get("parent")
            got = [*(child.result(2 * self.deadline) for child in children), mine]
        assert got == [[f"{number} of {who}" for number in range(25)] for who in processes]
        assert [store.get(who) for who in (*processes, "before")] == [b"done", b"done", b"done", b"the fork"]

    @promise(Capability.PERSISTENT, Capability.NOTIFY)
    def test_a_child_watches_on_its_own(self, store: Any) -> None:
        """Without this, a worker that was forked would wait in vain for results, or take them from its parent."""
        told = threading.Event()
        end_watch = store.watch("key", told.set)

        def watch_and_put() -> bool:
            heard = threading.Event()
            store.watch("key", heard.set)
            store.put("key", b"v")
            return heard.wait(self.deadline)

        with Child(watch_and_put) as child:
            assert child.result(2 * self.deadline) is True
        assert told.wait(self.deadline)
        end_watch()

    @promise(Capability.PERSISTENT, Capability.NOTIFY)
    def test_a_child_that_was_forked_in_c_watches_on_its_own(self, store: Any) -> None:
        """Without this, workers of a server that forks without a word to Python would wait in vain for results."""
        told = threading.Event()
        end_watch = store.watch("key", told.set)
        store.put("key", b"of the parent")
        assert told.wait(self.deadline)
        end_watch()

        def watch_and_put() -> bool:
            heard = threading.Event()
            store.watch("key", heard.set)
            store.put("key", b"of the child")
            return heard.wait(self.deadline)

        with Child(watch_and_put, announced=False) as child:
            assert child.result(2 * self.deadline) is True
