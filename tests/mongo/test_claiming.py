"""What a claim takes: the most urgent first, also after others were faster; and nothing that nobody receives."""

from __future__ import annotations

from itertools import chain

import pytest
from pymongo.errors import AutoReconnect

from huey_core.backends.messages import Counts, Message
from huey_core.backends.outcomes import Ack
from huey_mongo import claiming, outbox, settling
from huey_mongo.documents import PAUSED_AT

MINUTE = 60.0
WIDEST_SPREAD = 8


def lose_to_others(queue):
    """Leave a queue object as it is after claims in which others were faster each time."""
    queue._claims._spread = WIDEST_SPREAD


def let_everything_fall_due(queue):
    """Make what is scheduled or leased due, whenever that would have been."""
    later = {"queue": queue.name, "at": {"$gt": PAUSED_AT}}
    queue._cluster.collection.update_many(later, {"$set": {"at": PAUSED_AT + 1}})


def reaches_its_server(queue):
    try:
        queue.now()
    except AutoReconnect:
        return False
    return True


def drained(queue, limit):
    """Claim and ack until nothing is left, and return the bytes of each claim."""
    claims = []
    while deliveries := queue.claim(limit, MINUTE).deliveries:
        claims.append([delivery.data for delivery in deliveries])
        queue.settle([Ack(delivery) for delivery in deliveries])
    return claims


class TestOrder:
    @pytest.mark.parametrize("limit", [1, 3])
    def test_the_most_urgent_come_first_however_many_claims_were_lost_to_others(self, queue, limit):
        queue.write_many([Message(b"low", priority=-1) for _ in range(7)])
        queue.write_many([Message(b"ordinary") for _ in range(7)])
        queue.write_many([Message(b"urgent", priority=1) for _ in range(2)])
        claims = []
        for _ in range(16):
            lose_to_others(queue)
            claims += [delivery.data for delivery in queue.claim(limit, MINUTE).deliveries]
        assert claims == [b"urgent"] * 2 + [b"ordinary"] * 7 + [b"low"] * 7

    def test_who_is_alone_again_claims_in_the_order_of_writing_after_three_claims(self, queue):
        queue.write_many([Message(b"%02d" % number) for number in range(60)])
        lose_to_others(queue)
        for _ in range(3):
            queue.claim(2, MINUTE)
        in_order = list(chain.from_iterable(drained(queue, 2)))
        assert len(in_order) == 54
        assert in_order == sorted(in_order)


class TestPause:
    def test_a_claim_leaves_what_fell_due_where_it_is(self, server, new_backend, request):
        queue = new_backend(server.url(max_deliveries="1")).queue(request.node.name)
        queue.write(b"abandoned")
        (held,) = queue.claim(1, MINUTE).deliveries
        queue.write(b"scheduled", eta=queue.now() + MINUTE)
        let_everything_fall_due(queue)
        queue.pause()
        assert queue.claim(10, MINUTE).deliveries == []
        assert queue.counts() == Counts(ready=0, scheduled=1, running=1, dead=0, paused=True)
        assert queue.settle([Ack(held)]) == [True]
        queue.resume()
        assert drained(queue, 10) == [[b"scheduled"]]


class TestLostConnections:
    def test_what_nobody_received_is_given_back_by_the_next_claim_and_does_not_count(
        self, server, make_tunnel, new_backend, queue, eventually
    ):
        tunnel = make_tunnel(server.port)
        backend = new_backend(f"mongodb://127.0.0.1:{tunnel.port}/huey?serverSelectionTimeoutMS=500&max_deliveries=1")
        claimer = backend.queue(queue.name)
        queue.write(b"x")
        eventually(lambda: reaches_its_server(claimer))
        assert len(claimer) == 1
        tunnel.lose_reply_to(b"\x02update\x00", then_refuse=True)
        with pytest.raises(AutoReconnect):
            claimer.claim(1, MINUTE)
        assert queue.counts().running == 1
        tunnel.stop_refusing()
        eventually(lambda: reaches_its_server(claimer))
        assert [(each.data, each.attempt) for each in claimer.claim(1, MINUTE).deliveries] == [(b"x", 1)]


