"""What a queue promises to a process that forks: what was made before the fork works on both sides of it.

A queue in the memory of its process cannot promise that, so these are promises of PERSISTENT.
"""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import Any

from huey_core.backends import Capability
from huey_testing.conformance._forking import Child
from huey_testing.conformance._promises import in_threads, promise, within
from huey_testing.conformance._queue_base import LONG, QueueFixtures

__all__ = ["QueueForks"]

EACH = 20
"""Messages that each process writes."""


class QueueForks(QueueFixtures):
    """Promises to parent and child of a fork."""

    @promise(Capability.PERSISTENT)
    def test_parent_and_child_use_one_queue_in_turn(self, queue: Any) -> None:
        """Without this, a web server that forks its workers could not enqueue in them, or would hang."""
        queue.write(b"for the child")

        def answer() -> str:
            data: bytes = queue.read()
            queue.write(b"for the parent")
            return data.decode()

        with Child(answer) as child:
            assert child.result(2 * self.deadline) == "for the child"
        assert queue.read() == b"for the parent"
        assert len(queue) == 0

    @promise(Capability.PERSISTENT)
    def test_parent_and_children_move_each_message_once(self, queue: Any) -> None:
        """Without this, processes would talk over one connection: commands would be lost, doubled or mixed up."""
        queue.write(b"before the fork")

        def write_and_read(who: str) -> list[str]:
            for number in range(EACH):
                queue.write(f"{who} {number}".encode())
            read: list[bytes] = []
            while len(queue):
                data = queue.read()
                read += [] if data is None else [data]
            return [data.decode() for data in read]

        children = ("one child", "another child")
        with ExitStack() as stack:
            forked = [stack.enter_context(Child(partial(write_and_read, who))) for who in children]
            seen = write_and_read("parent")
            for child in forked:
                seen += child.result(3 * self.deadline)
        expected = [f"{who} {number}" for who in (*children, "parent") for number in range(EACH)]
        assert Counter(seen) == Counter([*expected, "before the fork"])

    @promise(Capability.PERSISTENT)
    def test_a_child_that_was_forked_in_c_writes_beside_its_parent(self, queue: Any) -> None:
        """Without this, workers of a server that forks without a word to Python would talk over one connection."""
        queue.write(b"before the fork")
        begun, child_writes = os.pipe()

        def write(who: str) -> list[str]:
            written = [f"{who} {number}" for number in range(5 * EACH)]
            for each in written:
                queue.write(each.encode())
            return written

        def write_beside_the_parent() -> list[str]:
            os.write(child_writes, b".")
            return write("child")

        with open(begun, "rb") as child_has_begun, Child(write_beside_the_parent, announced=False) as child:
            os.close(child_writes)
            child_has_begun.read(1)
            written = within(self.deadline, lambda: write("parent"), "the parent's writes")
            written += child.result(2 * self.deadline)
        read = [queue.read().decode() for _ in range(len(queue))]
        assert Counter(read) == Counter(["before the fork", *written])

    @promise(Capability.PERSISTENT)
    def test_forks_amid_threads_that_write_disturb_neither_side(self, queue: Any) -> None:
        """Without this, a fork at the wrong moment would leave a child with a lock that nobody gives back."""
        finish = threading.Event()

        def write_until_told() -> int:
            written = 0
            while not finish.is_set():
                queue.write(b"parent")
                written += 1
            return written

        def fork_and_finish() -> int:
            try:
                with ExitStack() as stack:
                    children = [stack.enter_context(Child(lambda: queue.write(b"child") and 1)) for _ in range(5)]
                    return len([child.result(2 * self.deadline) for child in children])
            finally:
                finish.set()

        written = in_threads([write_until_told, write_until_told, fork_and_finish], 4 * self.deadline, "the forks")
        assert len(queue) == sum(written)

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.BLOCKING)
    def test_a_child_forked_while_a_claim_waits_can_wait_and_be_woken(self, queue: Any) -> None:
        """Without this, a worker that was forked while the parent was idle could never be stopped."""

        def wait_and_wake() -> list[int]:
            waits = [lambda: queue.claim(1, LONG, wait=3 * self.deadline).deliveries, lambda: queue.wake() or []]
            return [len(claimed) for claimed in in_threads(waits, self.deadline, "wake() in the child")]

        def fork_and_wake() -> list[int]:
            try:
                with Child(wait_and_wake) as child:
                    told: list[int] = child.result(2 * self.deadline)
                    return told
            finally:
                queue.wake()

        def wait() -> list[int]:
            return [len(queue.claim(1, LONG, wait=3 * self.deadline).deliveries)]

        assert in_threads([wait, fork_and_wake], 3 * self.deadline, "wake() in the parent") == [[0], [0, 0]]
