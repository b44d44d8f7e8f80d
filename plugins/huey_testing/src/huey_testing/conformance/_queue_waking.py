"""What a leased queue promises to a claim that waits: it is told of everything by which a message becomes ready."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Ack, Bury, Capability, Message, Retry
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from huey_core.backends import LeasedQueue

__all__ = ["QueueWaking"]


class QueueWaking(QueueFixtures):
    """Promises to a consumer that is idle. What wakes it is done by another object, as by another process."""

    @pytest.fixture
    def other(self, queue: Any, new_queue: QueueFactory) -> Any:
        """The same queue, as somebody else uses it."""
        return new_queue(queue.name)

    def bury_one(self, queue: LeasedQueue) -> str:
        """Write a message and bury it, and return its id."""
        message_id = queue.write(b"dead").message_id
        assert queue.settle([Bury(self.claim_one(queue), "bad")]) == [True]
        return message_id

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_batch_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, what a web process enqueues together would lie there although consumers are idle."""
        batch = [Message(b"first"), Message(b"second")]
        (claimed,) = self.claim_while(queue, partial(other.write_many, batch))
        assert claimed.data == b"first"

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.UNIQUE)
    def test_a_write_with_a_unique_key_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, unique and periodic commands would lie there although consumers are idle."""
        (claimed,) = self.claim_while(queue, partial(other.write, b"x", unique_key="key"))
        assert claimed.data == b"x"

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_retry_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, a command that failed would lie there until another one is enqueued."""
        queue.write(b"failed")
        retry = Retry(self.claim_one(other), b"again")
        (claimed,) = self.claim_while(queue, partial(other.settle, [retry]))
        assert claimed.data == b"again"

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.DELAY)
    def test_a_retry_with_a_delay_shortens_the_wait(self, queue: Any, other: Any, advance: Passing) -> None:
        """Without this, a retry would be late in an idle system."""
        queue.write(b"failed")
        delivery = self.claim_one(other)

        def retry_and_pass() -> None:
            other.settle([Retry(delivery, b"again", delay=self.lease)])
            advance(self.beyond(self.lease))

        (claimed,) = self.claim_while(queue, retry_and_pass)
        assert claimed.data == b"again"

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_lease_that_was_made_shorter_shortens_the_wait(self, queue: Any, other: Any, advance: Passing) -> None:
        """Without this, commands whose consumer gave their leases a new end would come back at the old one."""
        queue.write(b"back")
        delivery = self.claim_one(other)

        def shorten_and_pass() -> None:
            other.extend([delivery], self.lease)
            advance(self.beyond(self.lease))

        (claimed,) = self.claim_while(queue, shorten_and_pass)
        assert claimed.attempt == 2

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.ATOMIC_SETTLE)
    def test_a_follow_up_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, the next step of a pipeline would lie there although consumers are idle."""
        queue.write(b"first step")
        ack = Ack(self.claim_one(other), follow_ups=(Message(b"second step"),))
        (claimed,) = self.claim_while(queue, partial(other.settle, [ack]))
        assert claimed.data == b"second step"

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.INSPECT)
    def test_a_requeue_of_a_dead_letter_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, a command that an operator replays would lie there until another one is enqueued."""
        dead = self.bury_one(other)
        (claimed,) = self.claim_while(queue, partial(other.requeue, [dead]))
        assert claimed.message_id == dead

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.INSPECT, Capability.DELAY)
    def test_a_requeue_of_a_scheduled_message_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, "run it now" would mean "run it when something else is enqueued"."""
        scheduled = queue.write(b"later", eta=queue.now() + LONG).message_id
        (claimed,) = self.claim_while(queue, partial(other.requeue, [scheduled]))
        assert claimed.message_id == scheduled

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.PAUSE)
    def test_a_resume_ends_the_wait(self, queue: Any, other: Any) -> None:
        """Without this, consumers would stay idle after a pause until something is enqueued."""
        queue.write(b"x")
        queue.pause()
        try:
            (claimed,) = self.claim_while(queue, other.resume)
        finally:
            queue.resume()
        assert claimed.data == b"x"
