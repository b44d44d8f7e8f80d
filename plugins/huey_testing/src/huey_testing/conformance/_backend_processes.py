"""What a backend promises to several processes that use one server at the same time."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from huey_core.backends import Ack, Capability, Message
from huey_core.plugins import open_backend
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._forking import Child, in_a_child
from huey_testing.conformance._promises import in_threads, promise, unique_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends import Backend

__all__ = ["BackendProcesses"]

MESSAGES = 300
PROCESSES = 3


class BackendProcesses(BackendFixtures):
    """Promises to other processes. Each opens a backend of its own."""

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_processes_that_claim_at_once_share_no_message_and_leave_none(self, url: str, backend: Backend) -> None:
        """Without this, consumers on several machines would run commands twice, or none of them would run some."""
        queue: Any = backend.queue(unique_name())
        queue.write_many([Message(b"%d" % number) for number in range(MESSAGES)])

        def claim_all() -> list[int]:
            done: list[int] = []
            with closing(open_backend(url)) as own:
                mine: Any = own.queue(queue.name)
                while claimed := mine.claim(7, 60.0, wait=0.5).deliveries:
                    assert mine.settle([Ack(delivery) for delivery in claimed]) == [True] * len(claimed)
                    done += [int(delivery.data) for delivery in claimed]
            return done

        with ExitStack() as stack:
            consumers = [stack.enter_context(Child(claim_all)) for _ in range(PROCESSES)]
            done = [number for consumer in consumers for number in consumer.result(6 * self.deadline)]
        assert Counter(done) == Counter(range(MESSAGES))
        assert len(queue) == 0

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.BLOCKING)
    def test_a_claim_that_waits_hears_of_another_process(self, url: str, backend: Backend) -> None:
        """Without this, an idle consumer would not start what a web process has just enqueued."""
        queue: Any = backend.queue(unique_name())

        def produce(attempt: int) -> None:
            with closing(open_backend(url)) as own:
                own.queue(queue.name).write(b"hello")

        def claim() -> list[bytes]:
            end = time.monotonic() + self.deadline
            while not (claimed := queue.claim(1, 60.0, wait=3 * self.deadline).deliveries) and time.monotonic() < end:
                pass
            return [delivery.data for delivery in claimed]

        calls: list[Callable[[], object]] = [partial(in_a_child, produce, self.deadline / 3), claim]
        assert in_threads(calls, 2 * self.deadline, "claim(wait=...)") == [None, [b"hello"]]
        queue.flush()

    @promise(Capability.PERSISTENT, Capability.NOTIFY)
    def test_a_wait_for_a_key_hears_of_another_process(self, url: str, backend: Backend) -> None:
        """Without this, a caller would wait for a result that a consumer has long written."""
        store = backend.data_store(unique_name())

        def put(attempt: int) -> None:
            with closing(open_backend(url)) as own:
                own.data_store(store.name).put("key", b"v")

        calls: list[Callable[[], object]] = [
            partial(in_a_child, put, self.deadline / 3),
            partial(store.wait, "key", 3 * self.deadline),
        ]
        assert in_threads(calls, 2 * self.deadline, "wait()") == [None, True]
        store.flush()
