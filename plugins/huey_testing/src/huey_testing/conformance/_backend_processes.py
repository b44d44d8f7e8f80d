"""What a backend promises to several processes that use one server at the same time."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from huey_core.backends import Ack, Capability, EmptyData, Message, ResultWrite, State
from huey_core.plugins import open_backend
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._forking import Child
from huey_testing.conformance._promises import eventually, promise, unique_name, within

if TYPE_CHECKING:
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
                while claimed := mine.claim(7, 60.0, wait=0.2).deliveries:
                    assert mine.settle([Ack(delivery) for delivery in claimed]) == [True] * len(claimed)
                    done += [int(delivery.data) for delivery in claimed]
            return done

        with ExitStack() as stack:
            consumers = [stack.enter_context(Child(claim_all)) for _ in range(PROCESSES)]
            done = [number for consumer in consumers for number in consumer.result(6 * self.deadline)]
        assert Counter(done) == Counter(range(MESSAGES))
        assert len(queue) == 0

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.INSPECT)
    def test_processes_that_are_killed_while_they_settle_break_no_chain(self, url: str, backend: Backend) -> None:
        """Without this, a crash at the wrong moment would end a pipeline in the middle, or lose a result for ever."""
        store: Any = backend.data_store(unique_name())
        chains: list[Any] = [backend.queue(unique_name()) for _ in range(6)]

        def follow(name: str) -> None:
            with closing(open_backend(url)) as own:
                chain: Any = own.queue(name)
                results = own.data_store(store.name)
                while True:
                    for delivery in chain.claim(1, 60.0).deliveries:
                        result = ResultWrite(results, f"{name} {delivery.data.decode()}", b"v")
                        follow_up = Message(b"%d" % (int(delivery.data) + 1))
                        assert chain.settle([Ack(delivery, result, (follow_up,))]) == [True]

        def is_at_work(chain: Any) -> bool:
            return store.peek(f"{chain.name} 3") is not EmptyData

        def step(chain: Any) -> int | None:
            # What a process has left to be done, if anything, a claim does.
            chain.claim(1, 60.0)
            live = chain.peek(State.READY) + chain.peek(State.RUNNING)
            assert len(live) <= 1
            return int(live[0].data) if live else None

        def is_whole(chain: Any) -> bool:
            at = step(chain)
            return at is not None and EmptyData not in store.peek_many([f"{chain.name} {n}" for n in range(at)])

        for chain in chains:
            chain.write(b"0")
        with ExitStack() as killed:
            for chain in chains:
                killed.enter_context(Child(partial(follow, chain.name)))
            for chain in chains:
                eventually(partial(is_at_work, chain), "a few steps of a chain", self.deadline)
        for chain in chains:
            eventually(partial(is_whole, chain), "the next step of a chain, and all results before it", self.deadline)
            chain.flush()
        store.flush()

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.BLOCKING)
    def test_a_claim_that_waits_hears_of_another_process(self, url: str, backend: Backend) -> None:
        """Without this, an idle consumer would not start what a web process has just enqueued."""
        queue: Any = backend.queue(unique_name())

        def produce() -> None:
            with closing(open_backend(url)) as own:
                own.queue(queue.name).write(b"hello")

        def claim() -> list[bytes]:
            end = time.monotonic() + self.deadline
            while not (claimed := queue.claim(1, 60.0, wait=3 * self.deadline).deliveries) and time.monotonic() < end:
                pass
            return [delivery.data for delivery in claimed]

        with Child(produce) as child:
            assert within(2 * self.deadline, claim, "claim(wait=...)") == [b"hello"]
            child.result(self.deadline)
        queue.flush()

    @promise(Capability.PERSISTENT, Capability.NOTIFY)
    def test_a_wait_for_a_key_hears_of_another_process(self, url: str, backend: Backend) -> None:
        """Without this, a caller would wait for a result that a consumer has long written."""
        store = backend.data_store(unique_name())

        def put() -> None:
            with closing(open_backend(url)) as own:
                own.data_store(store.name).put("key", b"v")

        with Child(put) as child:
            assert within(2 * self.deadline, partial(store.wait, "key", 3 * self.deadline), "wait()") is True
            child.result(self.deadline)
        store.flush()
