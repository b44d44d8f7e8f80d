"""What a leased queue promises for messages that are put back for later: they wait, and nobody holds them meanwhile."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Capability, Counts, Message, Release, State
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFixtures

if TYPE_CHECKING:
    from huey_core.backends import LeasedQueue

__all__ = ["QueuePostponing"]


class QueuePostponing(QueueFixtures):
    """Promises of ``Release`` with a delay."""

    def postpone(self, queue: LeasedQueue, delay: float = LONG, **message: Any) -> str:
        """Write a message, claim it and put it back for later, and return its id."""
        message_id = queue.write(b"postponed", **message).message_id
        assert queue.settle([Release(self.claim_one(queue), delay)]) == [True]
        return message_id

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_postponed_message_waits_for_its_delay_and_comes(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that may not run yet would be tried again and again at once, or be lost."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        before = queue.now()
        assert queue.settle([Release(delivery, delay=2 * self.lease)]) == [True]
        for _ in range(8):
            claimed = queue.claim(1, LONG).deliveries
            if claimed:
                break
            advance(self.lease / 2)
        assert queue.now() >= before + 2 * self.lease
        assert [delivery.data for delivery in claimed] == [b"x"]

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_postponement_is_no_delivery(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that waits for its turn often enough would be buried as if it killed consumers."""
        queue.write(b"x")
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        queue.settle([Release(self.claim_one(queue), delay=self.lease)])
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).attempt == 2

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_postponed_message_keeps_its_place(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that had to wait once would then wait behind the whole backlog too."""
        queue.write_many([Message(b"first"), Message(b"second")])
        queue.settle([Release(self.claim_one(queue), delay=self.lease)])
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"first", b"second"]

    @promise(Capability.LEASES, Capability.DELAY, Capability.PRIORITY)
    def test_a_postponed_message_keeps_its_priority(self, queue: Any, advance: Passing) -> None:
        """Without this, an urgent command that had to wait once would then wait behind everything else."""
        queue.write(b"ordinary")
        queue.write(b"urgent", priority=2)
        queue.settle([Release(self.claim_one(queue), delay=self.lease)])
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"urgent", b"ordinary"]

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_postponed_message_lets_others_pass(self, queue: Any) -> None:
        """Without this, one command that may not run yet would hold up everything behind it."""
        queue.write_many([Message(b"first"), Message(b"second")])
        queue.settle([Release(self.claim_one(queue), delay=LONG)])
        assert self.claim_one(queue).data == b"second"
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.DELAY, Capability.INSPECT)
    def test_a_postponed_message_is_shown_as_scheduled(self, queue: Any) -> None:
        """Without this, an operator would take a command that waits for one that runs, or not see when it comes."""
        before = queue.now()
        message_id = self.postpone(queue)
        seen = self.stored(queue, message_id)
        assert (seen.data, seen.state, seen.attempt) == (b"postponed", State.SCHEDULED, 0)
        assert before + LONG - 0.01 <= seen.due <= queue.now() + LONG + 0.01
        assert queue.counts() == Counts(ready=0, scheduled=1, running=0, dead=0)
        assert queue.peek(State.SCHEDULED) == [seen]

    @promise(Capability.LEASES, Capability.DELAY, Capability.INSPECT)
    def test_a_postponed_message_is_requeued_before_its_time(self, queue: Any) -> None:
        """Without this, "run it now" would not work for a command that waits for its turn."""
        message_id = self.postpone(queue)
        assert queue.requeue([message_id]) == [message_id]
        again = self.claim_one(queue)
        assert (again.message_id, again.attempt) == (message_id, 1)

    @promise(Capability.LEASES, Capability.DELAY, Capability.INSPECT)
    def test_a_postponed_message_can_be_deleted(self, queue: Any, advance: Passing) -> None:
        """Without this, an operator could not stop a command that waits for its turn."""
        message_id = self.postpone(queue, self.lease)
        assert queue.delete([message_id]) == [message_id]
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []
        assert queue.counts() == Counts(0, 0, 0, 0)

    @promise(Capability.LEASES, Capability.DELAY, Capability.UNIQUE)
    def test_a_postponed_message_holds_its_key(self, queue: Any) -> None:
        """Without this, a unique command could be enqueued again while the first still waits for its turn."""
        self.postpone(queue, unique_key="key")
        assert queue.write(b"second", unique_key="key").created is False

    @promise(Capability.LEASES, Capability.DELAY)
    @pytest.mark.parametrize("delay", [0.0, -LONG, -1e300, -math.inf])
    def test_a_postponement_of_no_time_is_a_release(self, queue: Any, delay: float) -> None:
        """Without this, a command whose time has come would wait all the same."""
        self.postpone(queue, delay)
        assert self.claim_one(queue).data == b"postponed"
