"""What a leased queue promises to an operator: to see every message, to requeue, to delete and to pause."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Ack, Bury, Capability, Counts, Message, State
from huey_testing.conformance._promises import Passing, Threads, eventually, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from huey_core.backends import LeasedQueue

__all__ = ["QueueInspection"]


class QueueInspection(QueueFixtures):
    """Promises of ``counts``, ``peek``, ``find``, ``requeue``, ``delete``, ``pause`` and ``resume``."""

    def put_into(self, queue: Any, state: State, count: int = 1) -> list[str]:
        """Bring new messages into a state, and return their ids in the order in which the state is listed."""
        eta = queue.now() + LONG if state is State.SCHEDULED else None
        messages = [Message(b"%d" % n, eta=eta and eta + n) for n in range(count)]
        queue.write_many(messages)
        if state in {State.RUNNING, State.DEAD}:
            for number in range(count):
                delivery = self.claim_one(queue, LONG + 10 * number)
                if state is State.DEAD:
                    queue.settle([Bury(delivery, f"reason {number}", f"detail {number}")])
        ids = [message.message_id for message in messages]
        return ids[::-1] if state is State.DEAD else ids

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    def test_counts_show_every_state(self, queue: Any) -> None:
        """Without this, an operator would not see where the commands are."""
        self.put_into(queue, State.DEAD)
        self.put_into(queue, State.RUNNING, 2)
        self.put_into(queue, State.READY, 3)
        self.put_into(queue, State.SCHEDULED, 4)
        assert queue.counts() == Counts(ready=3, scheduled=4, running=2, dead=1, paused=False)
        assert len(queue) == 3

    @promise(Capability.LEASES, Capability.INSPECT, Capability.PRIORITY)
    def test_peek_lists_the_most_urgent_first(self, queue: Any) -> None:
        """Without this, an operator would be shown something else than what runs next."""
        for priority in (-1, 3, 0, 3):
            queue.write(b"%d" % priority, priority=priority)
        shown = [message.message_id for message in queue.peek(State.READY)]
        assert shown == [delivery.message_id for delivery in self.claim_soon(queue, 4)]

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    @pytest.mark.parametrize("state", State)
    def test_peek_lists_a_state_in_order_and_in_pages(self, queue: Any, state: State) -> None:
        """Without this, an operator would look at the wrong commands, or miss some between two pages."""
        ids = self.put_into(queue, state, 7)
        assert [message.message_id for message in queue.peek(state)] == ids
        pages = [queue.peek(state, offset, 3) for offset in (0, 3, 6, 9)]
        assert [[message.message_id for message in page] for page in pages] == [ids[:3], ids[3:6], ids[6:], []]
        assert {message.state for page in pages for message in page} == {state}

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    @pytest.mark.parametrize("state", State)
    def test_a_state_may_be_given_as_text(self, queue: Any, state: State) -> None:
        """Without this, who writes peek("ready") would see nothing where there is something, or wrong times."""
        self.put_into(queue, state)
        assert queue.peek(state.value) == queue.peek(state) != []

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    @pytest.mark.parametrize("state", State)
    def test_looking_changes_nothing(self, queue: Any, state: State) -> None:
        """Without this, looking at a queue would lose, move or delay its commands."""
        (message_id,) = self.put_into(queue, state)
        before = queue.counts(), queue.peek(state), queue.find([message_id])
        assert (queue.counts(), queue.peek(state), queue.find([message_id])) == before
        assert before[1] == before[2] != []
        assert [delivery.message_id for delivery in queue.claim(10, LONG).deliveries] == [message_id] * (
            state is State.READY
        )

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    def test_a_listed_message_is_shown_as_it_is(self, queue: Any) -> None:
        """Without this, an operator would decide by wrong bytes, priorities, attempts or times."""
        eta = queue.now() + LONG
        ready = queue.write(b"\x00ready", priority=2).message_id
        scheduled = queue.write(b"scheduled", eta=eta).message_id
        seen = self.stored(queue, ready)
        assert (seen.data, seen.state, seen.attempt, seen.due) == (b"\x00ready", State.READY, 0, None)
        assert seen.priority == (2 if Capability.PRIORITY in queue.capabilities else seen.priority)
        seen = self.stored(queue, scheduled)
        assert (seen.data, seen.state) == (b"scheduled", State.SCHEDULED)
        assert seen.due == pytest.approx(eta, abs=0.01)
        before = queue.now()
        delivery = self.claim_one(queue)
        after = queue.now()
        seen = self.stored(queue, ready)
        assert (seen.state, seen.attempt) == (State.RUNNING, 1)
        assert before + LONG - 5 <= seen.due <= after + LONG + 5
        queue.settle([Bury(delivery, "reason")])
        assert before - 5 <= self.stored(queue, ready).due <= queue.now() + 5

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_find_returns_what_there_is_in_the_order_asked_for(self, queue: Any) -> None:
        """Without this, looking up commands by id would show one for another."""
        ids = [queue.write(b"%d" % number).message_id for number in range(3)]
        asked = [ids[2], "unknown", ids[0], ids[1]]
        assert [message.message_id for message in queue.find(asked)] == [ids[2], ids[0], ids[1]]
        assert queue.find([]) == []

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_a_settled_message_is_found_no_more(self, queue: Any) -> None:
        """Without this, an operator would see commands as waiting that are long done."""
        message_id = queue.write(b"x").message_id
        queue.settle([Ack(self.claim_one(queue))])
        assert queue.find([message_id]) == []

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_a_dead_message_is_requeued_with_a_clean_slate(self, queue: Any, advance: Passing) -> None:
        """Without this, dead commands could not be run once their cause is fixed, or would soon be buried again."""
        message_id = queue.write(b"x").message_id
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        queue.settle([Bury(self.claim_one(queue), "reason")])
        assert queue.requeue([message_id, "unknown"]) == [message_id]
        again = self.claim_one(queue)
        assert (again.data, again.message_id, again.attempt) == (b"x", message_id, 1)
        assert queue.counts() == Counts(ready=0, scheduled=0, running=1, dead=0)
        assert self.stored(queue, message_id).reason == ""

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    def test_a_scheduled_message_is_requeued_before_its_time(self, queue: Any) -> None:
        """Without this, "run it now" would not work for what is scheduled or waits for its retry."""
        (message_id,) = self.put_into(queue, State.SCHEDULED)
        assert queue.requeue([message_id]) == [message_id]
        assert self.claim_one(queue).message_id == message_id

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    @pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD])
    def test_a_requeued_message_is_in_its_old_place(self, queue: Any, state: State) -> None:
        """Without this, a command that an operator runs again would wait behind everything that came after it."""
        (first,) = self.put_into(queue, state)
        second = queue.write(b"second").message_id
        queue.requeue([first])
        assert [delivery.message_id for delivery in self.claim_soon(queue, 2)] == [first, second]

    @promise(Capability.LEASES, Capability.INSPECT)
    @pytest.mark.parametrize("state", [State.READY, State.RUNNING])
    def test_other_messages_are_not_requeued(self, queue: Any, state: State) -> None:
        """Without this, a click too many would start a command beside the one that runs."""
        (message_id,) = self.put_into(queue, state)
        before = queue.counts()
        assert queue.requeue([message_id]) == []
        assert queue.counts() == before

    @promise(Capability.LEASES, Capability.INSPECT, Capability.UNIQUE)
    def test_a_requeue_respects_a_key_that_was_taken_since(self, queue: Any) -> None:
        """Without this, replaying a dead unique command would run it beside its successor."""
        first = queue.write(b"first", unique_key="key").message_id
        queue.settle([Bury(self.claim_one(queue), "bad")])
        queue.write(b"second", unique_key="key")
        assert queue.requeue([first]) == []
        assert self.stored(queue, first).state is State.DEAD
        queue.settle([Ack(self.claim_one(queue))])
        assert queue.requeue([first]) == [first]

    @promise(Capability.LEASES, Capability.INSPECT, Capability.UNIQUE)
    def test_a_requeued_message_has_its_key_again(self, queue: Any) -> None:
        """Without this, a unique command could be enqueued beside one that an operator has replayed."""
        first = queue.write(b"first", unique_key="key").message_id
        queue.settle([Bury(self.claim_one(queue), "bad")])
        queue.requeue([first])
        assert queue.write(b"second", unique_key="key").created is False

    @promise(Capability.LEASES, Capability.INSPECT, Capability.DELAY)
    @pytest.mark.parametrize("state", State)
    def test_a_message_is_deleted_wherever_it_is(self, queue: Any, state: State) -> None:
        """Without this, an operator could not stop a command that must not run (again)."""
        first, second = self.put_into(queue, state, 2)
        assert queue.delete([first, "unknown"]) == [first]
        assert queue.find([first, second]) == queue.peek(state)
        assert [message.message_id for message in queue.peek(state)] == [second]

    @promise(Capability.LEASES, Capability.INSPECT)
    def test_deleting_a_running_message_makes_its_receipt_stale(self, queue: Any, advance: Passing) -> None:
        """Without this, a deleted command would come back with its retry, or when its lease ends."""
        message_id = queue.write(b"x").message_id
        delivery = self.claim_one(queue, self.lease)
        assert queue.delete([message_id]) == [message_id]
        assert queue.extend([delivery], LONG) == [False]
        assert queue.settle([Ack(delivery)]) == [False]
        advance(self.beyond(self.lease))
        assert queue.claim(1, LONG).deliveries == []
        assert queue.counts() == Counts(0, 0, 0, 0)

    @promise(Capability.LEASES)
    def test_a_flush_makes_receipts_stale(self, queue: Any) -> None:
        """Without this, commands that were thrown away would come back with their retry."""
        queue.write(b"x", message_id="same")
        delivery = self.claim_one(queue)
        queue.flush()
        queue.write(b"new", message_id="same")
        self.claim_one(queue)
        assert queue.settle([Ack(delivery)]) == [False]
        assert queue.counts() == Counts(ready=0, scheduled=0, running=1, dead=0)

    @promise(Capability.LEASES, Capability.PAUSE)
    def test_a_paused_queue_gives_nothing_out_but_takes_and_settles(self, queue: Any) -> None:
        """Without this, an operator could not hold commands back during a repair without losing any."""
        queue.write(b"running")
        running = self.claim_one(queue)
        queue.pause()
        try:
            queue.write(b"waiting")
            assert queue.claim(1, LONG).deliveries == []
            assert queue.counts().paused is True
            assert queue.settle([Ack(running)]) == [True]
        finally:
            queue.resume()
        assert queue.counts().paused is False
        assert self.claim_one(queue).data == b"waiting"

    @promise(Capability.LEASES, Capability.PAUSE)
    def test_no_message_is_claimed_once_a_pause_has_returned(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, an operator would begin a repair while a claim under way starts one more command."""

        def claim_until(consumer: LeasedQueue, is_paused: threading.Event) -> None:
            while consumer.claim(1, LONG).deliveries or not is_paused.is_set():
                pass

        consumers = [new_queue(queue.name) for _ in range(3)]
        for _ in range(3):
            queue.flush()
            queue.write_many([Message(b"x") for _ in range(500)])
            is_paused = threading.Event()
            claims = Threads([partial(claim_until, consumer, is_paused) for consumer in consumers])
            try:
                eventually(lambda: len(queue) < 490, "a few claims", self.deadline)
                queue.pause()
                is_paused.set()
                ready = len(queue)
                claims.values(self.deadline, "claims of a paused queue")
                # What a claim has put back, because it has seen the pause, may be ready again by now.
                assert len(queue) >= ready
            finally:
                is_paused.set()
                queue.resume()

    @promise(Capability.LEASES, Capability.PAUSE)
    def test_a_flush_does_not_end_a_pause(self, queue: Any) -> None:
        """Without this, clearing a queue during a repair would set every consumer to work in the middle of it."""
        queue.pause()
        try:
            queue.write(b"thrown away")
            queue.flush()
            queue.write(b"waiting")
            assert queue.counts().paused is True
            assert queue.claim(1, LONG).deliveries == []
        finally:
            queue.resume()
        assert self.claim_one(queue).data == b"waiting"

    @promise(Capability.LEASES, Capability.PAUSE)
    def test_a_pause_is_for_every_consumer(self, queue: Any, new_queue: Any) -> None:
        """Without this, a pause would hold only the process in which it was called."""
        other = new_queue(queue.name)
        queue.write(b"x")
        queue.pause()
        try:
            assert other.claim(1, LONG).deliveries == []
        finally:
            other.resume()
        assert self.claim_one(queue).data == b"x"
