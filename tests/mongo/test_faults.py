"""What producers and consumers see when a server restarts, dies, hangs or loses a reply."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest
from pymongo.errors import AutoReconnect, PyMongoError, ServerSelectionTimeoutError

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Counts, Message, State
from huey_core.backends.outcomes import Ack, Bury, Reported, ResultWrite, Retry
from huey_core.exceptions import MessageTooLarge
from huey_mongo import outbox, reporting, settling
from huey_mongo.documents import MAX_MESSAGE_SIZE
from killed_reporter import check_that_another_consumer_reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.messages import Delivery
    from huey_mongo import MongoBackend, MongoQueue

    BackendFactory = Callable[[str], MongoBackend]

MINUTE = 60.0


def test_a_server_that_is_not_there_is_an_error_in_time(new_backend):
    queue = new_backend("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200").queue("q")
    with pytest.raises(ServerSelectionTimeoutError):
        queue.write(b"x")


class TestLostReplies:
    @pytest.fixture
    def lossy(self, server, make_tunnel, new_backend):
        tunnel = make_tunnel(server.port)
        queue = new_backend(f"mongodb://127.0.0.1:{tunnel.port}/huey").queue("lost replies")
        queue.flush()
        return tunnel, queue

    def test_a_write_is_written_once(self, lossy):
        tunnel, queue = lossy
        tunnel.lose_reply_to(b"\x02insert\x00")
        written = queue.write_many([Message(b"one"), Message(b"two", unique_key="k")])
        assert [each.created for each in written] == [True, True]
        assert len(queue) == 2

    def test_a_claim_that_arrived_is_not_lost(self, lossy):
        tunnel, queue = lossy
        queue.write(b"x")
        tunnel.lose_reply_to(b"\x02update\x00")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert (delivery.data, delivery.attempt) == (b"x", 1)
        assert queue.settle([Ack(delivery)]) == [True]

    def test_an_ack_that_arrived_is_stale_the_second_time(self, lossy):
        tunnel, queue = lossy
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        tunnel.lose_reply_to(b"\x02delete\x00")
        with pytest.raises(AutoReconnect):
            queue.settle([Ack(delivery)])
        assert queue.settle([Ack(delivery)]) == [False]
        assert queue.counts() == Counts(0, 0, 0, 0)


class TestOutbox:
    """A consumer that is killed between the settlement and what follows from it."""

    @pytest.fixture
    def killed_after_settling(self, monkeypatch):
        monkeypatch.setattr(settling, "dispatch_or_leave", lambda *_: None)
        monkeypatch.setattr(outbox, "PATIENCE", 0.05)

    @pytest.mark.usefixtures("killed_after_settling")
    def test_follow_ups_and_results_are_written_by_the_next_claim(self, queue, store, eventually):
        queue.write(b"first step")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        follow_ups = (Message(b"second step"), Message(b"third step"))
        assert queue.settle([Ack(delivery, ResultWrite(store, "k", b"result"), follow_ups)]) == [True]
        claimed = []
        eventually(lambda: claimed.extend(queue.claim(2, MINUTE).deliveries) or len(claimed) == 2)
        assert [delivery.data for delivery in claimed] == [b"second step", b"third step"]
        assert store.get("k") == b"result"

    @pytest.mark.usefixtures("killed_after_settling")
    def test_the_result_of_a_burial_is_written_and_the_letter_stays(self, queue, store, eventually):
        message_id = queue.write(b"x").message_id
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert queue.settle([Bury(delivery, "bad", result=ResultWrite(store, "k", b"error"))]) == [True]
        eventually(lambda: queue.claim(1, MINUTE).deliveries == [] and store.peek("k") == b"error")
        assert [(each.message_id, each.state) for each in queue.peek(State.DEAD)] == [(message_id, State.DEAD)]
        assert queue.requeue([message_id]) == [message_id]

    @pytest.mark.usefixtures("killed_after_settling")
    def test_the_follow_ups_of_a_burial_are_written_and_the_letter_stays(self, queue, eventually):
        queue.write(b"x", message_id="a")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert queue.settle([Bury(delivery, "bad", follow_ups=(Message(b"next", "b"),))]) == [True]
        claimed = []
        eventually(lambda: claimed.extend(queue.claim(1, MINUTE).deliveries) or claimed)
        assert [each.data for each in claimed] == [b"next"]
        assert [each.message_id for each in queue.peek(State.DEAD)] == ["a"]

    @pytest.mark.usefixtures("killed_after_settling")
    @pytest.mark.parametrize(("change", "left"), [("requeue", [b"x", b"next"]), ("delete", [b"next"])])
    def test_the_follow_ups_of_a_dead_letter_are_written_before_it_is_changed(self, queue, eventually, change, left):
        queue.write(b"x", message_id="a")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        queue.settle([Bury(delivery, "bad", follow_ups=(Message(b"next", "b"),))])
        assert getattr(queue, change)(["a"]) == ["a"]
        ends = queue.now() + 0.1
        eventually(lambda: queue.now() > ends, "the time at which the outbox would have been due")
        assert [each.data for each in queue.claim(3, MINUTE).deliveries] == left

    def test_the_follow_ups_of_a_report_are_written_by_the_next_claim(
        self, new_backend, server, monkeypatch, eventually
    ):
        queue = new_backend(server.url(max_deliveries="1")).queue("killed after a report")
        queue.flush()
        queue.write(b"x", message_id="a")
        queue.claim(1, 0.001)
        named = []
        eventually(lambda: named.extend(queue.claim(1, MINUTE).buried) or named)
        with monkeypatch.context() as killed:
            killed.setattr(reporting, "dispatch_or_leave", lambda *_: None)
            killed.setattr(outbox, "PATIENCE", 0.05)
            queue.report_done([Reported("a", (Message(b"next", "b"),))])
        claimed = []
        eventually(lambda: claimed.extend(queue.claim(1, MINUTE).deliveries) or claimed)
        assert [each.data for each in claimed] == [b"next"]
        assert queue.counts().dead == 1

    def test_a_connection_lost_after_settling_is_no_failure_of_the_settlement(self, queue, monkeypatch):
        def lost(*_):
            raise AutoReconnect("a test of a lost connection")

        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        monkeypatch.setattr(outbox, "dispatch", lost)
        assert queue.settle([Ack(delivery, follow_ups=(Message(b"next"),))]) == [True]

    def test_nothing_is_left_of_an_outbox(self, queue, store, backend):
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        queue.settle([Ack(delivery, ResultWrite(store, "k", b"result"), (Message(b"next"),))])
        assert queue.read() == b"next"
        assert store.get("k") == b"result"
        assert backend._cluster.collection.count_documents({"queue": queue.name}) == 0


class TestSize:
    def test_the_largest_message_passes_through_every_state(self, queue):
        largest = bytes(MAX_MESSAGE_SIZE)
        message_id = queue.write(largest, unique_key="k" * 1000).message_id
        (delivery,) = queue.claim(1, MINUTE).deliveries
        queue.settle([Retry(delivery, largest)])
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert queue.settle([Bury(delivery, "reason", "detail" * 10_000)]) == [True]
        assert queue.requeue([message_id]) == [message_id]
        assert queue.read() == largest

    def test_one_byte_more_is_refused_with_the_limit(self, queue):
        with pytest.raises(MessageTooLarge, match="16,711,680"):
            queue.write(bytes(MAX_MESSAGE_SIZE + 1))
        assert len(queue) == 0

    def test_the_largest_result_is_stored_and_a_larger_one_refused_before_anything_is_settled(self, queue, store):
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        with pytest.raises(MessageTooLarge):
            queue.settle([Ack(delivery, ResultWrite(store, "k", bytes(MAX_MESSAGE_SIZE + 1)))])
        assert queue.settle([Ack(delivery, ResultWrite(store, "k", bytes(MAX_MESSAGE_SIZE)))]) == [True]
        assert len(store.get("k")) == MAX_MESSAGE_SIZE

    def test_the_largest_message_is_buried_with_its_details_and_an_error_result(self, queue, store):
        largest = bytes(MAX_MESSAGE_SIZE)
        queue.write(largest)
        (delivery,) = queue.claim(1, MINUTE).deliveries
        result = ResultWrite(store, "k", b"e" * 40_000)
        assert queue.settle([Bury(delivery, "reason", "\N{GRINNING FACE}" * 100_000, result)]) == [True]
        (dead,) = queue.peek(State.DEAD)
        assert (dead.data, dead.reason, dead.detail[0]) == (largest, "reason", "\N{GRINNING FACE}")
        assert store.get("k") == b"e" * 40_000

    def test_a_stale_receipt_stores_no_error_result_of_the_largest_message(self, queue, store):
        queue.write(bytes(MAX_MESSAGE_SIZE))
        (delivery,) = queue.claim(1, MINUTE).deliveries
        queue.settle([Retry(delivery, bytes(MAX_MESSAGE_SIZE))])
        assert queue.settle([Bury(delivery, "reason", "", ResultWrite(store, "k", b"e" * 40_000))]) == [False]
        assert store.get("k") is EmptyData

    def test_a_large_batch_is_divided(self, queue):
        batch = [Message(bytes(8 * 2**20)) for _ in range(8)]
        assert all(written.created for written in queue.write_many(batch))
        assert len(queue) == 8


def test_what_has_ended_is_removed_by_the_server(new_server, new_backend, eventually):
    server = new_server(parameters={"ttlMonitorSleepSecs": "1"})
    backend = new_backend(server.url())
    queue, store = backend.queue("q"), backend.data_store("r")
    store.put("value", b"v", ttl=0.1)
    queue.write(b"x", unique_key="k", unique_for=0.1)
    queue.write(b"y")
    first, second = queue.claim(2, MINUTE).deliveries
    queue.settle([Ack(first), Ack(second, ResultWrite(store, "result", b"v", ttl=0.1))])
    documents = backend._cluster.collection
    eventually(lambda: documents.count_documents({}) == 0, "the removal of everything")
    assert store.get("value") is EmptyData


class Hold(NamedTuple):
    """One delivery: when its claim was sent, when it came back, and when the consumer was done with it."""

    message_id: str
    asked: float
    begin: float
    end: float


class History:
    """Producers and consumers at work, and what they saw."""

    LEASE = 4.0

    def __init__(self, url: str, new_backend: BackendFactory) -> None:
        self.accepted: set[str] = set()
        self.holds: list[Hold] = []
        self._open_queue = lambda: new_backend(url).queue("history")
        self._producing, self._consuming = threading.Event(), threading.Event()
        self._producers = [threading.Thread(target=self._produce) for _ in range(2)]
        self._consumers = [threading.Thread(target=self._consume) for _ in range(3)]

    def __enter__(self) -> History:
        self._producing.set()
        self._consuming.set()
        for thread in (*self._producers, *self._consumers):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._producing.clear()
        for thread in self._producers:
            thread.join()
        deadline = time.monotonic() + MINUTE
        queue = self._open_queue()
        while queue.counts() != Counts(0, 0, 0, 0) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._consuming.clear()
        for thread in self._consumers:
            thread.join()

    def left(self) -> Counts:
        """Count what the server still has."""
        return self._open_queue().counts()

    def lost(self) -> set[str]:
        """Return the messages that were accepted and never delivered."""
        return self.accepted - {hold.message_id for hold in self.holds}

    def doubled(self) -> list[tuple[Hold, Hold]]:
        """Return deliveries of one message of which the second came while the first was held under its lease."""
        pairs = []
        earlier: dict[str, Hold] = {}
        for hold in sorted(self.holds, key=lambda hold: hold.begin):
            first = earlier.get(hold.message_id)
            # The lease began when the server had the claim, at the earliest when it was sent.
            if first is not None and hold.begin < min(first.end, first.asked + self.LEASE):
                pairs.append((first, hold))
            earlier[hold.message_id] = hold
        return pairs

    def _produce(self) -> None:
        queue = self._open_queue()
        while self._producing.is_set():
            # A batch that failed may have been written in part, but nobody was told so.
            with suppress(PyMongoError):
                written = queue.write_many([Message(b"x") for _ in range(5)])
                self.accepted.update(each.message_id for each in written)

    def _consume(self) -> None:
        queue = self._open_queue()
        while self._consuming.is_set():
            with suppress(PyMongoError):
                asked = time.monotonic()
                claimed = queue.claim(8, self.LEASE, wait=0.2).deliveries
                begin = time.monotonic()
                self._settle(queue, claimed, asked + 3 * self.LEASE)
                end = time.monotonic()
                self.holds += [Hold(delivery.message_id, asked, begin, end) for delivery in claimed]

    def _settle(self, queue: MongoQueue, claimed: list[Delivery], deadline: float) -> None:
        while claimed and time.monotonic() < deadline:
            with suppress(PyMongoError):
                queue.settle([Ack(delivery) for delivery in claimed])
                return


@pytest.mark.parametrize("fault", ["step-down", "kill"])
def test_a_new_primary_in_the_middle_of_everything_loses_nothing_and_doubles_nothing(
    new_replica_set, new_backend, fault, eventually
):
    replica_set = new_replica_set()
    with History(replica_set.url(), new_backend) as history:
        eventually(lambda: len(history.holds) > 200, "a steady state", timeout=MINUTE)
        for _ in range(2):
            replica_set.wait_until_whole()
            before = len(history.holds)
            victim = replica_set.primary()
            if fault == "kill":
                victim.kill()
            else:
                replica_set.step_down()
            eventually(lambda before=before: len(history.holds) > before + 200, "work after it", timeout=MINUTE)
            if fault == "kill":
                victim.start()
    assert history.left() == Counts(0, 0, 0, 0)
    assert history.lost() == set()
    assert history.doubled() == []


def test_a_waiting_consumer_is_told_again_after_a_failover(new_replica_set, new_backend):
    replica_set = new_replica_set()
    queue = new_backend(replica_set.url()).queue("q")
    assert queue.claim(1, MINUTE, wait=0.5).deliveries == []
    replica_set.step_down()
    replica_set.primary()
    new_backend(replica_set.url()).queue("q").write(b"x")
    assert [delivery.data for delivery in queue.claim(1, MINUTE, wait=20.0).deliveries] == [b"x"]


def test_a_dead_letter_that_a_killed_consumer_did_not_report_is_reported_by_another(server):
    check_that_another_consumer_reports(server.url(queue="killed-reporter", max_deliveries="1"))
