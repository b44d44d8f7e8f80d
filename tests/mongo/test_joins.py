"""What follows a group is written exactly once, whoever notes its members, and wherever that is interrupted."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from bson import Int64

from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Arrival, Bury
from huey_mongo import claiming, groups, joins, outbox, settling
from mongo_writes import BetweenWrites, Killed

MINUTE = 60.0

SETTLED = 1
"""The moment after the settlement. Two moments later is the one after the next write."""

FIRST = range(SETTLED, SETTLED + 9)
"""Between the settlement, the group, the member, its count, and the end of the outbox; and after that."""

LAST = range(SETTLED, SETTLED + 17)
"""Between the settlement, the member, its count, the completion, the end of the outbox, and all that is written of what
follows: preparing, committing, publishing, the end of the group's outbox; and after that."""


def arrival(member, of=2, group="g", **options):
    return Arrival(group, member, of, Message(b"then", message_id="then"), **options)


@pytest.fixture
def collection(backend):
    return backend._cluster.collection


@pytest.fixture
def deliver(queue):
    """Writes messages and claims them."""

    def deliver(count):
        queue.write_many([Message(b"x") for _ in range(count)])
        return queue.claim(count, MINUTE).deliveries

    return deliver


@pytest.fixture
def run(queue):
    """Runs what is ready, and returns its bytes."""

    def run():
        claimed = queue.claim(100, MINUTE).deliveries
        queue.settle([Ack(delivery) for delivery in claimed])
        return [delivery.data for delivery in claimed]

    return run


@pytest.fixture
def run_until_quiet(queue, collection, run, eventually):
    """Runs what is there until only groups are left that are not due, and returns the bytes that ran."""

    def run_until_quiet():
        ran = []

        def is_quiet():
            ran.extend(run())
            others = {"queue": queue.name, "group": {"$exists": False}}
            due = {"queue": queue.name, "at": {"$lt": (queue.now() + MINUTE) * 1000}}
            return not collection.count_documents(others) and not collection.count_documents(due)

        eventually(is_quiet, "a quiet queue", timeout=15.0)
        return ran

    return run_until_quiet


def kill():
    raise Killed


class TestInterrupted:
    @pytest.fixture(autouse=True)
    def short_patience(self, monkeypatch):
        # Long enough that what was published runs before another looks after the outbox.
        monkeypatch.setattr(outbox, "PATIENCE", 0.2)

    @pytest.mark.parametrize("step", FIRST)
    def test_who_is_killed_at_any_step_of_the_first_arrival_notes_it_once(
        self, queue, deliver, run_until_quiet, monkeypatch, step
    ):
        (first,) = deliver(1)
        with monkeypatch.context() as patch:
            BetweenWrites(patch, step, kill)
            with pytest.raises(Killed):
                queue.settle([Ack(first, arrivals=(arrival("a"),))])
        assert run_until_quiet() == []
        assert [(each.arrived, each.of) for each in queue.groups().items] == [(1, 2)]
        queue.settle([Ack(*deliver(1), arrivals=(arrival("b"),))])
        assert run_until_quiet() == [b"then"]

    @pytest.mark.parametrize("step", LAST)
    def test_who_is_killed_at_any_step_of_the_last_arrival_lets_what_follows_be_written_once(
        self, queue, deliver, run_until_quiet, monkeypatch, step
    ):
        first, second = deliver(2)
        queue.settle([Ack(first, arrivals=(arrival("a"),))])
        with monkeypatch.context() as patch:
            BetweenWrites(patch, step, kill)
            with pytest.raises(Killed):
                queue.settle([Ack(second, arrivals=(arrival("b"),))])
        assert run_until_quiet() == [b"then"]
        assert [each.complete for each in queue.groups().items] == [True]

    @pytest.mark.parametrize("step", LAST)
    def test_who_is_overtaken_at_any_step_and_by_the_end_of_what_follows_writes_it_once(
        self, queue, deliver, run, run_until_quiet, collection, monkeypatch, step
    ):
        first, second = deliver(2)
        queue.settle([Ack(first, arrivals=(arrival("a"),))])
        ran = []

        def overtake():
            outbox.dispatch(queue._cluster, queue.name, [second.private.document])
            for group in collection.find({"queue": queue.name, "group": "g"}):
                outbox.dispatch(queue._cluster, queue.name, [group["_id"]])
            ran.extend(run())

        with monkeypatch.context() as patch:
            between = BetweenWrites(patch, step, overtake)
            queue.settle([Ack(second, arrivals=(arrival("b"),))])
        assert between.has_happened
        assert ran == [b"then"]
        assert run_until_quiet() == []

    @pytest.mark.parametrize("step", LAST)
    def test_a_dead_letter_that_is_requeued_and_ends_again_arrives_once(
        self, queue, deliver, run_until_quiet, monkeypatch, step
    ):
        first, second = deliver(2)
        queue.settle([Ack(first, arrivals=(arrival("a"),))])
        with monkeypatch.context() as patch:
            BetweenWrites(patch, step, kill)
            with pytest.raises(Killed):
                queue.settle([Bury(second, "bad", arrivals=(arrival("b"),))])
        assert queue.requeue([second.message_id]) == [second.message_id]
        (again, *others) = sorted(queue.claim(9, MINUTE).deliveries, key=lambda each: each.data == b"then")
        queue.settle([*(Ack(each) for each in others), Ack(again, arrivals=(arrival("b"),))])
        assert [each.data for each in others] + run_until_quiet() == [b"then"]


