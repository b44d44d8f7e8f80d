"""What a leased queue promises for what follows a message in another queue at the same place."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Ack, Arrival, Bury, Capability, Message, Outcome, Reported
from huey_core.exceptions import Unsupported
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends import LeasedQueue

__all__ = ["QueueBeside"]

ENDS: Final[dict[str, Callable[..., Outcome]]] = {"ack": Ack, "bury": partial(Bury, reason="failed")}
"""The outcomes that something may follow."""


class QueueBeside(QueueFixtures):
    """Promises of ``settles_beside``, and of messages that name a queue."""

    @pytest.fixture
    def beside(self, queue: LeasedQueue, new_queue: QueueFactory) -> Any:
        """Another queue, into which the first one can write what follows its messages."""
        beside = new_queue()
        if not queue.settles_beside(beside.name):
            pytest.skip("it does not settle beside: what follows in another queue is refused")
        return beside

    @promise(Capability.LEASES)
    def test_it_settles_beside_itself(self, queue: Any) -> None:
        """Without this, a command that names its own queue could not follow another one."""
        assert queue.settles_beside(queue.name) is True
        queue.write(b"first")
        assert queue.settle([Ack(self.claim_one(queue), follow_ups=(Message(b"next", queue=queue.name),))]) == [True]
        assert self.claim_one(queue).data == b"next"

    @promise(Capability.LEASES)
    def test_what_it_cannot_write_beside_is_refused(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, a command that follows in another queue would be lost, or run by the wrong consumer."""
        beside = new_queue()
        queue.write(b"first")
        delivery = self.claim_one(queue)
        ack = Ack(delivery, follow_ups=(Message(b"next", queue=beside.name),))
        if queue.settles_beside(beside.name):
            assert queue.settle([ack]) == [True]
            assert self.claim_one(beside).data == b"next"
        else:
            with pytest.raises(Unsupported):
                queue.settle([ack])
            assert queue.settle([Ack(delivery)]) == [True]
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_what_follows_goes_to_the_queue_that_it_names(
        self, queue: Any, beside: Any, end: Callable[..., Outcome]
    ) -> None:
        """Without this, the next step of a job would be run by consumers that are not meant for it."""
        first, second, here = Message(b"1", queue=beside.name), Message(b"2", queue=beside.name), Message(b"here")
        queue.write(b"first")
        assert queue.settle([end(self.claim_one(queue), follow_ups=(first, here, second))]) == [True]
        claimed = self.claim_soon(beside, 2)
        assert [(each.data, each.message_id) for each in claimed] == [
            (b"1", first.message_id),
            (b"2", second.message_id),
        ]
        assert self.claim_one(queue).data == b"here"
        assert queue.claim(1, LONG).deliveries == beside.claim(1, LONG).deliveries == []
        assert beside.settle([Ack(each) for each in claimed]) == [True, True]

    @promise(Capability.LEASES)
    def test_a_stale_receipt_writes_nothing_beside(self, queue: Any, beside: Any, advance: Passing) -> None:
        """Without this, a consumer that lost its lease would let the next step of a job run twice."""
        queue.write(b"first")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        current = self.claim_one(queue)
        assert queue.settle([Ack(late, follow_ups=(Message(b"next", queue=beside.name),))]) == [False]
        assert beside.claim(1, LONG).deliveries == []
        assert queue.settle([Ack(current)]) == [True]

    @promise(Capability.LEASES, Capability.UNIQUE, Capability.DELAY)
    def test_it_is_written_beside_as_any_message_there(self, queue: Any, beside: Any) -> None:
        """Without this, a command in another queue would run twice at a time, or before it is due."""
        due = beside.now() + LONG
        assert beside.write(b"there", unique_key="taken").created
        assert queue.write(b"here", unique_key="free").created
        follow_ups = (
            Message(b"double", unique_key="taken", queue=beside.name),
            Message(b"other", unique_key="free", queue=beside.name),
            Message(b"later", eta=due, queue=beside.name),
        )
        assert queue.settle([Ack(self.claim_one(queue), follow_ups=follow_ups)]) == [True]
        assert [each.data for each in self.claim_soon(beside, 2)] == [b"there", b"other"]
        assert beside.claim(1, LONG).deliveries == []
        assert not beside.write(b"again", unique_key="free").created
        assert queue.write(b"again", unique_key="free").created

    @promise(Capability.LEASES)
    def test_a_claim_beside_that_waits_is_ended_by_it(self, queue: Any, beside: Any) -> None:
        """Without this, the next step of a job would lie there while its consumers are idle."""
        queue.write(b"first")
        ack = Ack(self.claim_one(queue), follow_ups=(Message(b"next", queue=beside.name),))
        assert [each.data for each in self.claim_while(beside, lambda: queue.settle([ack]))] == [b"next"]

    @promise(Capability.LEASES)
    def test_what_follows_a_reported_dead_letter_may_be_beside(
        self, new_queue: QueueFactory, beside: Any, advance: Passing
    ) -> None:
        """Without this, what is to be done after a command that kills its consumers would be done elsewhere, or not."""
        queue = new_queue(max_deliveries=1)
        killer = queue.write(b"killer").message_id
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        self.find_buried(queue)
        queue.report_done([Reported(killer, (Message(b"next", queue=beside.name),))])
        assert self.claim_one(beside).data == b"next"
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("last_is_beside", [False, True], ids=["here", "beside"])
    def test_a_group_may_have_members_in_several_queues(self, queue: Any, beside: Any, last_is_beside: bool) -> None:
        """Without this, what follows a group of commands in several queues would never run, or too early."""
        then = Message(b"all are done", queue=beside.name)
        queues = [queue, beside] if last_is_beside else [beside, queue]
        for number, each in enumerate(queues):
            each.write(b"member")
            arrival = Arrival("group", f"member {number}", 2, then)
            delivery = self.claim_one(each)
            assert beside.claim(1, LONG).deliveries == []
            assert each.settle([Ack(delivery, arrivals=(arrival,))]) == [True]
        assert self.claim_one(beside).data == b"all are done"
        assert queue.claim(1, LONG).deliveries == beside.claim(1, LONG).deliveries == []
        assert [(group.group, group.complete) for group in beside.groups().items] == [("group", True)]
        assert queue.groups().items == []
