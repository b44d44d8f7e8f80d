"""While too few members can have a write: nothing is lost, and nothing counts that nobody received."""

from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest
from pymongo.errors import PyMongoError, WTimeoutError

from huey_core.backends.messages import Counts, Message, State
from huey_core.backends.outcomes import Ack, Bury, Release, ResultWrite, Retry
from huey_core.exceptions import ConfigurationError, QueueException
from huey_mongo import MongoDataStore
from huey_mongo.testing import MongoReplicaSet

MINUTE = 60.0


@pytest.fixture(scope="module")
def members():
    """A replica set whose members are killed and started again."""
    with MongoReplicaSet(patience=120.0) as members:
        yield members


@pytest.fixture
def one_missing(members):
    """Kill a secondary for the duration of a block."""

    @contextmanager
    def missing():
        members.wait_until_whole()
        primary = members.primary()
        victim = next(member for member in members.members if member is not primary)
        victim.kill()
        try:
            yield
        finally:
            victim.start()
            members.wait_until_whole()

    return missing


@pytest.fixture
def open_queue(members, new_backend, request):
    """Open the queue of this test, all of whose writes every member must have in time."""

    def new(**options):
        url = members.url(w="3", max_deliveries="1", **options)
        return new_backend(url).queue(request.node.originalname)

    return new


@pytest.fixture
def queue(open_queue):
    """The queue as it is used while every member is there."""
    queue = open_queue(wTimeoutMS="60000", socketTimeoutMS="70000")
    assert len(queue) == 0
    return queue


@pytest.fixture
def hasty(open_queue, queue):
    """The same queue, as it is used while one is missing."""
    hasty = open_queue(wTimeoutMS="200")
    # The other has made the indexes, which could take longer.
    hasty._cluster._open().collection = hasty._cluster.bare_collection
    return hasty


@pytest.fixture
def store(hasty):
    return MongoDataStore(hasty.name, cluster=hasty._cluster)


def test_a_claim_raises_and_gives_back_what_nobody_received(queue, hasty, one_missing):
    queue.write(b"x", message_id="a")
    with one_missing():
        for _ in range(2):
            with pytest.raises(WTimeoutError):
                hasty.claim(1, 0.001)
        assert [(each.state, each.attempt) for each in hasty.find(["a"])] == [(State.READY, 0)]
    assert [(each.message_id, each.attempt) for each in queue.claim(1, MINUTE).deliveries] == [("a", 1)]


def test_a_settlement_that_the_primary_has_made_took_effect(queue, hasty, store, one_missing, caplog):
    queue.write_many([Message(b"%d" % number, str(number)) for number in range(5)])
    acked, followed, retried, released, buried = queue.claim(5, MINUTE).deliveries
    outcomes = [
        Ack(acked, ResultWrite(store, "0", b"result")),
        Ack(followed, ResultWrite(store, "1", b"result"), (Message(b"next", "next"),)),
        Retry(retried, b"again", MINUTE),
        Release(released),
        Bury(buried, "bad"),
    ]
    with one_missing():
        assert hasty.settle(outcomes) == [True] * 5
        assert hasty.settle(outcomes) == [False] * 5
        assert hasty.counts() == Counts(ready=1, scheduled=1, running=0, dead=1)
        assert store.peek("0") == b"result"
    assert "a failover may undo them" in caplog.text
    assert [each.message_id for each in queue.claim(5, MINUTE).deliveries] == ["3"]


def test_what_follows_from_a_settlement_is_written_when_it_can_be(
    queue, hasty, store, one_missing, eventually, monkeypatch
):
    monkeypatch.setattr("huey_mongo.outbox.PATIENCE", 0.05)
    queue.write(b"x")
    (delivery,) = queue.claim(1, MINUTE).deliveries
    with one_missing():
        assert hasty.settle([Ack(delivery, ResultWrite(store, "k", b"v"), (Message(b"next"),))]) == [True]
        assert len(hasty) == 0
    claimed = []
    eventually(lambda: claimed.extend(queue.claim(1, MINUTE).deliveries) or store.peek("k") == b"v")
    assert [each.data for each in claimed] == [b"next"]


def test_what_falls_due_meanwhile_comes_back_or_is_buried_as_ever(queue, hasty, one_missing, eventually):
    queue.write(b"x", message_id="abandoned")
    assert [each.message_id for each in queue.claim(1, 0.05).deliveries] == ["abandoned"]
    queue.write(b"y", message_id="scheduled", eta=queue.now() + 0.05)

    def has_moved():
        with suppress(WTimeoutError):
            assert hasty.claim(1, MINUTE).deliveries == []
        return hasty.counts() == Counts(ready=1, scheduled=0, running=0, dead=1)

    with one_missing():
        eventually(has_moved, "a burial and a message that is ready")
    assert [(each.message_id, each.attempt) for each in queue.claim(1, MINUTE).deliveries] == [("scheduled", 1)]


def test_an_extension_raises_and_the_lease_stays_ours(queue, hasty, one_missing):
    queue.write(b"x")
    deliveries = queue.claim(1, MINUTE).deliveries
    with one_missing(), pytest.raises(WTimeoutError):
        hasty.extend(deliveries, MINUTE)
    assert queue.settle([Ack(delivery) for delivery in deliveries]) == [True]


def test_a_write_that_raised_is_written_once_when_it_is_repeated(queue, hasty, one_missing):
    with one_missing(), pytest.raises(PyMongoError):
        hasty.write(b"x", message_id="a")
    assert queue.write(b"x", message_id="a").message_id == "a"
    assert queue.counts() == Counts(ready=1, scheduled=0, running=0, dead=0)


def test_trouble_at_the_first_use_is_not_taken_for_a_mistake_of_the_configuration(members, new_backend, one_missing):
    backend = new_backend(members.url("first_use", w="3", wTimeoutMS="200"))
    with one_missing(), pytest.raises(QueueException, match="are not known to be made") as raised:
        backend.queue("q").write(b"x")
    assert not isinstance(raised.value, ConfigurationError)
    assert isinstance(raised.value.__cause__, WTimeoutError)
