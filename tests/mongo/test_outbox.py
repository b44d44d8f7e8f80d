"""Follow-ups are written exactly once, whoever dispatches their outbox, and wherever that is interrupted."""

from __future__ import annotations

from contextlib import suppress

import pytest

from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, Arrival, Bury, Release, Reported, ResultWrite
from huey_core.exceptions import MessageTooLarge
from huey_mongo import MongoQueue, outbox, settling
from mongo_writes import BetweenWrites, Killed

MINUTE = 60.0
MEGABYTE = 10**6
FOLLOW_UPS = (Message(b"one", "1"), Message(b"two", "2", unique_key="k"))

SETTLED = 1
"""The moment after the settlement. Two moments later is the one after the next write."""

STEPS = range(SETTLED, SETTLED + 9)
"""Between the settlement, preparing, committing, publishing, and the end of the outbox; and after that."""


@pytest.fixture
def delivery(queue):
    queue.write(b"x", message_id="a")
    (delivery,) = queue.claim(1, MINUTE).deliveries
    return delivery


@pytest.fixture
def documents(queue, backend):
    """Counts what the queue has in the collection."""
    return lambda **which: backend._cluster.collection.count_documents({"queue": queue.name, **which})


@pytest.fixture
def drain(queue, documents, eventually):
    """Runs what is there until nothing is left, and returns the bytes that ran, sorted."""

    def drain():
        ran = []

        def run():
            claimed = queue.claim(10, MINUTE).deliveries
            queue.settle([Ack(delivery) for delivery in claimed])
            ran.extend(delivery.data for delivery in claimed)
            return documents() == 0

        eventually(run, "an empty queue")
        return sorted(ran)

    return drain