def test_members_that_several_consumers_note_at_the_same_time_are_all_counted(queue, server, new_backend, run, deliver):
    count, consumers = 200, 4
    deliveries = deliver(count)

    def settle(number):
        own = new_backend(server.url()).queue(queue.name)
        for place in range(number, count, 2 * consumers):
            pair = deliveries[place : place + consumers + 1 : consumers]
            own.settle([Ack(each, arrivals=(arrival(each.message_id, count),)) for each in pair])

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(consumers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run() == [b"then"]


def test_a_count_that_is_corrected_late_leaves_out_nobody_who_came_meanwhile(
    queue, deliver, run_until_quiet, collection, monkeypatch
):
    first, second, third = deliver(3)
    queue.settle([Ack(first, arrivals=(arrival("a", 3),))])
    # As if a second dispatcher of that outbox had been killed behind its count.
    collection.update_one({"queue": queue.name, "group": "g"}, {"$inc": {"arrived": 1}})
    has_counted, is_corrected = threading.Event(), threading.Event()

    def wait_behind_the_count():
        has_counted.set()
        assert is_corrected.wait(10.0)

    last = threading.Thread(target=queue.settle, args=([Ack(third, arrivals=(arrival("c", 3),))],))

    def overtake():
        outbox.dispatch(queue._cluster, queue.name, [second.private.document])
        BetweenWrites(monkeypatch, SETTLED + 4, wait_behind_the_count)
        last.start()
        assert has_counted.wait(10.0)

    between = BetweenWrites(monkeypatch, SETTLED + 5, overtake)
    queue.settle([Ack(second, arrivals=(arrival("b", 3),))])
    is_corrected.set()
    last.join()
    monkeypatch.undo()
    assert between.has_happened
    assert run_until_quiet() == [b"then"]


class TestLate:
    """An arrival that is noted some time after the settlement that it belongs to, as by who looks after its outbox."""

    @pytest.fixture
    def settle_and_leave(self, queue, monkeypatch):
        """Settles with an arrival as if the process were killed behind that, and returns what notes the arrival."""

        def settle_and_leave(delivery, arrival):
            with monkeypatch.context() as patch:
                patch.setattr(settling, "dispatch_or_leave", lambda *_: None)
                assert queue.settle([Ack(delivery, arrivals=(arrival,))]) == [True]
            return partial(outbox.dispatch, queue._cluster, queue.name, [delivery.private.document])

        return settle_and_leave

    @pytest.fixture
    def move(self, collection):
        """Moves the moment of an arrival that is not noted yet."""

        def move(delivery, millis):
            collection.update_one({"_id": delivery.private.document}, {"$set": {"arrivals.0.at": Int64(millis)}})

        return move

    @pytest.fixture
    def ends(self, collection, queue):
        """The millisecond at which the group ends."""
        return lambda: collection.find_one({"queue": queue.name, "group": "g"})["ends"]

    def test_one_of_before_the_end_of_its_group_is_noted_after_it(
        self, queue, deliver, run, settle_and_leave, move, ends, eventually
    ):
        first, second = deliver(2)
        queue.settle([Ack(first, arrivals=(arrival("a", ttl=0.1),))])
        note = settle_and_leave(second, arrival("b"))
        end = ends()
        move(second, end - 1)
        eventually(lambda: queue.now() * 1000 > end, "the end of the group")
        assert run() == []
        note()
        assert run() == [b"then"]

    def test_a_group_that_one_prolongs_at_the_last_moment_is_not_begun_anew(
        self, queue, deliver, run, settle_and_leave, move, ends, monkeypatch, eventually
    ):
        first, second, third = deliver(3)
        queue.settle([Ack(first, arrivals=(arrival("a", 3, ttl=0.1),))])
        note = settle_and_leave(second, arrival("b", 3))
        end = ends()
        move(second, end - 1)
        eventually(lambda: queue.now() * 1000 > end, "the end of the group")
        with monkeypatch.context() as patch:
            between = BetweenWrites(patch, SETTLED + 1, note)
            queue.settle([Ack(third, arrivals=(arrival("c", 3),))])
        assert between.has_happened
        assert run() == [b"then"]

    def test_one_at_a_group_that_is_complete_meanwhile_leaves_nothing(
        self, queue, deliver, run, collection, monkeypatch
    ):
        first, second, third = deliver(3)
        members = {"_id.member": {"$exists": True}}
        before = collection.count_documents(members)
        queue.settle([Ack(first, arrivals=(arrival("a"),))])

        def complete():
            queue.settle([Ack(second, arrivals=(arrival("b"),))])
            assert run() == [b"then"]
            assert run() == []
            assert collection.count_documents(members) == before

        with monkeypatch.context() as patch:
            between = BetweenWrites(patch, SETTLED + 1, complete)
            queue.settle([Ack(third, arrivals=(arrival("c"),))])
        assert between.has_happened
        assert collection.count_documents(members) == before
        assert run() == []

    def test_one_of_before_the_deletion_of_its_group_does_not_begin_it_anew(
        self, queue, deliver, run, settle_and_leave
    ):
        first, second, third = deliver(3)
        queue.settle([Ack(first, arrivals=(arrival("a", 3),))])
        note = settle_and_leave(second, arrival("b", 3))
        assert queue.delete_groups(["g"]) == ["g"]
        note()
        assert queue.groups().items == []
        queue.settle([Ack(third, arrivals=(arrival("a", 2),))])
        assert [each.arrived for each in queue.groups().items] == [1]
        assert run() == []


def test_an_arrival_reads_as_much_at_a_large_group_as_at_a_small_one(server, shared_backends):
    queue = shared_backends(server.url("large_groups")).queue("q")
    queue.flush()

    def examined_by_one_of(members):
        queue.write_many([Message(b"x") for _ in range(members)])
        *others, last = queue.claim(members, MINUTE).deliveries
        group = f"of {members}"
        queue.settle([Ack(each, arrivals=(arrival(each.message_id, members + 1, group),)) for each in others])
        with server.connect() as client:
            database = client["large_groups"]
            database.command("profile", 2)
            queue.settle([Ack(last, arrivals=(arrival("last", members + 1, group),))])
            database.command("profile", 0)
            seen = list(database["system.profile"].find({"ns": "large_groups.huey"}))
            database["system.profile"].drop()
        assert {entry.get("planSummary", "IDHACK").split(" ")[0] for entry in seen} <= {"IXSCAN", "IDHACK"}
        return [(entry["op"], entry.get("keysExamined"), entry.get("docsExamined")) for entry in seen]

    assert examined_by_one_of(800) == examined_by_one_of(8)
    queue.flush()


class TestEnd:
    def members(self, collection):
        return collection.count_documents({"_id.member": {"$exists": True}})

    def test_a_complete_group_keeps_one_small_document(self, queue, deliver, run_until_quiet, collection):
        before = self.members(collection)
        queue.settle([Ack(each, arrivals=(arrival(each.message_id, 30),)) for each in deliver(30)])
        assert run_until_quiet() == [b"then"]
        assert self.members(collection) == before
        (group,) = collection.find({"queue": queue.name})
        assert set(group) == {"_id", "queue", "group", "state", "of", "arrived", "ends", "at", "mark"}

    def test_the_members_of_a_large_one_are_removed_in_portions(
        self, queue, deliver, run, run_until_quiet, collection, monkeypatch
    ):
        monkeypatch.setattr(groups, "PORTION", 10)
        before = self.members(collection)
        queue.settle([Ack(each, arrivals=(arrival(each.message_id, 30),)) for each in deliver(30)])
        left = []
        while not left or left[-1] > before:
            left.append(self.members(collection))
            run()
        assert left == [before + 30, before + 20, before + 10, before]
        assert run_until_quiet() == []

    def test_what_falls_due_does_not_wait_for_the_members_of_large_ones(
        self, queue, deliver, run, monkeypatch, eventually
    ):
        monkeypatch.setattr(claiming, "PORTION", 2)
        monkeypatch.setattr(groups, "PORTION", 1)
        members = deliver(20)
        for name in ("g", "h"):
            queue.settle([Ack(members.pop(), arrivals=(arrival(str(n), 10, name),)) for n in range(10)])
        assert run() == [b"then"]
        due = queue.now() + 0.05
        queue.write(b"due", eta=due)
        eventually(lambda: queue.now() > due, "the time of the message")
        assert [data for _ in range(3) for data in run()] == [b"due"]

    def test_one_that_ended_is_removed_by_a_later_claim(self, queue, deliver, run, collection, monkeypatch, eventually):
        monkeypatch.setattr(joins, "GRACE", 100)
        monkeypatch.setattr(groups, "GRACE", 100)
        before = self.members(collection)
        queue.settle([Ack(*deliver(1), arrivals=(arrival("a", ttl=0.1),))])
        assert self.members(collection) == before + 1
        eventually(lambda: run() == [] and collection.count_documents({"queue": queue.name}) == 0)
        assert self.members(collection) == before

    def test_one_that_ended_begins_anew_with_another_arrival(self, queue, deliver, eventually):
        first, second = deliver(2)
        queue.settle([Ack(first, arrivals=(arrival("a", ttl=0.1),))])
        ends = queue.now() + 0.2
        eventually(lambda: queue.now() > ends, "the end of the group")
        assert queue.groups().items == []
        queue.settle([Ack(second, arrivals=(arrival("b"),))])
        assert [each.arrived for each in queue.groups().items] == [1]

    def test_a_deletion_leaves_nothing(self, queue, deliver, run, collection, eventually):
        before = self.members(collection)
        queue.settle([Ack(each, arrivals=(arrival(each.message_id, 30),)) for each in deliver(20)])
        assert queue.delete_groups(["g", "unknown", "g"]) == ["g"]
        assert queue.groups().items == []
        eventually(lambda: run() == [] and collection.count_documents({"queue": queue.name}) == 0)
        assert self.members(collection) == before

    def test_a_flush_leaves_nothing(self, queue, deliver, collection, monkeypatch):
        before = self.members(collection)
        monkeypatch.setattr(groups, "PORTION", 10)
        queue.settle([Ack(each, arrivals=(arrival(each.message_id, 30),)) for each in deliver(20)])
        queue.flush()
        assert collection.count_documents({"queue": queue.name}) == 0
        assert self.members(collection) == before

    def test_a_flush_drops_what_was_to_follow(self, queue, deliver, monkeypatch, run_until_quiet):
        monkeypatch.setattr(outbox, "PATIENCE", 0.05)
        (delivery,) = deliver(1)
        completed = SETTLED + 8
        with monkeypatch.context() as patch:
            BetweenWrites(patch, completed, kill)
            with pytest.raises(Killed):
                queue.settle([Ack(delivery, arrivals=(arrival("a", 1),))])
        queue.flush()
        assert run_until_quiet() == []
