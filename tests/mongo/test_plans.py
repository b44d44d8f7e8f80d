"""Claim, settle and extend use their index and examine no more than they return, among 20,000 documents.

The server's profiler keeps the plan of everything it executes, so what is checked is what happened, explained by the
server that did it.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from huey_core.backends import EmptyData
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, Release, ResultWrite, Retry
from huey_mongo import MongoDataStore, MongoQueue
from huey_mongo.queue_names import queue_names

HOUR = 3600.0
BACKLOG = 20_000


@pytest.fixture(scope="module")
def plans(server):
    """A backend with a backlog of its own, and what the profiler saw of a block."""
    with server.connect() as client:
        database = client["plans"]

        @contextmanager
        def profiled():
            database.command("profile", 0)
            database["system.profile"].drop()
            database.command("profile", 2)
            seen = []
            yield seen
            database.command("profile", 0)
            seen += [
                entry
                for entry in database["system.profile"].find({"ns": "plans.huey"}).sort("ts", 1)
                if entry["op"] != "command" or "distinct" in entry["command"] or "aggregate" in entry["command"]
            ]

        yield profiled


@pytest.fixture(scope="module")
def backlog(server, shared_backends):
    queue = shared_backends(server.url("plans")).queue("backlog")
    now = queue.now()
    for start in range(0, BACKLOG, 10_000):
        queue.write_many(
            [
                Message(b"x" * 100, priority=number % 3, eta=now + HOUR if number % 4 == 0 else None)
                for number in range(start, start + 10_000)
            ]
        )
    return queue


def examined(entries):
    return [(entry["op"], entry["docsExamined"], results(entry)) for entry in entries]


def results(entry):
    return entry.get("nreturned", entry.get("nMatched", entry.get("ndeleted")))


def plan_names(entries):
    return {entry.get("planSummary", "IDHACK").split(" ")[0] for entry in entries}


def test_a_claim_is_three_operations_that_examine_what_they_return(plans, backlog):
    with plans() as seen:
        claimed = backlog.claim(64, HOUR).deliveries
    assert len(claimed) == 64
    assert examined(seen) == [("query", 64, 64), ("update", 64, 64), ("query", 64, 64)]
    assert plan_names(seen) == {"IXSCAN"}
    assert seen[0]["keysExamined"] == 64


def test_a_message_and_its_result_are_one_query_and_two_when_neither_is_there(plans, backlog, shared_backends, server):
    store = shared_backends(server.url("plans")).data_store("backlog")
    message_id = backlog.write(b"x").message_id
    store.put("key", b"result")

    with plans() as seen:
        message, value = backlog.find_with_result(message_id, store, "key")
        assert backlog.find_with_result("no message", store, "key") == (None, b"result")
        assert backlog.find_with_result("no message", store, "no key") == (None, EmptyData)

    assert (message.message_id, value) == (message_id, b"result")
    assert examined(seen) == [("query", 2, 2), ("query", 1, 1), ("query", 0, 0), ("query", 0, 0)]
    assert plan_names(seen) == {"IXSCAN"}


def test_a_claim_that_brings_messages_back_examines_what_it_moves(plans, backlog, eventually):
    lost = [delivery.message_id for delivery in backlog.claim(16, 0.001).deliveries]
    ended = backlog.now() + 0.2
    # A claim looks by the estimate, which may lag behind.
    eventually(lambda: min(backlog.now(), backlog._cluster.estimate()) > ended)
    with plans() as seen:
        again = backlog.claim(16, HOUR).deliveries
    assert {delivery.message_id for delivery in again} == set(lost)
    assert [(op, docs) for op, docs, _ in examined(seen)] == [
        ("query", 16),
        ("query", 16),
        ("update", 16),
        ("query", 16),
        ("update", 16),
        ("query", 16),
    ]
    assert plan_names(seen) == {"IXSCAN"}


def test_a_settlement_examines_each_document_once_for_reading_and_once_for_writing(plans, backlog):
    claimed = backlog.claim(64, HOUR).deliveries
    store = MongoDataStore("results", cluster=backlog._cluster)
    with plans() as seen:
        settled = backlog.settle(
            [
                *(Ack(delivery) for delivery in claimed[:16]),
                *(Ack(each, ResultWrite(store, each.message_id, b"done", HOUR)) for each in claimed[16:32]),
                *(Release(delivery) for delivery in claimed[32:48]),
                *(Retry(delivery, b"again", HOUR) for delivery in claimed[48:]),
            ]
        )
    assert settled == [True] * 64
    assert examined(seen)[0] == ("query", 64, 64)
    assert sorted(examined(seen)[1:]) == [("remove", 1, 1)] * 16 + [("update", 1, 1)] * 48
    assert "COLLSCAN" not in plan_names(seen)


def test_an_extension_examines_what_it_extends(plans, backlog):
    claimed = backlog.claim(64, HOUR).deliveries
    with plans() as seen:
        assert backlog.extend(claimed, HOUR) == [True] * 64
    assert examined(seen) == [("update", 64, 64)]
    assert plan_names(seen) == {"IXSCAN"}


def test_an_idle_look_beside_a_backlog_examines_nothing(plans, backlog):
    idle = MongoQueue("idle", cluster=backlog._cluster)
    with plans() as seen:
        assert idle.claim(64, HOUR).deliveries == []
    assert examined(seen) == [("query", 0, 0)]
    assert seen[0]["keysExamined"] <= 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda queue: queue.counts(),
        lambda queue: queue.find(["unknown"]),
        lambda queue: [queue.peek(state, 0, 10) for state in State],
        lambda queue: queue.delete(["unknown"]),
        lambda queue: queue.requeue(["unknown"]),
        lambda queue: [queue.pages(state, limit=10) for state in (State.READY, State.SCHEDULED)],
        lambda queue: queue.export(queue.export(limit=10).cursor, limit=10),
        lambda queue: queue.reschedule(["unknown"], 0.0),
        lambda queue: queue.groups(),
        lambda queue: queue.delete_groups(["unknown"]),
        lambda queue: queue_names(queue._cluster),
        lambda queue: queue.write(b"x", message_id="same", unique_key="k") and queue.write(b"y", unique_key="k"),
    ],
    ids=[
        "counts",
        "find",
        "peek",
        "delete",
        "requeue",
        "pages",
        "export",
        "reschedule",
        "groups",
        "delete_groups",
        "queue_names",
        "write",
    ],
)
def test_nothing_else_reads_through_the_whole_collection(plans, backlog, ask):
    with plans() as seen:
        ask(backlog)
    assert seen
    assert "COLLSCAN" not in plan_names(seen)


@pytest.mark.parametrize(
    "ask", [lambda queue: queue.export(limit=10), lambda queue: queue_names(queue._cluster)], ids=["export", "names"]
)
def test_what_looks_at_all_that_there_is_reads_a_little_at_a_time(plans, backlog, ask):
    with plans() as seen:
        ask(backlog)
    assert max(entry["keysExamined"] for entry in seen) <= 12
    assert not any(entry.get("hasSortStage") for entry in seen)


def test_a_flush_finds_what_it_removes_by_index(plans, backlog):
    other = MongoQueue("flushed", cluster=backlog._cluster)
    other.write_many([Message(b"x"), Message(b"x", unique_key="k"), Message(b"x", eta=other.now() + HOUR)])
    with plans() as seen:
        other.flush()
    assert sum(removed for _, _, removed in examined(seen)) == 3
    assert plan_names(seen) == {"IXSCAN"}
