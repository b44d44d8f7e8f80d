"""A server of a cluster: scripts use the keys of one slot only."""

from __future__ import annotations

import pytest

from huey_core.backends import Ack, Message
from huey_core.exceptions import Unsupported
from huey_redis import RedisQueue
from huey_redis.connection import Connections
from huey_redis.keys import slot
from huey_redis.settings import Settings
from huey_redis.testing import RedisServer


@pytest.fixture(scope="module")
def cluster():
    """A cluster of one node, which has every slot."""
    with RedisServer(config={"cluster-enabled": "yes"}) as server:
        connections = Connections(Settings(host="127.0.0.1", port=server.port))
        connections.call(b"CLUSTER", b"ADDSLOTS", *range(16384))
        while b"cluster_state:ok" not in connections.call(b"CLUSTER", b"INFO"):
            pass
        connections.close()
        yield server


@pytest.fixture
def queue(cluster):
    queue = RedisQueue("a", host="127.0.0.1", port=cluster.port)
    yield queue
    queue.close()


def test_a_queue_in_another_slot_is_refused_before_anything_is_settled(queue):
    queue.write(b"first")
    [delivery] = queue.claim(1, 60.0).deliveries

    assert not queue.settles_beside("b")
    with pytest.raises(Unsupported, match="cannot write to the queue 'b' in one step with 'a'"):
        queue.settle([Ack(delivery, follow_ups=(Message(b"next", queue="b"),))])

    assert queue.settle([Ack(delivery)]) == [True]


def test_a_queue_in_the_same_slot_is_written_in_the_same_step(queue):
    name = next(name for name in map(str, range(200_000)) if slot(name) == slot("a"))
    queue.write(b"first")
    [delivery] = queue.claim(1, 60.0).deliveries

    assert queue.settles_beside(name)
    assert queue.settle([Ack(delivery, follow_ups=(Message(b"next", queue=name),))]) == [True]

    assert queue.sibling(name).read() == b"next"


@pytest.mark.parametrize("name", ["mail", "a{b}c%", "\u00fc"])
def test_the_slot_is_the_one_that_the_server_says(cluster, queue, name):
    connections = Connections(Settings(host="127.0.0.1", port=cluster.port))

    [key, *_] = queue.sibling(name)._keys
    assert connections.call(b"CLUSTER", b"KEYSLOT", key) == slot(name)

    connections.close()