class TestBurials:
    def test_of_two_that_bury_at_the_same_time_one_names_it(self, server, new_backend, request, eventually):
        queues = [new_backend(server.url(max_deliveries="1")).queue(request.node.name) for _ in range(2)]
        written = queues[0].write(b"killer")
        queues[0].claim(1, 0.001)
        collection = queues[0]._cluster.collection
        eventually(lambda: queues[0].now() * 1000 > collection.find_one({"id": written.message_id})["at"])
        [found] = collection.find({"id": written.message_id})

        assert [queue._claims._bury([found], [], MINUTE) for queue in queues] == [[written.message_id], []]

    def test_a_claim_that_has_looked_before_does_not_bring_back_what_another_one_buries(
        self, server, new_backend, request, monkeypatch
    ):
        strict, lenient = (
            new_backend(server.url(max_deliveries=limit)).queue(request.node.name) for limit in ("1", "5")
        )
        strict.write(b"killer", message_id="killer")
        strict.claim(1, MINUTE)
        let_everything_fall_due(strict)
        really_due = claiming._really_due

        def bury_first(ids):
            monkeypatch.undo()
            assert strict.claim(1, MINUTE).buried == ["killer"]
            let_everything_fall_due(strict)
            return really_due(ids)

        monkeypatch.setattr(claiming, "_really_due", bury_first)

        assert lenient.claim(1, MINUTE).deliveries == []
        assert lenient.counts().dead == 1


class TestLeftovers:
    """Outboxes of killed consumers that cannot be cleared, because the server refuses what is in them."""

    @pytest.fixture
    def refusing(self, server, new_backend):
        """A queue whose collection refuses a message of one kind."""
        backend = new_backend(server.url(collection="refusing"))
        queue = backend.queue("q")
        assert len(queue) == 0
        rule = {"data": {"$ne": b"refused"}}
        backend._cluster.client["huey"].command("collMod", "refusing", validator=rule)
        yield queue
        backend._cluster.client["huey"].drop_collection("refusing")

    def test_what_cannot_be_written_keeps_nothing_else_from_a_claim(self, refusing, monkeypatch, eventually, caplog):
        monkeypatch.setattr(settling, "dispatch_or_leave", lambda *_: None)
        monkeypatch.setattr(outbox, "PATIENCE", 0.05)
        refusing.write_many([Message(b"first"), Message(b"second")])
        first, second = refusing.claim(2, MINUTE).deliveries
        refusing.settle(
            [Ack(first, follow_ups=(Message(b"refused"),)), Ack(second, follow_ups=(Message(b"follow-up"),))]
        )
        refusing.write(b"ready")
        claimed = []
        eventually(lambda: claimed.extend(refusing.claim(1, MINUTE).deliveries) or len(claimed) == 2)
        assert {delivery.data for delivery in claimed} == {b"ready", b"follow-up"}
        assert refusing.claim(1, MINUTE).deliveries == []
        (record,) = [record for record in caplog.records if record.name.startswith("huey_mongo")]
        assert "could not be written" in record.getMessage()

    def test_what_could_not_be_written_is_there_when_it_can(self, refusing, monkeypatch, eventually):
        monkeypatch.setattr("huey_mongo.outbox.LONG_PATIENCE", 0.05)
        refusing.write(b"parent")
        (parent,) = refusing.claim(1, MINUTE).deliveries
        assert refusing.settle([Ack(parent, follow_ups=(Message(b"refused"),))]) == [True]
        refusing._cluster.collection.update_many({"committed": {"$exists": True}}, {"$set": {"at": 1}})
        assert refusing.claim(1, MINUTE).deliveries == []
        refusing._cluster.client["huey"].command("collMod", "refusing", validator={})
        claimed = []
        eventually(lambda: claimed.extend(refusing.claim(1, MINUTE).deliveries) or claimed)
        assert [delivery.data for delivery in claimed] == [b"refused"]
