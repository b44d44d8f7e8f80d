"""The fixtures and helpers that the promises of queues share."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

from huey_core.backends import Capability, State
from huey_testing.conformance._promises import Conformance, eventually, in_threads, unique_name

if TYPE_CHECKING:
    from huey_core.backends import Delivery, LeasedQueue, Message, StoredMessage

__all__ = ["LONG", "QueueFactory", "QueueFixtures", "StoreFactory"]

LONG: Final = 60.0
"""Seconds of a lease that does not end during a test."""

QueueFactory = Callable[..., Any]
StoreFactory = Callable[[str], Any]


class QueueFixtures(Conformance):
    """What a subclass overrides, and what the tests are given."""

    histories: ClassVar[settings] = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        print_blob=False,
    )
    """How many random histories are compared with the model, and of how many calls.

    One that fails is shown as it was found, call by call. To look for a shorter one, which takes minutes on a real
    server, name all phases: ``settings(QueueConformance.histories, phases=list(Phase))``.
    """

    @pytest.fixture
    def make_queue(self) -> QueueFactory:
        """Return a callable ``(name, **options)`` that makes a queue. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture make_queue; see huey_testing.conformance")

    @pytest.fixture
    def make_data_store(self) -> StoreFactory:
        """Return a callable ``(name)`` that makes a data store into which the queue can settle."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture make_data_store, for ATOMIC_SETTLE")

    @pytest.fixture
    def declared(self, make_queue: QueueFactory, request: pytest.FixtureRequest) -> frozenset[Capability]:
        """The capabilities of the queue, and what the store into which it settles does with a result."""
        capabilities: frozenset[Capability] = make_queue(unique_name()).capabilities
        if Capability.ATOMIC_SETTLE in capabilities:
            make_data_store: StoreFactory = request.getfixturevalue("make_data_store")
            capabilities |= make_data_store(unique_name()).capabilities & {Capability.TTL, Capability.NOTIFY}
        return capabilities

    @pytest.fixture
    def new_queue(self, make_queue: QueueFactory) -> Iterator[QueueFactory]:
        """Make queues that are flushed and closed after the test; without a name, each has a name of its own."""
        made: list[Any] = []

        def new(name: str | None = None, **options: Any) -> Any:
            made.append(make_queue(name or unique_name(), **options))
            return made[-1]

        yield new
        for queue in made:
            queue.flush()
            queue.close()

    @pytest.fixture
    def queue(self, new_queue: QueueFactory) -> Any:
        """An empty queue that nobody else uses."""
        return new_queue()

    @pytest.fixture
    def store(self, make_data_store: StoreFactory) -> Iterator[Any]:
        """An empty data store that nobody else uses."""
        store = make_data_store(unique_name())
        yield store
        store.flush()
        store.close()

    def claim_one(self, queue: LeasedQueue, lease: float = LONG) -> Delivery:
        """Claim the one message that must be there now, or very soon."""
        return self.claim_soon(queue, 1, lease)[0]

    def claim_soon(self, queue: LeasedQueue, count: int, lease: float = LONG) -> list[Delivery]:
        """Claim until ``count`` deliveries have come, for a server may give fewer at a time than were asked for."""
        claimed: list[Delivery] = []

        def enough() -> bool:
            claimed.extend(queue.claim(count - len(claimed), lease).deliveries)
            return len(claimed) >= count

        eventually(enough, f"{count} deliveries", self.deadline)
        return claimed

    def do_in_time(self, queue: LeasedQueue, message: Message, call: Callable[[Delivery], list[bool]]) -> Delivery:
        """Write a message, claim it under the short lease and do something with its delivery before that lease ends.

        More than one try, because a slow machine may take longer than that, and what comes too late may be refused.
        """
        deliveries: list[Delivery] = []

        def took_effect() -> bool:
            queue.flush()
            queue.write_many([message])
            deliveries.append(self.claim_one(queue, self.lease))
            return call(deliveries[-1]) == [True]

        eventually(took_effect, "an effect before the end of the lease", self.deadline)
        return deliveries[-1]

    def claim_while(self, queue: Any, happens: Callable[[], object], lease: float = LONG) -> list[Delivery]:
        """Wait for a message in one thread while something happens in another; a backend may wait for less at a time.

        What happens may come before the wait begins: that must be no different.
        """

        def claim_in_rounds() -> list[Delivery]:
            end = time.monotonic() + self.deadline
            claimed: list[Delivery] = []
            while not claimed and time.monotonic() < end:
                claimed = queue.claim(1, lease, wait=3 * self.deadline).deliveries
            return claimed

        def let_it_happen() -> list[Delivery]:
            # Gives the claim the time to begin its wait. One that begins it later finds the message, and shows nothing.
            time.sleep(0.05)
            happens()
            return []

        claimed, _ = in_threads([claim_in_rounds, let_it_happen], self.deadline, "claim(wait=...)")
        return claimed

    def find_buried(self, queue: LeasedQueue) -> StoredMessage:
        """Claim, which gives nothing, until that has buried the one message whose lease has ended."""

        def dead() -> list[StoredMessage]:
            assert queue.claim(1, LONG).deliveries == []
            return queue.peek(State.DEAD)

        (buried,) = eventually(dead, "a message that is buried", self.deadline)
        return buried

    def lower_limit(self, queue: LeasedQueue) -> int | None:
        """Lower the limit of a message's size to one that is soon reached; ``None`` for a queue without a limit."""
        if queue.max_message_size is not None:
            queue.max_message_size = min(queue.max_message_size, 1000)
        return queue.max_message_size

    def stored(self, queue: LeasedQueue, message_id: str) -> StoredMessage:
        """Find the one message of this id."""
        found = queue.find([message_id])
        assert [message.message_id for message in found] == [message_id]
        return found[0]
