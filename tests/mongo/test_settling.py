"""The order in which one settlement takes effect, and an operator's deletion at the moment of an ack."""

from __future__ import annotations

import pytest

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Counts, Message
from huey_core.backends.outcomes import Ack, Bury, ResultWrite
from huey_mongo import outbox, settling

MINUTE = 60.0


class TestOrderOfOneSettlement:
    @pytest.fixture
    def last_to_first(self, queue):
        """Three deliveries, the last written first."""
        queue.write_many([Message(b"x") for _ in range(3)])
        return list(reversed(queue.claim(3, MINUTE).deliveries))

    def test_follow_ups_run_in_the_order_of_the_outcomes(self, queue, last_to_first):
        queue.settle(
            [
                Ack(delivery, follow_ups=(Message(b"%d first" % number), Message(b"%d second" % number)))
                for number, delivery in enumerate(last_to_first)
            ]
        )
        ran = [queue.read() for _ in range(6)]
        assert ran == [b"0 first", b"0 second", b"1 first", b"1 second", b"2 first", b"2 second"]

    def test_of_several_results_for_one_key_the_last_stands(self, queue, store, last_to_first):
        queue.settle(
            [
                Ack(delivery, ResultWrite(store, "k", b"%d" % number), (Message(b"next"),))
                for number, delivery in enumerate(last_to_first)
            ]
        )
        assert store.get("k") == b"2"

    def test_a_result_that_replaces_one_of_before_does_not_come_after_those_behind_it(
        self, queue, store, last_to_first
    ):
        store.put("k", b"old")
        first, second, _ = last_to_first
        outcomes = [
            Ack(first, ResultWrite(store, "k", b"earlier")),
            Ack(second, ResultWrite(store, "k", b"later"), (Message(b"next"),)),
        ]
        assert queue.settle(outcomes) == [True, True]
        assert store.get("k") == b"later"

    @pytest.mark.parametrize("ended", ["acked with a follow-up", "buried"])
    def test_a_result_that_its_document_becomes_comes_after_those_before_it(self, queue, store, last_to_first, ended):
        first, second, _ = last_to_first
        earlier = ResultWrite(store, "k", b"earlier")
        before = Bury(first, "bad", result=earlier) if ended == "buried" else Ack(first, earlier, (Message(b"next"),))
        assert queue.settle([before, Ack(second, ResultWrite(store, "k", b"later"))]) == [True, True]
        assert store.get("k") == b"later"


class TestDeletion:
    """An operator deletes a message that its consumer settles between the operator's look and the deletion."""

    @pytest.fixture
    def settle_in_between(self, queue, monkeypatch):
        def arrange(outcome):
            look = queue._inspection._by_id

            def look_and_be_overtaken(*asked):
                found = list(look(*asked))
                monkeypatch.undo()
                with monkeypatch.context() as killed:
                    killed.setattr(settling, "dispatch_or_leave", lambda *_: None)
                    killed.setattr(outbox, "PATIENCE", 0.05)
                    assert queue.settle([outcome]) == [True]
                return iter(found)

            monkeypatch.setattr(queue._inspection, "_by_id", look_and_be_overtaken)

        return arrange

    @pytest.mark.parametrize("unique_for", [None, MINUTE])
    def test_the_result_of_a_message_that_was_acked_stays(
        self, queue, store, settle_in_between, eventually, unique_for
    ):
        queue.write(b"x", message_id="a", unique_key="k", unique_for=unique_for)
        (delivery,) = queue.claim(1, MINUTE).deliveries
        settle_in_between(Ack(delivery, ResultWrite(store, "r", b"result")))
        assert queue.delete(["a"]) == []
        eventually(lambda: queue.claim(1, MINUTE).deliveries == [] and store.peek("r") is not EmptyData)
        assert store.get("r") == b"result"

    @pytest.mark.parametrize("unique_for", [None, MINUTE])
    def test_its_follow_ups_are_written(self, queue, settle_in_between, eventually, unique_for):
        queue.write(b"x", message_id="a", unique_key="k", unique_for=unique_for)
        (delivery,) = queue.claim(1, MINUTE).deliveries
        settle_in_between(Ack(delivery, follow_ups=(Message(b"next", "b"),)))
        assert queue.delete(["a"]) == []
        claimed = []
        eventually(lambda: claimed.extend(queue.claim(1, MINUTE).deliveries) or claimed)
        assert [each.data for each in claimed] == [b"next"]

    def test_the_result_of_a_message_that_was_buried_is_stored(self, queue, store, settle_in_between, eventually):
        queue.write(b"x", message_id="a")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        settle_in_between(Bury(delivery, "bad", result=ResultWrite(store, "r", b"error")))
        assert queue.delete(["a"]) == []
        eventually(lambda: queue.claim(1, MINUTE).deliveries == [] and store.peek("r") == b"error")
        assert queue.delete(["a"]) == ["a"]

    def test_what_is_reported_is_what_was_deleted(self, queue, settle_in_between):
        queue.write_many([Message(b"x", "a"), Message(b"y", "b")])
        first, _ = queue.claim(2, MINUTE).deliveries
        settle_in_between(Ack(first))
        assert queue.delete(["a", "b", "c"]) == ["b"]
        assert queue.counts() == Counts(0, 0, 0, 0)

    def test_nothing_is_left_but_a_key_that_was_taken_for_a_time(self, queue, backend):
        queue.write_many([Message(b"x", "a", unique_key="k"), Message(b"y", "b", unique_key="l", unique_for=MINUTE)])
        assert queue.delete(["a", "b"]) == ["a", "b"]
        (left,) = backend._cluster.collection.find({"queue": queue.name})
        assert set(left) == {"_id", "queue", "state", "unique", "holder", "until", "expires", "mark"}