@pytest.mark.parametrize("step", STEPS)
def test_who_is_killed_at_any_step_writes_them_once(queue, delivery, drain, monkeypatch, step):
    # Long enough that what was published runs before another looks after the outbox.
    monkeypatch.setattr(outbox, "PATIENCE", 0.2)

    def kill():
        raise Killed

    with monkeypatch.context() as patch:
        BetweenWrites(patch, step, kill)
        with pytest.raises(Killed):
            queue.settle([Ack(delivery, follow_ups=FOLLOW_UPS)])
    assert drain() == [b"one", b"two"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("as_a_group", [False, True], ids=["follow-ups", "group"])
def test_who_is_killed_at_any_step_writes_those_of_another_queue_once(
    queue, delivery, documents, eventually, monkeypatch, step, as_a_group
):
    monkeypatch.setattr(outbox, "PATIENCE", 0.2)
    beside, ran = queue.sibling(f"{queue.name}-beside"), []
    one, two = Message(b"one", "1", queue=beside.name), Message(b"two", "2", unique_key="k", queue=beside.name)
    following = {"arrivals": (Arrival("g", "a", 1, one),)} if as_a_group else {"follow_ups": (one, two)}

    def kill():
        raise Killed

    with monkeypatch.context() as patch:
        BetweenWrites(patch, step, kill)
        with suppress(Killed):
            queue.settle([Ack(delivery, **following)])

    def run():
        assert queue.claim(10, MINUTE).deliveries == []
        claimed = beside.claim(10, MINUTE).deliveries
        beside.settle([Ack(each) for each in claimed])
        ran.extend(each.data for each in claimed)
        return documents() == 0 and ran

    eventually(run, "what follows")
    assert beside.claim(10, MINUTE).deliveries == []
    assert sorted(ran) == ([b"one"] if as_a_group else [b"one", b"two"])
    beside.flush()


@pytest.mark.parametrize("step", STEPS)
def test_who_is_overtaken_at_any_step_by_another_and_by_their_end_writes_them_once(
    queue, delivery, documents, drain, monkeypatch, step
):
    ran = []

    def overtake():
        outbox.dispatch(queue._cluster, queue.name, [delivery.private.document])
        claimed = queue.claim(10, MINUTE).deliveries
        queue.settle([Ack(each) for each in claimed])
        ran.extend(each.data for each in claimed)

    with monkeypatch.context() as patch:
        between = BetweenWrites(patch, step, overtake)
        queue.settle([Ack(delivery, follow_ups=FOLLOW_UPS)])
    assert between.has_happened
    assert ran == [b"one", b"two"]
    assert documents() == 0


def test_one_whose_id_or_unique_key_is_there_is_not_written_and_leaves_nothing(queue, delivery, documents):
    queue.write_many([Message(b"first", "1"), Message(b"first", "other", unique_key="k")])
    queue.settle([Ack(delivery, follow_ups=(*FOLLOW_UPS, Message(b"three", "3")))])
    assert [each.data for each in queue.claim(9, MINUTE).deliveries] == [b"first", b"first", b"three"]
    assert documents() == 3


def test_one_whose_unique_key_was_taken_until_now_is_written(queue, delivery, eventually):
    queue.write(b"earlier", message_id="earlier", unique_key="k", unique_for=0.2)
    (earlier,) = queue.claim(1, MINUTE).deliveries
    queue.settle([Ack(earlier)])
    ends = queue.now() + 0.2
    eventually(lambda: queue.now() > ends, "the end of the unique key")
    queue.settle([Ack(delivery, follow_ups=FOLLOW_UPS)])
    assert [each.data for each in queue.claim(9, MINUTE).deliveries] == [b"one", b"two"]


def test_of_a_message_that_ends_twice_in_one_call_only_what_follows_the_delivery_that_is_valid_is_written(
    queue, delivery, drain
):
    queue.settle([Release(delivery)])
    (again,) = queue.claim(1, MINUTE).deliveries
    stale, valid = Ack(delivery, follow_ups=FOLLOW_UPS[1:]), Ack(again, follow_ups=FOLLOW_UPS[:1])
    assert queue.settle([valid, stale]) == [True, False]
    assert drain() == [b"one"]


def test_what_was_prepared_for_an_outbox_that_is_gone_is_removed(queue, delivery, documents, drain, monkeypatch):
    """As by a process that stood still after it had read the outbox, and was then killed."""
    monkeypatch.setattr(outbox, "PATIENCE", 0.1)

    def kill():
        raise Killed

    def overtake():
        outbox.dispatch(queue._cluster, queue.name, [delivery.private.document])
        BetweenWrites(monkeypatch, 1, kill)

    BetweenWrites(monkeypatch, SETTLED + 1, overtake)
    with pytest.raises(Killed):
        queue.settle([Ack(delivery, follow_ups=FOLLOW_UPS)])
    assert documents(state="prepared") == 2
    assert drain() == [b"one", b"two"]


class TestDeadLetter:
    """Its document has the outbox, and goes on to be a dead letter."""

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize(("change", "ran"), [("requeue", [b"one", b"two", b"x"]), ("delete", [b"one", b"two"])])
    def test_one_that_is_changed_after_a_kill_at_any_step_has_its_follow_ups_written_once(
        self, queue, delivery, drain, monkeypatch, step, change, ran
    ):
        monkeypatch.setattr(outbox, "PATIENCE", 0.2)

        def kill():
            raise Killed

        with monkeypatch.context() as patch:
            BetweenWrites(patch, step, kill)
            with pytest.raises(Killed):
                queue.settle([Bury(delivery, "bad", follow_ups=FOLLOW_UPS)])
        assert getattr(queue, change)(["a"]) == ["a"]
        assert drain() == ran

    @pytest.mark.parametrize("step", STEPS)
    def test_one_that_is_requeued_and_buried_again_while_its_outbox_is_dispatched_writes_each_once(
        self, queue, delivery, documents, monkeypatch, step
    ):
        ran = []

        def run(count):
            claimed = queue.claim(count, MINUTE).deliveries
            ran.extend(each.data for each in claimed)
            return claimed

        def overtake():
            assert queue.requeue(["a"]) == ["a"]
            again, *others = sorted(run(9), key=lambda each: each.message_id != "a")
            queue.settle([*(Ack(each) for each in others), Bury(again, "worse", follow_ups=(Message(b"three", "3"),))])

        with monkeypatch.context() as patch:
            BetweenWrites(patch, step, overtake)
            queue.settle([Bury(delivery, "bad", follow_ups=FOLLOW_UPS)])
        queue.settle([Ack(each) for each in run(9)])
        assert sorted(ran) == [b"one", b"three", b"two", b"x"]
        assert [each.reason for each in queue.peek(State.DEAD)] == ["worse"]
        assert documents() == 1

    @pytest.mark.parametrize("step", STEPS)
    def test_the_outbox_of_a_second_burial_is_not_ended_by_who_dispatches_that_of_the_first(
        self, queue, delivery, drain, monkeypatch, step
    ):
        monkeypatch.setattr(outbox, "PATIENCE", 0.2)
        ran = []

        def overtake():
            assert queue.requeue(["a"]) == ["a"]
            again, *others = sorted(queue.claim(9, MINUTE).deliveries, key=lambda each: each.message_id != "a")
            ran.extend(each.data for each in (again, *others))
            queue.settle([Ack(each) for each in others])
            with monkeypatch.context() as patch:
                patch.setattr(settling, "dispatch_or_leave", lambda *_: None)
                queue.settle([Bury(again, "worse", follow_ups=(Message(b"three", "3"),))])

        with monkeypatch.context() as patch:
            between = BetweenWrites(patch, step, overtake)
            queue.settle([Bury(delivery, "bad", follow_ups=FOLLOW_UPS)])
        assert between.has_happened
        assert queue.delete(["a"]) == ["a"]
        assert sorted([*ran, *drain()]) == [b"one", b"three", b"two", b"x"]


def test_a_result_alone_needs_no_second_phase(queue, store, delivery, monkeypatch):
    store.put("k", b"old")
    writes = BetweenWrites(monkeypatch, 2 * 5, lambda: None)
    queue.settle([Ack(delivery, ResultWrite(store, "k", b"new"))])
    assert not writes.has_happened
    assert store.get("k") == b"new"


def test_a_dead_letter_that_was_buried_anew_meanwhile_is_not_requeued_before_its_follow_ups(
    queue, delivery, documents, drain, monkeypatch
):
    monkeypatch.setattr(outbox, "PATIENCE", 0.2)
    queue.settle([Bury(delivery, "bad")])

    def bury_anew():
        queue.requeue(["a"])
        (again,) = queue.claim(1, MINUTE).deliveries
        with monkeypatch.context() as patch:
            patch.setattr(settling, "dispatch_or_leave", lambda *_: None)
            queue.settle([Bury(again, "bad again", follow_ups=FOLLOW_UPS)])

    with monkeypatch.context() as patch:
        between = BetweenWrites(patch, 0, bury_anew)
        assert queue.requeue(["a"]) == []
    assert between.has_happened
    assert documents(next={"$exists": True}) == 1
    assert queue.requeue(["a"]) == ["a"]
    assert drain() == [b"one", b"two", b"x"]


def test_what_is_committed_and_not_published_stays_while_its_outbox_is_there(
    queue, delivery, backend, drain, monkeypatch
):
    monkeypatch.setattr(outbox, "PATIENCE", 0.2)

    def kill():
        raise Killed

    committed = SETTLED + 4
    with monkeypatch.context() as patch:
        BetweenWrites(patch, committed, kill)
        with pytest.raises(Killed):
            queue.settle([Ack(delivery, follow_ups=FOLLOW_UPS)])
    prepared = [each["_id"] for each in backend._cluster.collection.find({"queue": queue.name, "state": "prepared"})]
    outbox.clear_prepared(backend._cluster, prepared)
    assert len(prepared) == len(FOLLOW_UPS)
    assert drain() == [b"one", b"two"]


class TestSize:
    @pytest.fixture
    def dead(self, backend, request, eventually):
        """A large dead letter that nobody has reported."""
        queue = MongoQueue(request.node.name, cluster=backend._cluster, max_deliveries=1)
        queue.write(bytes(10 * MEGABYTE), message_id="dead")
        queue.claim(1, 0.001)
        eventually(lambda: queue.claim(1, MINUTE).buried)
        yield queue
        queue.flush()

    def test_what_does_not_fit_beside_a_dead_letter_is_refused(self, dead):
        follow_up = Message(bytes(10 * MEGABYTE))
        with pytest.raises(MessageTooLarge):
            dead.report_done([Reported("unknown"), Reported("dead", (follow_up,))])
        dead.report_done([Reported("dead", (Message(b"fits"),))])
        assert dead.claim(2, MINUTE).deliveries[0].data == b"fits"

    def test_long_ids_and_keys_count(self, queue, delivery):
        follow_ups = tuple(Message(b"x", str(n) * MEGABYTE, unique_key=str(n) * MEGABYTE) for n in range(5))
        with pytest.raises(MessageTooLarge):
            queue.settle([Ack(delivery, follow_ups=follow_ups)])
        assert queue.settle([Ack(delivery, follow_ups=follow_ups[:2])]) == [True]
