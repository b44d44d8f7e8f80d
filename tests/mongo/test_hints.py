"""How consumers and callers wait: told by a change stream on a replica set, and by looking on a standalone server."""

from __future__ import annotations

import threading
import time

import pytest

from huey_core.backends.outcomes import Ack, Release

MINUTE = 60.0


@pytest.fixture
def streamed(replica_set, new_backend):
    """A backend of the replica set."""
    return new_backend(replica_set.url("waiting"))


@pytest.fixture
def no_looks(monkeypatch):
    """Nobody looks for messages without a reason: only a hint, or something that falls due, ends a wait with one."""
    monkeypatch.setattr("huey_mongo.queue.LOOK", 100 * MINUTE)


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    return thread, result


class TestOnAReplicaSet:
    @pytest.mark.usefixtures("no_looks")
    def test_a_new_message_ends_the_wait_by_a_hint(self, streamed, replica_set, new_backend, eventually):
        queue = streamed.queue("hint")
        thread, claimed = in_thread(lambda: queue.claim(1, MINUTE, wait=30.0).deliveries)
        eventually(lambda: streamed._cluster.hints.streaming)
        other = new_backend(replica_set.url("waiting")).queue("hint")
        for _ in range(5):
            other.write(b"x")
            thread.join()
            assert [delivery.data for delivery in claimed.pop()] == [b"x"]
            thread, claimed = in_thread(lambda: queue.claim(1, MINUTE, wait=30.0).deliveries)
        queue.wake()
        thread.join()

    @pytest.mark.usefixtures("no_looks")
    def test_what_is_given_back_ends_the_wait_by_a_hint(self, streamed, eventually):
        queue = streamed.queue("given back")
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        thread, claimed = in_thread(lambda: queue.claim(1, MINUTE, wait=30.0).deliveries)
        eventually(lambda: streamed._cluster.hints.streaming)
        queue.settle([Release(delivery)])
        thread.join()
        assert [each.attempt for each in claimed.pop()] == [1]

    def test_a_counter_tells_its_watchers_and_no_others(self, streamed):
        store = streamed.data_store("counters")
        told, other = threading.Event(), []
        store.increment("k")
        store.watch("k", told.set)
        store.watch("other", lambda: other.append(1))
        store.increment("k")
        assert told.wait(10)
        assert other == []

    def test_a_document_of_another_program_does_not_keep_watchers_from_being_told(self, streamed, eventually, caplog):
        caplog.set_level("INFO", "huey_mongo.hints")
        store = streamed.data_store("foreign")
        told = threading.Event()
        end_watch = store.watch("k", told.set)
        cluster = streamed._cluster
        eventually(lambda: cluster.hints.streaming)
        cluster.collection.insert_one({"_id": "foreign"})
        cluster.collection.update_one({"_id": "foreign"}, {"$set": {"told": "not ours"}})
        eventually(lambda: "there is no change stream" in caplog.text)
        told.clear()
        store.put("k", b"v")
        assert told.wait(30)
        end_watch()

    def test_the_stream_is_closed_when_nobody_waits(self, streamed, monkeypatch, eventually):
        monkeypatch.setattr("huey_mongo.hints.LINGER", 0.1)
        monkeypatch.setattr("huey_mongo.hints.AWAIT", 100)
        queue = streamed.queue("linger")
        assert queue.claim(1, MINUTE, wait=1.0).deliveries == []
        eventually(lambda: not streamed._cluster.hints.streaming, "the end of the stream")
        thread, claimed = in_thread(lambda: queue.claim(1, MINUTE, wait=20.0).deliveries)
        queue.write(b"x")
        thread.join()
        assert [delivery.data for delivery in claimed.pop()] == [b"x"]


class TestAnywhere:
    @pytest.fixture(params=["standalone", "replica set"])
    def queue(self, request, server, replica_set, new_backend):
        url = server.url("waiting") if request.param == "standalone" else replica_set.url("waiting")
        queue = new_backend(url).queue(request.node.name)
        yield queue
        queue.flush()

    @pytest.mark.usefixtures("no_looks")
    def test_a_message_that_falls_due_ends_the_wait_on_time(self, queue, monkeypatch):
        monkeypatch.setattr("huey_mongo.queue.FIRST_LOOK", 100 * MINUTE)
        late = []
        for _ in range(5):
            eta = queue.now() + 0.2
            queue.write(b"x", eta=eta)
            (delivery,) = queue.claim(1, MINUTE, wait=30.0).deliveries
            late.append(queue.now() - eta)
            queue.settle([Ack(delivery)])
        assert min(late) >= 0
        # The shortest, of some milliseconds, since the machine may be busy.
        assert min(late) < 1

    def test_an_ended_wait_leaves_the_next_one_alone(self, queue):
        queue.wake()
        assert queue.claim(1, MINUTE, wait=20.0).deliveries == []
        started = time.monotonic()
        assert queue.claim(1, MINUTE, wait=0.3).deliveries == []
        assert time.monotonic() - started >= 0.3

    def test_an_idle_consumer_asks_the_server_only_a_few_times_a_second(self, queue):
        queue.claim(1, MINUTE, wait=2.0)
        database = queue._cluster.client["waiting"]
        before = operations(database)
        queue.claim(1, MINUTE, wait=3.0)
        assert (operations(database) - before) / 3 < 10


def operations(database):
    counters = database.command("serverStatus")["opcounters"]
    return counters["query"] + counters["getmore"] + counters["insert"] + counters["update"] + counters["delete"]
