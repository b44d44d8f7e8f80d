"""What a leased queue promises to who brings messages from one server to another, or changes when they are due."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from huey_core.backends import Ack, Bury, Capability, Counts, Message, Record, Release, Retry, State
from huey_core.exceptions import MessageTooLarge
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory
from huey_testing.conformance._queue_pages import IN_TURN, TransferFixtures

__all__ = ["QueueImport", "QueueRescheduling"]


class QueueImport(TransferFixtures):
    """Promises of ``import_many``."""

    @promise(Capability.TRANSFER, Capability.PRIORITY)
    def test_what_is_imported_keeps_its_order(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, commands would overtake one another on their way to another server."""
        for number, priority in enumerate((0, 3, -1, 3, 0)):
            queue.write(b"%d" % number, priority=priority)
        # The first is running, and in its old place when it is imported.
        self.claim_one(queue)
        target = new_queue()
        target.write(b"here", priority=0)
        assert [written.created for written in target.import_many(self.exported(queue))] == [True] * 5
        target.write(b"later", priority=3)
        order = [delivery.data for delivery in self.claim_soon(target, 7)]
        assert order == [b"1", b"3", b"later", b"here", b"0", b"4", b"2"]

    @promise(Capability.TRANSFER, Capability.INSPECT)
    def test_what_is_imported_is_as_it_was(self, queue: Any, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, a command would come to another server with other bytes, or without its past."""
        queue.write_many([Message(b"\x00\xff", "ready", 2), Message(b"r", "running"), Message(b"dead", "dead", -2)])
        self.claim_soon(queue, 3, self.lease)
        advance(self.beyond(self.lease))
        ready, _, dead = self.claim_soon(queue, 3)
        queue.settle([Release(ready), Bury(dead, "reason", "Traceback:\n  line 1")])
        queue.write(b"later", message_id="later", eta=queue.now() + LONG)
        buried = self.stored(queue, "dead").due
        advance(self.beyond(self.lease))
        target = new_queue()
        target.import_many(self.exported(queue))

        assert target.counts() == Counts(ready=2, scheduled=1, running=0, dead=1)
        moved = {message.message_id: message for message in target.find(["ready", "running", "later", "dead"])}
        assert [(each.data, each.attempt, each.priority) for each in moved.values()] == [
            (b"\x00\xff", 1, 2),
            (b"r", 2, 0),
            (b"later", 0, 0),
            (b"dead", 2, -2),
        ]
        assert (moved["dead"].reason, moved["dead"].detail) == ("reason", "Traceback:\n  line 1")
        assert moved["dead"].due == pytest.approx(buried, abs=0.01)
        assert moved["later"].due == pytest.approx(self.stored(queue, "later").due, abs=0.01)

    @promise(Capability.TRANSFER)
    def test_what_is_imported_lives_on_as_any_message(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, a command would come to another server and could not be run there to its end."""
        self.bring(queue, State.RUNNING, "x")
        target = new_queue()
        target.import_many(self.exported(queue))
        delivery = self.claim_one(target)
        assert (delivery.message_id, delivery.data, delivery.attempt) == ("x", b"x", 2)
        assert target.extend([delivery], LONG) == [True]
        assert target.settle([Retry(delivery, b"again")]) == [True]
        assert target.settle([Bury(self.claim_one(target), "bad")]) == [True]
        assert target.requeue(["x"]) == ["x"]
        assert target.settle([Ack(self.claim_one(target))]) == [True]
        assert target.counts() == Counts(0, 0, 0, 0)

    @promise(Capability.TRANSFER)
    def test_an_import_once_more_changes_nothing(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, an import that was broken off and begun again would run commands twice."""
        for state in IN_TURN:
            self.bring(queue, state, f"{state}")
        target = new_queue()
        records = self.exported(queue)
        target.import_many(records[:2])
        written = target.import_many(records)
        assert [each.created for each in written] == [False, False, True, True]
        assert [each.message_id for each in written] == [record.message_id for record in records]
        before = target.counts(), sorted(target.export().items, key=lambda record: record.message_id)
        assert [each.created for each in target.import_many(records)] == [False] * 4
        assert (target.counts(), sorted(target.export().items, key=lambda record: record.message_id)) == before

    @promise(Capability.TRANSFER)
    def test_an_import_leaves_what_is_there_alone(self, queue: Any) -> None:
        """Without this, importing an old copy would undo what has become of the commands since."""
        queue.write(b"as it is", message_id="known")
        (written,) = queue.import_many([Record("known", b"as it was", State.DEAD, reason="old")])
        assert (written.created, written.message_id) == (False, "known")
        assert self.claim_one(queue).data == b"as it is"

    @promise(Capability.TRANSFER)
    def test_importing_nothing_is_no_error(self, queue: Any) -> None:
        """Without this, to bring an empty queue to another server would fail."""
        assert queue.import_many([]) == []

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", State)
    def test_an_import_over_the_limit_writes_nothing(self, queue: Any, state: State) -> None:
        """Without this, a part of what another server has would be lost, with no word of the limit."""
        limit = self.lower_limit(queue)
        size = 1000 if limit is None else limit
        small, large = (Record(name, bytes(size), state, due=queue.now() + LONG) for name in ("small", "large"))
        if limit is not None:
            with pytest.raises(MessageTooLarge):
                queue.import_many([small, replace(large, data=bytes(limit + 1))])
            assert queue.counts() == Counts(0, 0, 0, 0)
        assert [written.created for written in queue.import_many([small, large])] == [True, True]

    @promise(Capability.TRANSFER, Capability.DELAY)
    def test_what_is_imported_comes_when_it_is_due(self, queue: Any, advance: Passing) -> None:
        """Without this, a reminder would come too early or never, because its server was replaced."""
        queue.import_many([Record("past", b"past", State.SCHEDULED, due=queue.now() - LONG)])
        assert self.claim_one(queue).data == b"past"
        queue.import_many([Record("later", b"later", State.SCHEDULED, due=queue.now() + LONG)])
        assert queue.claim(1, LONG).deliveries == []
        queue.import_many([Record("soon", b"soon", State.SCHEDULED, due=queue.now() + self.lease)])
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).data == b"soon"

    @promise(Capability.TRANSFER, Capability.UNIQUE)
    def test_what_is_imported_has_its_unique_key(self, queue: Any, advance: Passing) -> None:
        """Without this, a unique command could be enqueued beside one that came from another server, or never again."""
        queue.import_many(
            [
                Record("live", b"x", State.READY, unique_key="live"),
                Record("running", b"x", State.RUNNING, unique_key="running"),
                Record("dead", b"x", State.DEAD, unique_key="dead"),
                Record("timed", b"x", State.DEAD, unique_key="timed", unique_for=LONG),
                Record("short", b"x", State.READY, unique_key="short", unique_for=self.lease),
                Record("over", b"x", State.READY, unique_key="over", unique_for=0.0),
            ]
        )
        advance(self.beyond(self.lease))
        keys = ["live", "running", "dead", "timed", "short", "over"]
        taken = {key: not queue.write(b"y", unique_key=key).created for key in keys}
        assert taken == {"live": True, "running": True, "dead": False, "timed": True, "short": False, "over": False}

    @promise(Capability.TRANSFER, Capability.UNIQUE, Capability.INSPECT)
    def test_a_dead_letter_that_was_imported_takes_its_key_when_it_is_requeued(self, queue: Any) -> None:
        """Without this, a unique command that failed on another server could be run beside its successor."""
        queue.import_many([Record("dead", b"x", State.DEAD, unique_key="key")])
        queue.write(b"successor", unique_key="key")
        assert queue.requeue(["dead"]) == []
        queue.settle([Ack(self.claim_one(queue))])
        assert queue.requeue(["dead"]) == ["dead"]
        assert queue.write(b"second", unique_key="key").created is False

    @promise(Capability.TRANSFER, Capability.UNIQUE)
    def test_a_record_whose_key_is_taken_is_not_imported(self, queue: Any) -> None:
        """Without this, a unique command would run beside the one that came from another server."""
        here = queue.write(b"here", unique_key="key").message_id
        live, other = queue.import_many(
            [Record("live", b"x", State.READY, unique_key="key"), Record("other", b"x", State.READY)]
        )
        assert (live.created, live.message_id, other.created) == (False, here, True)
        (dead,) = queue.import_many([Record("dead", b"x", State.DEAD, unique_key="key")])
        assert dead.created is True
        assert [each.message_id for each in self.claim_soon(queue, 2)] == [here, "other"]
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.TRANSFER)
    def test_a_dead_letter_that_was_imported_is_not_to_be_reported(self, queue: Any) -> None:
        """Without this, whoever waits would be told again of every command that failed long ago."""
        queue.import_many([Record("dead", b"x", State.DEAD, reason="bad")])
        claim = queue.claim(1, LONG)
        assert (claim.deliveries, claim.buried) == ([], [])

    @promise(Capability.TRANSFER, Capability.BLOCKING)
    def test_an_import_ends_a_wait(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, what came from another server would lie there although consumers are idle."""
        other = new_queue(queue.name)
        happens = partial(other.import_many, [Record("x", b"x", State.READY)])
        assert [delivery.data for delivery in self.claim_while(queue, happens)] == [b"x"]


class QueueRescheduling(TransferFixtures):
    """Promises of ``reschedule``."""

    @promise(Capability.TRANSFER, Capability.INSPECT)
    @pytest.mark.parametrize("state", [State.READY, State.SCHEDULED])
    def test_a_message_is_put_off(self, queue: Any, advance: Passing, state: State) -> None:
        """Without this, an operator could not hold a command back until its time has come."""
        self.bring(queue, state, "moved")
        eta = queue.now() + 2 * LONG
        assert queue.reschedule(["unknown", "moved"], eta) == ["moved"]
        seen = self.stored(queue, "moved")
        assert seen.state is State.SCHEDULED
        assert seen.due == pytest.approx(eta, abs=0.01)
        assert queue.claim(1, LONG).deliveries == []
        assert queue.counts() == Counts(ready=0, scheduled=1, running=0, dead=0)

    @promise(Capability.TRANSFER)
    def test_a_message_that_is_put_off_comes_in_its_old_place(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that was put off would then wait behind the whole backlog too."""
        queue.write_many([Message(b"first", "first"), Message(b"second")])
        before = queue.now()
        assert queue.reschedule(["first"], before + self.lease) == ["first"]
        advance(self.beyond(self.lease))
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"first", b"second"]

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", [State.READY, State.SCHEDULED])
    def test_a_message_is_brought_forward(self, queue: Any, state: State) -> None:
        """Without this, an operator could not let a command run before its time."""
        self.bring(queue, state, "moved")
        queue.write(b"written later", priority=1)
        assert queue.reschedule(["moved"], queue.now() - LONG) == ["moved"]
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"x", b"written later"]

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("eta", [0.0, -1.0, -1e300, -math.inf])
    def test_a_time_long_ago_is_now(self, queue: Any, eta: float) -> None:
        """Without this, an operator who wants a command to run at once would have to know how far back time goes."""
        self.bring(queue, State.SCHEDULED, "moved")
        assert queue.reschedule(["moved"], eta) == ["moved"]
        assert self.claim_one(queue).message_id == "moved"

    @promise(Capability.TRANSFER)
    def test_a_message_that_is_put_off_keeps_its_count(self, queue: Any, advance: Passing) -> None:
        """Without this, putting a command off would hide from the queue that it had killed a consumer."""
        self.bring(queue, State.READY, "moved")
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        queue.settle([Release(self.claim_one(queue))])
        assert queue.reschedule(["moved"], queue.now() + self.lease) == ["moved"]
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).attempt == 2

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", [State.RUNNING, State.DEAD])
    def test_other_messages_are_not_rescheduled(self, queue: Any, state: State) -> None:
        """Without this, a command would be started beside the one that runs, or one that failed be run again."""
        self.bring(queue, state, "stays")
        before = queue.counts()
        assert queue.reschedule(["stays"], queue.now() - LONG) == []
        assert queue.reschedule(["stays"], queue.now() + LONG) == []
        assert queue.counts() == before
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.TRANSFER, Capability.UNIQUE)
    def test_a_message_that_is_put_off_holds_its_key(self, queue: Any) -> None:
        """Without this, a unique command could be enqueued again beside one that was put off."""
        message_id = queue.write(b"first", unique_key="key").message_id
        queue.reschedule([message_id], queue.now() + LONG)
        assert queue.write(b"second", unique_key="key").created is False

    @promise(Capability.TRANSFER, Capability.BLOCKING)
    def test_a_message_that_is_brought_forward_ends_a_wait(
        self, queue: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a command that is to run sooner would lie in an idle system until its old time."""
        other = new_queue(queue.name)
        self.bring(other, State.SCHEDULED, "now", "soon")
        claimed = self.claim_while(queue, lambda: other.reschedule(["now"], other.now()))
        assert [delivery.message_id for delivery in claimed] == ["now"]

        def bring_forward() -> None:
            other.reschedule(["soon"], other.now() + self.lease)
            advance(self.beyond(self.lease))

        assert [delivery.message_id for delivery in self.claim_while(queue, bring_forward)] == ["soon"]
