"""Dead letters that claims have made: each is named to one consumer at a time, until one has reported it."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Ack, Bury, Capability, Claim, Message, Reported
from huey_core.exceptions import MessageTooLarge
from huey_testing.conformance._promises import Passing, eventually, in_threads, promise, within
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from huey_core.backends import LeasedQueue

__all__ = ["QueueDeadLetters"]


class QueueDeadLetters(QueueFixtures):
    """Promises to who waits for a command that kills its consumers."""

    @pytest.fixture
    def strict(self, new_queue: QueueFactory) -> Any:
        """An empty queue whose messages are delivered once."""
        return new_queue(max_deliveries=1)

    def abandon(self, queue: LeasedQueue, advance: Passing, count: int = 1) -> list[str]:
        """Write messages whose only delivery comes to nothing, and return their ids."""
        messages = [Message(b"killer") for _ in range(count)]
        queue.write_many(messages)
        self.claim_soon(queue, count, self.lease)
        advance(self.beyond(self.lease))
        return [message.message_id for message in messages]

    def name_one(self, queue: LeasedQueue, lease: float = LONG) -> str:
        """Claim, which gives nothing, until that has named the one dead letter that is to be reported."""

        def named() -> list[str]:
            # The consumer is to be back to report it, and not to wait on for something to run.
            claim = within(self.deadline, lambda: queue.claim(1, lease, wait=3 * self.deadline), "a claim that names")
            assert claim.deliveries == []
            return claim.buried

        (message_id,) = eventually(named, "the id of a dead letter", self.deadline)
        return message_id

    def name_all(self, queue: LeasedQueue, count: int, lease: float = LONG) -> set[str]:
        """Claim, which gives nothing, until that has named so many dead letters that are to be reported."""
        named: set[str] = set()

        def enough() -> bool:
            claim = queue.claim(1, lease)
            assert claim.deliveries == []
            named.update(claim.buried)
            return len(named) >= count

        eventually(enough, f"the ids of {count} dead letters", self.deadline)
        return named

    @promise(Capability.LEASES)
    def test_what_a_claim_buries_is_named(self, strict: Any, advance: Passing) -> None:
        """Without this, whoever waits for a command that kills its consumers would wait on, and no operator be told."""
        (abandoned,) = self.abandon(strict, advance)
        assert self.name_one(strict) == abandoned
        assert strict.claim(1, LONG).buried == []

    @promise(Capability.LEASES)
    def test_what_a_consumer_buries_itself_is_not_named(self, queue: Any) -> None:
        """Without this, every command that failed would be reported a second time, as if it had been abandoned."""
        queue.write(b"failed")
        assert queue.settle([Bury(self.claim_one(queue), "failed")]) == [True]
        assert queue.claim(1, LONG).buried == []

    @promise(Capability.LEASES)
    def test_a_dead_letter_that_was_not_reported_is_named_again(
        self, strict: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, nobody would be told when the consumer that was to report it has been killed as well."""
        (abandoned,) = self.abandon(strict, advance)
        assert self.name_one(strict, self.lease) == abandoned
        advance(self.beyond(self.lease))
        other = new_queue(strict.name)
        assert self.name_one(other) == abandoned
        assert strict.claim(1, LONG).buried == []

    @promise(Capability.LEASES)
    def test_a_dead_letter_that_was_reported_is_named_no_more(self, strict: Any, advance: Passing) -> None:
        """Without this, plugins would be told of every dead letter again and again."""
        (abandoned,) = self.abandon(strict, advance)
        assert self.name_one(strict, self.lease) == abandoned
        strict.report_done([Reported(abandoned), Reported("unknown")])
        advance(self.beyond(self.lease))
        assert strict.claim(1, LONG).buried == []

    @promise(Capability.LEASES)
    def test_a_dead_letter_is_named_to_one_consumer_at_a_time(
        self, strict: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, several consumers would report each dead letter at once."""
        abandoned = self.abandon(strict, advance, count=20)
        named: list[str] = []

        def all_named() -> bool:
            claims = in_threads([partial(new_queue(strict.name, max_deliveries=1).claim, 1, LONG) for _ in range(4)])
            named.extend(message_id for claim in claims for message_id in claim.buried)
            return len(named) >= len(abandoned)

        eventually(all_named, f"{len(abandoned)} dead letters", self.deadline)
        assert Counter(named) == Counter(abandoned)

    @promise(Capability.LEASES)
    def test_what_was_flushed_is_not_named(self, strict: Any, advance: Passing) -> None:
        """Without this, consumers would look in vain for dead letters that an operator has thrown away."""
        self.abandon(strict, advance)
        self.name_one(strict, self.lease)
        strict.flush()
        advance(self.beyond(self.lease))
        assert strict.claim(1, LONG).buried == []

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_what_was_deleted_is_not_named(self, strict: Any, advance: Passing) -> None:
        """Without this, consumers would look in vain for dead letters that an operator has thrown away."""
        (abandoned,) = self.abandon(strict, advance)
        self.name_one(strict, self.lease)
        strict.delete([abandoned])
        advance(self.beyond(self.lease))
        assert strict.claim(1, LONG).buried == []

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_what_was_requeued_is_named_when_it_is_buried_again(self, strict: Any, advance: Passing) -> None:
        """Without this, a command that an operator runs again would be reported as abandoned, or never when it is."""
        (abandoned,) = self.abandon(strict, advance)
        self.name_one(strict, self.lease)
        strict.requeue([abandoned])
        advance(self.beyond(self.lease))
        claim = strict.claim(1, self.lease)
        assert (len(claim.deliveries), claim.buried) == (1, [])
        advance(self.beyond(self.lease))
        assert self.name_one(strict) == abandoned

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_what_follows_a_reported_dead_letter_appears_once_and_in_order(self, strict: Any, advance: Passing) -> None:
        """Without this, what is to happen after a failure would not happen when a command killed its consumers."""
        (abandoned,) = self.abandon(strict, advance)
        self.name_one(strict)
        follow_ups = (Message(b"clean up"), Message(b"tell somebody"))
        strict.report_done([Reported(abandoned, follow_ups)])
        claimed = self.claim_soon(strict, 2)
        assert [delivery.data for delivery in claimed] == [b"clean up", b"tell somebody"]
        assert [delivery.message_id for delivery in claimed] == [message.message_id for message in follow_ups]
        assert strict.claim(1, LONG) == Claim([], [])

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_of_many_who_report_a_dead_letter_one_writes_what_follows(
        self, strict: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a slow consumer and the one that took over would both start what follows a failure."""
        (abandoned,) = self.abandon(strict, advance)
        self.name_one(strict)
        reports = [[Reported(abandoned, (Message(b"%d" % number),))] for number in range(8)]
        in_threads([partial(new_queue(strict.name, max_deliveries=1).report_done, report) for report in reports])
        self.claim_one(strict)
        assert strict.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.INSPECT)
    def test_nothing_follows_what_is_not_to_be_reported(self, strict: Any, advance: Passing) -> None:
        """Without this, a late report would start what follows the failure of a command that an operator has run."""
        (requeued,) = self.abandon(strict, advance)
        self.name_one(strict)
        strict.requeue([requeued])
        running = self.claim_one(strict)
        strict.write(b"failed")
        failed = self.claim_one(strict)
        strict.settle([Bury(failed, "failed")])
        strict.report_done([Reported(each, (Message(b"x"),)) for each in (requeued, failed.message_id, "unknown")])
        assert strict.claim(1, LONG).deliveries == []
        assert strict.settle([Ack(running)]) == [True]

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_a_report_over_the_limit_does_nothing(self, strict: Any, advance: Passing) -> None:
        """Without this, a dead letter would count as reported while what follows it was lost."""
        limit = self.lower_limit(strict)
        first, second = self.abandon(strict, advance, count=2)
        assert self.name_all(strict, 2, self.lease) == {first, second}
        if limit is not None:
            with pytest.raises(MessageTooLarge):
                strict.report_done([Reported(first), Reported(second, (Message(bytes(limit + 1)),))])
        advance(self.beyond(self.lease))
        assert self.name_all(strict, 2) == {first, second}
