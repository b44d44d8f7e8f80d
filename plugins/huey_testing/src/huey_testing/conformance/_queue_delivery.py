"""What a leased queue promises from the write to the claim: leases, delays, priorities, and that nothing is lost."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

import pytest

from huey_core.backends import (
    MAX_PRIORITY,
    Ack,
    Capability,
    Message,
    Release,
    Retry,
    State,
    abandoned_reason,
    new_message_id,
)
from huey_core.exceptions import MessageTooLarge
from huey_testing.conformance._promises import Passing, error_of, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures
from huey_testing.conformance._texts import DIFFICULT_TEXTS, SIMILAR_TO_A_SURROGATE, SURROGATE

__all__ = ["QueueDelivery"]

HOUR: Final = 3600.0
"""Less than what any two time zones differ by that this is about, and far more than a test takes."""


class QueueDelivery(QueueFixtures):
    """Promises of ``write``, ``write_many``, ``claim`` and ``extend``."""

    @promise(Capability.LEASES)
    def test_a_write_returns_the_id_it_was_given(self, queue: Any) -> None:
        """Without this, a producer could not find the command again that it has just enqueued."""
        message_id = new_message_id()
        written = queue.write(b"x", message_id=message_id)
        assert (written.created, written.message_id) == (True, message_id)
        assert self.claim_one(queue).message_id == message_id

    @promise(Capability.LEASES)
    def test_ids_that_look_alike_are_different(self, queue: Any) -> None:
        """Without this, a command would be dropped because another one's id looks alike to the server."""
        ids = [text for text in DIFFICULT_TEXTS if text]
        assert [each for each in ids if not queue.write(each.encode(), message_id=each).created] == []
        assert [each for each in ids if queue.write(b"again", message_id=each).created] == []
        claimed = self.claim_soon(queue, len(ids))
        assert [(delivery.message_id, delivery.data) for delivery in claimed] == [(each, each.encode()) for each in ids]
        assert queue.settle([Ack(delivery) for delivery in claimed]) == [True] * len(ids)

    @promise(Capability.LEASES)
    def test_an_id_that_is_no_unicode_is_refused_or_kept_apart(self, queue: Any) -> None:
        """Without this, a command would be dropped because another one's id looks alike on the server."""
        similar = [text for text in SIMILAR_TO_A_SURROGATE if text]
        for each in similar:
            queue.write(b"another", message_id=each)
        if error_of(lambda: queue.write(b"mine", message_id=SURROGATE)) is None:
            similar.append(SURROGATE)
        assert [delivery.message_id for delivery in self.claim_soon(queue, len(similar))] == similar

    @promise(Capability.LEASES)
    def test_writing_an_id_again_changes_nothing(self, queue: Any) -> None:
        """Without this, a producer that tries again after a lost reply would make the command run twice."""
        message_id = new_message_id()
        queue.write(b"first", message_id=message_id)
        again = queue.write(b"second", message_id=message_id)
        assert (again.created, again.message_id) == (False, message_id)
        assert [delivery.data for delivery in self.claim_soon(queue, 1)] == [b"first"]
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES)
    def test_writing_the_id_of_a_running_message_changes_nothing(self, queue: Any) -> None:
        """Without this, a producer's late second try would start the command beside the one that runs."""
        message_id = new_message_id()
        queue.write(b"first", message_id=message_id)
        running = self.claim_one(queue)
        assert queue.write(b"second", message_id=message_id).created is False
        assert queue.claim(1, LONG).deliveries == []
        assert queue.settle([Ack(running)]) == [True]

    @promise(Capability.LEASES)
    def test_the_id_of_a_settled_message_can_be_written_again(self, queue: Any) -> None:
        """Without this, an application with ids of its own could never enqueue the same thing a second time."""
        message_id = new_message_id()
        queue.write(b"first", message_id=message_id)
        queue.settle([Ack(self.claim_one(queue))])
        assert queue.write(b"second", message_id=message_id).created is True
        assert self.claim_one(queue).data == b"second"

    @promise(Capability.LEASES)
    def test_write_many_keeps_order_and_reports_each_message(self, queue: Any) -> None:
        """Without this, a batch would run in a mixed-up order, or hide which of its commands were duplicates."""
        messages = [Message(b"%d" % number) for number in range(10)]
        queue.write_many([messages[4]])
        written = queue.write_many(messages)
        assert [item.created for item in written] == [number != 4 for number in range(10)]
        assert [item.message_id for item in written] == [message.message_id for message in messages]
        claimed = [delivery.data for delivery in self.claim_soon(queue, 10)]
        assert claimed == [b"4", *(b"%d" % number for number in range(10) if number != 4)]

    @promise(Capability.LEASES)
    def test_write_many_of_nothing_is_no_error(self, queue: Any) -> None:
        """Without this, enqueueing an empty list would crash the producer."""
        assert queue.write_many([]) == []

    @promise(Capability.LEASES)
    def test_a_message_over_the_limit_is_refused_whole(self, queue: Any) -> None:
        """Without this, an oversized command would take its batch down half written, with no word of the limit."""
        limit = self.lower_limit(queue)
        if limit is None:
            queue.write(bytes(2**22))
            assert len(self.claim_one(queue).data) == 2**22
            return
        with pytest.raises(MessageTooLarge) as caught:
            queue.write_many([Message(b"small"), Message(bytes(limit + 1))])
        assert (caught.value.limit, caught.value.size) == (limit, limit + 1)
        assert queue.claim(1, LONG).deliveries == []
        queue.write(bytes(limit))
        assert self.claim_one(queue).data == bytes(limit)

    @promise(Capability.LEASES)
    def test_a_claim_takes_no_more_than_its_limit(self, queue: Any) -> None:
        """Without this, one consumer would hoard the commands that others have the time to run."""
        for number in range(5):
            queue.write(b"%d" % number)
        assert len(queue.claim(2, LONG).deliveries) in {1, 2}
        assert len(queue) >= 3

    @promise(Capability.LEASES)
    def test_a_leased_message_is_nobody_elses(self, new_queue: QueueFactory, queue: Any) -> None:
        """Without this, two consumers would run the same command at the same time."""
        queue.write(b"mine")
        self.claim_one(queue)
        assert queue.claim(10, LONG).deliveries == []
        assert new_queue(queue.name).claim(10, LONG).deliveries == []

    @promise(Capability.LEASES)
    def test_an_expired_lease_brings_the_message_back(self, queue: Any, advance: Passing) -> None:
        """Without this, the commands of a consumer that was killed would be lost."""
        queue.write(b"survivor")
        first = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        again = self.claim_one(queue)
        assert (again.data, again.message_id) == (b"survivor", first.message_id)

    @promise(Capability.LEASES)
    def test_a_lost_delivery_counts_as_an_attempt(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that kills its consumer would kill one after another for ever."""
        queue.write(b"x")
        attempts = [self.claim_one(queue, self.lease).attempt]
        for _ in range(2):
            advance(self.beyond(self.lease))
            attempts.append(self.claim_one(queue, self.lease).attempt)
        assert attempts == [1, 2, 3]

    @promise(Capability.LEASES)
    def test_every_claim_has_a_receipt_of_its_own(self, queue: Any, advance: Passing) -> None:
        """Without this, a consumer that was thought dead could settle the delivery of the one that took over."""
        queue.write(b"x")
        receipts = [self.claim_one(queue, self.lease).receipt]
        advance(self.beyond(self.lease))
        for put_back in (Release, partial(Retry, data=b"x")):
            delivery = self.claim_one(queue)
            receipts.append(delivery.receipt)
            assert queue.settle([put_back(delivery)]) == [True]
        receipts.append(self.claim_one(queue).receipt)
        assert len(set(receipts)) == 4

    @promise(Capability.LEASES)
    def test_what_came_back_goes_to_the_head(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that lost its consumer would wait behind the whole backlog."""
        queue.write(b"old")
        self.claim_one(queue, self.lease)
        queue.write(b"new")
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"old", b"new"]

    @promise(Capability.LEASES)
    def test_an_extended_lease_lasts(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that runs for longer than one lease would be run a second time meanwhile."""
        delivery = self.do_in_time(queue, Message(b"long"), lambda delivery: queue.extend([delivery], LONG))
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []
        assert queue.settle([Ack(delivery)]) == [True]

    @promise(Capability.LEASES)
    def test_an_extended_lease_ends_too(self, queue: Any, advance: Passing) -> None:
        """Without this, the commands of a consumer that was killed after a renewal would be lost."""
        queue.write(b"x")
        delivery = self.claim_one(queue, LONG)
        assert queue.extend([delivery], self.lease) == [True]
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).attempt == 2

    @promise(Capability.LEASES)
    def test_extend_reports_each_delivery(self, queue: Any) -> None:
        """Without this, a consumer would not know which of its commands another one has taken over."""
        queue.write(b"a")
        queue.write(b"b")
        mine, gone = self.claim_soon(queue, 2)
        queue.settle([Ack(gone)])
        assert queue.extend([gone, mine], LONG) == [False, True]
        assert queue.extend([], LONG) == []

    @promise(Capability.LEASES, Capability.INSPECT)
    @pytest.mark.parametrize("limit", [1, 2])
    def test_too_many_lost_deliveries_bury_the_message(
        self, new_queue: QueueFactory, advance: Passing, limit: int
    ) -> None:
        """Without this, one command that crashes its process would keep every consumer down."""
        queue = new_queue(max_deliveries=limit)
        queue.write(b"killer", message_id="killer")
        for _ in range(limit):
            assert self.claim_one(queue, self.lease).data == b"killer"
            advance(self.beyond(self.lease))
        queue.write(b"neighbour")
        assert self.claim_one(queue).data == b"neighbour"
        dead = self.find_buried(queue)
        assert (dead.message_id, dead.data, dead.attempt) == ("killer", b"killer", limit)
        assert dead.reason == abandoned_reason(limit)

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_a_retry_that_keeps_attempts_may_pass_the_limit(self, new_queue: QueueFactory) -> None:
        """Without this, a message that its consumers only put back would be buried as if it had killed them."""
        queue = new_queue(max_deliveries=2)
        queue.write(b"unreadable")
        attempts = []
        for _ in range(4):
            delivery = self.claim_one(queue)
            attempts.append(delivery.attempt)
            assert queue.settle([Retry(delivery, b"unreadable", keep_attempts=True)]) == [True]
        assert attempts == [1, 2, 3, 4]
        assert queue.peek(State.DEAD) == []

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_delayed_retry_that_keeps_attempts_comes_past_the_limit(
        self, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a message that waits for a consumer of the next version would be buried while it waits."""
        queue = new_queue(max_deliveries=1)
        queue.write(b"unreadable")
        queue.settle([Retry(self.claim_one(queue), b"unreadable", delay=self.lease, keep_attempts=True)])
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).attempt == 2

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_a_message_past_the_limit_is_buried_once_it_is_abandoned(
        self, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a command that was put back too often could kill one consumer after another for ever."""
        queue = new_queue(max_deliveries=2)
        queue.write(b"killer")
        for _ in range(2):
            queue.settle([Retry(self.claim_one(queue), b"killer", keep_attempts=True)])
        assert self.claim_one(queue, self.lease).attempt == 3
        advance(self.beyond(self.lease))
        dead = self.find_buried(queue)
        assert (dead.attempt, dead.reason) == (3, abandoned_reason(3))

    @promise(Capability.LEASES)
    def test_released_deliveries_never_bury(self, new_queue: QueueFactory) -> None:
        """Without this, a few deployments in a row would bury commands that did nothing wrong."""
        queue = new_queue(max_deliveries=2)
        queue.write(b"patient")
        for _ in range(5):
            delivery = self.claim_one(queue)
            assert delivery.attempt == 1
            assert queue.settle([Release(delivery)]) == [True]

    @promise(Capability.LEASES)
    def test_abandoned_claims_lose_nothing(self, queue: Any, advance: Passing) -> None:
        """Without this, a crash of a consumer would lose the commands it had fetched ahead."""
        written = {b"%d" % number for number in range(30)}
        queue.write_many([Message(data) for data in sorted(written)])
        self.claim_soon(queue, 30, self.lease)
        advance(self.beyond(self.lease))
        back = self.claim_soon(queue, 30)
        assert {delivery.data for delivery in back} == written
        assert {delivery.attempt for delivery in back} == {2}

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_delayed_message_is_not_early_and_then_there(self, queue: Any, advance: Passing) -> None:
        """Without this, a reminder would go out before its time, or not at all."""
        eta = queue.now() + 2 * self.lease
        queue.write(b"later", eta=eta)
        for _ in range(8):
            claimed = queue.claim(1, LONG).deliveries
            if claimed:
                break
            advance(self.lease / 2)
        assert queue.now() >= eta
        assert [delivery.data for delivery in claimed] == [b"later"]

    @promise(Capability.LEASES)
    def test_the_clock_does_not_go_by_the_local_time_zone(self, queue: Any) -> None:
        """Without this, leases would end and reminders go out hours late wherever local time is not UTC."""
        here = queue.now()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TZ", "ELSEWHERE-12")
                time.tzset()
                elsewhere = queue.now()
        finally:
            time.tzset()
        assert elsewhere == pytest.approx(here, abs=HOUR)

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_message_of_the_past_is_due_at_once(self, queue: Any) -> None:
        """Without this, a command whose time had passed when it was enqueued would never run."""
        queue.write(b"overdue", eta=queue.now() - 3600)
        assert [delivery.data for delivery in queue.claim(1, LONG).deliveries] == [b"overdue"]

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_due_message_takes_its_place_by_the_order_of_writing(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that has been due for long would wait behind all that was enqueued after it."""
        queue.write(b"first", eta=queue.now() + self.lease)
        queue.write(b"second")
        advance(self.beyond(self.lease))
        queue.write(b"third")
        assert [delivery.data for delivery in self.claim_soon(queue, 3)] == [b"first", b"second", b"third"]

    @promise(Capability.LEASES, Capability.DELAY, Capability.PRIORITY)
    def test_due_messages_are_ordered_by_priority(self, queue: Any, advance: Passing) -> None:
        """Without this, an urgent command that was scheduled would lose its urgency."""
        eta = queue.now() + self.lease
        queue.write(b"low", eta=eta, priority=-1)
        queue.write(b"high", eta=eta, priority=1)
        queue.write(b"ordinary")
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 3)] == [b"high", b"ordinary", b"low"]

    @promise(Capability.LEASES, Capability.PRIORITY)
    def test_a_higher_priority_comes_first_and_equals_in_order(self, queue: Any) -> None:
        """Without this, a password reset would wait behind a million newsletters."""
        priorities = [0, 5, -5, MAX_PRIORITY, -MAX_PRIORITY, 0, 5, MAX_PRIORITY - 1, -5, MAX_PRIORITY]
        for number, priority in enumerate(priorities):
            queue.write(b"%d" % number, priority=priority)
        expected = sorted(range(len(priorities)), key=lambda number: (-priorities[number], number))
        assert [int(delivery.data) for delivery in self.claim_soon(queue, len(priorities))] == expected

    @promise(Capability.LEASES, Capability.PRIORITY)
    def test_what_came_back_keeps_its_priority(self, queue: Any, advance: Passing) -> None:
        """Without this, a crash would make an urgent command ordinary, or an ordinary one urgent."""
        queue.write(b"urgent", priority=3)
        queue.write(b"ordinary")
        self.claim_soon(queue, 2, self.lease)
        queue.write(b"more urgent", priority=4)
        queue.write(b"as urgent", priority=3)
        advance(self.beyond(self.lease))
        order = [delivery.data for delivery in self.claim_soon(queue, 4)]
        assert order == [b"more urgent", b"urgent", b"as urgent", b"ordinary"]

    @promise(Capability.LEASES)
    def test_read_takes_a_message_for_good(self, queue: Any) -> None:
        """Without this, a plain reader would leave leases behind that bring its messages back."""
        queue.write(b"x")
        assert queue.read() == b"x"
        counts = queue.counts()
        assert (counts.ready, counts.scheduled, counts.running, counts.dead) == (0, 0, 0, 0)
