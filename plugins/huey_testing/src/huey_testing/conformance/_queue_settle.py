"""What a leased queue promises for the end of a delivery: one step, and none at all for a stale receipt."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import (
    Ack,
    Bury,
    Capability,
    Counts,
    Delivery,
    Message,
    Release,
    Retry,
    State,
)
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QueueSettling"]

LATE_CALLS: Final[dict[str, Callable[[Any, Delivery], list[bool]]]] = {
    "ack": lambda queue, late: queue.settle([Ack(late, follow_ups=(Message(b"follow-up"),))]),
    "retry": lambda queue, late: queue.settle([Retry(late, b"changed")]),
    "retry with a delay": lambda queue, late: queue.settle([Retry(late, b"changed", delay=LONG)]),
    "release": lambda queue, late: queue.settle([Release(late)]),
    "release with a delay": lambda queue, late: queue.settle([Release(late, delay=LONG)]),
    "bury": lambda queue, late: queue.settle([Bury(late, "late", follow_ups=(Message(b"follow-up"),))]),
    "extend": lambda queue, late: queue.extend([late], 2 * LONG),
}
"""Everything a consumer may still say about a delivery that is no longer its own."""


class QueueSettling(QueueFixtures):
    """Promises of ``settle``."""

    @promise(Capability.LEASES)
    def test_an_acked_message_is_gone(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that is done would run again when its lease ends."""
        self.do_in_time(queue, Message(b"done"), lambda delivery: queue.settle([Ack(delivery)]))
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES)
    def test_a_second_ack_is_stale(self, queue: Any) -> None:
        """Without this, a consumer could not tell that its work had been settled already, and would count it twice."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        assert queue.settle([Ack(delivery), Ack(delivery)]) == [True, False]
        assert queue.settle([Ack(delivery)]) == [False]

    @promise(Capability.LEASES)
    def test_settling_nothing_is_no_error(self, queue: Any) -> None:
        """Without this, an idle consumer would crash at the end of an empty round."""
        assert queue.settle([]) == []

    @promise(Capability.LEASES)
    def test_outcomes_are_reported_in_their_order(self, queue: Any) -> None:
        """Without this, a consumer would take a stale delivery for a settled one, and its result for stored."""
        queue.write_many([Message(b"%d" % number) for number in range(5)])
        first, second, third, fourth, fifth = self.claim_soon(queue, 5)
        queue.settle([Ack(first), Ack(fourth)])
        outcomes = [Ack(first), Release(second), Bury(third, "bad"), Ack(fourth), Retry(fifth, b"again")]
        assert queue.settle(outcomes) == [False, True, True, False, True]

    @promise(Capability.LEASES)
    def test_a_released_message_is_at_the_head_at_once(self, queue: Any) -> None:
        """Without this, the commands a consumer had fetched would wait for its lease to end, or behind the backlog."""
        queue.write(b"first")
        queue.write(b"second")
        delivery = self.claim_one(queue)
        assert queue.settle([Release(delivery)]) == [True]
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"first", b"second"]

    @promise(Capability.LEASES)
    def test_released_messages_keep_their_order(self, queue: Any) -> None:
        """Without this, every graceful stop of a consumer would turn the order of its commands around."""
        written = [b"%d" % number for number in range(6)]
        queue.write_many([Message(data) for data in written])
        queue.settle([Release(delivery) for delivery in self.claim_soon(queue, 4)])
        assert [delivery.data for delivery in self.claim_soon(queue, 6)] == written

    @promise(Capability.LEASES)
    def test_a_release_takes_back_its_own_attempt_only(self, queue: Any, advance: Passing) -> None:
        """Without this, a graceful stop would hide from the queue that a command had killed a consumer before."""
        queue.write(b"x")
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        queue.settle([Release(self.claim_one(queue))])
        assert self.claim_one(queue).attempt == 2

    @promise(Capability.LEASES)
    def test_a_retry_replaces_the_bytes_under_the_same_id(self, queue: Any) -> None:
        """Without this, a command would forget at each retry how many retries it has left, or that it is the same."""
        message_id = queue.write(b"one retry left").message_id
        assert queue.settle([Retry(self.claim_one(queue), b"no retry left")]) == [True]
        again = self.claim_one(queue)
        assert (again.data, again.message_id) == (b"no retry left", message_id)
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES)
    def test_a_retried_message_keeps_its_place(self, queue: Any) -> None:
        """Without this, a command that failed once would wait behind the whole backlog."""
        queue.write(b"first")
        queue.write(b"second")
        queue.settle([Retry(self.claim_one(queue), b"first again")])
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"first again", b"second"]

    @promise(Capability.LEASES)
    def test_a_retry_counts_attempts_anew(self, queue: Any, advance: Passing) -> None:
        """Without this, a command with many retries would be buried as if it had crashed its consumers."""
        queue.write(b"x")
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        second = self.claim_one(queue)
        queue.settle([Retry(second, b"x")])
        assert (second.attempt, self.claim_one(queue).attempt) == (2, 1)

    @promise(Capability.LEASES)
    def test_a_retry_that_keeps_attempts_counts_on(self, queue: Any) -> None:
        """Without this, a message that no consumer can read would be tried again for ever."""
        queue.write(b"x")
        attempts = []
        for _ in range(3):
            delivery = self.claim_one(queue)
            attempts.append(delivery.attempt)
            assert queue.settle([Retry(delivery, b"x", keep_attempts=True)]) == [True]
        assert attempts == [1, 2, 3]

    @promise(Capability.LEASES, Capability.PRIORITY)
    def test_a_retry_keeps_its_priority(self, queue: Any) -> None:
        """Without this, an urgent command that failed once would wait behind everything else."""
        queue.write(b"ordinary")
        queue.write(b"urgent", priority=2)
        queue.settle([Retry(self.claim_one(queue), b"urgent again")])
        queue.write(b"more urgent", priority=3)
        order = [delivery.data for delivery in self.claim_soon(queue, 3)]
        assert order == [b"more urgent", b"urgent again", b"ordinary"]

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_retry_waits_for_its_delay_and_comes(self, queue: Any, advance: Passing) -> None:
        """Without this, a retry would hammer a service that asked for a pause, or be lost."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        before = queue.now()
        assert queue.settle([Retry(delivery, b"later", delay=2 * self.lease)]) == [True]
        for _ in range(8):
            claimed = queue.claim(1, LONG).deliveries
            if claimed:
                break
            advance(self.lease / 2)
        assert queue.now() >= before + 2 * self.lease
        assert [delivery.data for delivery in claimed] == [b"later"]

    @promise(Capability.LEASES, Capability.DELAY, Capability.PRIORITY)
    def test_a_delayed_retry_keeps_its_priority(self, queue: Any, advance: Passing) -> None:
        """Without this, an urgent command that waits for its retry would then wait behind everything else."""
        queue.write(b"ordinary")
        queue.write(b"urgent", priority=2)
        queue.settle([Retry(self.claim_one(queue), b"urgent again", delay=self.lease)])
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"urgent again", b"ordinary"]

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_a_buried_message_is_kept_with_its_reason(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that cannot be run would vanish or come back, with nothing to see."""
        reason, detail = "cannot be decoded", "Traceback: \N{GREEK SMALL LETTER ALPHA}\n  line 1"
        message = Message(b"\x00broken\xff")
        self.do_in_time(queue, message, lambda delivery: queue.settle([Bury(delivery, reason, detail)]))
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []
        (dead,) = queue.peek(State.DEAD)
        assert (dead.message_id, dead.data, dead.state) == (message.message_id, message.data, State.DEAD)
        assert (dead.reason, dead.detail) == (reason, detail)

    @promise(Capability.LEASES)
    def test_a_buried_message_lets_its_neighbours_pass(self, queue: Any) -> None:
        """Without this, one broken message would hold up everything behind it."""
        queue.write_many([Message(b"bad"), Message(b"good"), Message(b"good too")])
        queue.settle([Bury(self.claim_one(queue), "bad")])
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"good", b"good too"]

    @promise(Capability.LEASES)
    def test_what_comes_after_the_lease_and_before_another_claim_counts_or_is_refused(
        self, queue: Any, advance: Passing
    ) -> None:
        """Without this, a consumer that is late by a moment would be told the opposite of what became of its work."""
        queue.write(b"as it was")
        delivery = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        (took_effect,) = queue.settle([Retry(delivery, b"changed")])
        assert self.claim_one(queue).data == (b"changed" if took_effect else b"as it was")

    @promise(Capability.LEASES)
    @pytest.mark.parametrize("say", LATE_CALLS.values(), ids=LATE_CALLS.keys())
    def test_a_consumer_that_lost_its_lease_changes_nothing(
        self, queue: Any, advance: Passing, say: Callable[[Any, Delivery], list[bool]]
    ) -> None:
        """Without this, a consumer that froze and woke up again would undo the work of the one that took over."""
        queue.write(b"contested")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        current = self.claim_one(queue)
        before = queue.counts()

        assert say(queue, late) == [False]

        assert queue.counts() == before
        assert queue.claim(1, LONG).deliveries == []
        assert queue.settle([Retry(current, b"still mine")]) == [True]
        assert self.claim_one(queue).data == b"still mine"

    @promise(Capability.LEASES)
    @pytest.mark.parametrize("say", LATE_CALLS.values(), ids=LATE_CALLS.keys())
    def test_a_message_that_is_back_and_nobodys_yet_is_not_its_late_consumers(
        self, queue: Any, advance: Passing, say: Callable[[Any, Delivery], list[bool]]
    ) -> None:
        """Without this, a consumer that froze and woke up again would undo what another is about to begin."""
        queue.write_many([Message(b"first"), Message(b"second")])
        _, late = self.claim_soon(queue, 2, self.lease)
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).data == b"first"
        assert say(queue, late) == [False]
        assert self.claim_one(queue).data == b"second"

    @promise(Capability.LEASES)
    @pytest.mark.parametrize("say", LATE_CALLS.values(), ids=LATE_CALLS.keys())
    def test_a_settled_message_is_not_brought_back(
        self, queue: Any, say: Callable[[Any, Delivery], list[bool]]
    ) -> None:
        """Without this, a reply that was lost on the way and sent again would make a finished command run once more."""
        queue.write(b"done")
        delivery = self.claim_one(queue)
        queue.settle([Ack(delivery)])
        assert say(queue, delivery) == [False]
        assert queue.counts() == Counts(0, 0, 0, 0)

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_nothing_is_left_behind(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, the server's memory would fill up with traces of commands that are long done."""
        queue = new_queue()
        queue.write_many([Message(b"%d" % number, unique_key=None) for number in range(20)])
        claimed = self.claim_soon(queue, 20)
        queue.settle([Release(delivery) for delivery in claimed[:5]] + [Retry(d, b"x") for d in claimed[5:10]])
        queue.settle([Ack(delivery) for delivery in [*claimed[10:], *self.claim_soon(queue, 10)]])
        assert queue.counts() == Counts(0, 0, 0, 0)
        assert [queue.peek(state) for state in State] == [[], [], [], []]
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []
