"""What happens when the address of the server leads to another one, and the old one takes no writes any more."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from huey_redis import RedisDataStore, RedisQueue
from huey_redis.connection import Connections
from huey_redis.settings import Settings

MINUTE = 60.0


def at(port, **settings):
    return {"host": "127.0.0.1", "port": port, **settings}


class Pair:
    """Two servers, and an address that leads to the first of them until the second takes over.

    The first is then a replica of a server that nobody can reach, so nothing comes to it but over old connections.
    """

    def __init__(self, new_server, make_tunnel):
        self.first, self.second = new_server(), new_server()
        self._address = make_tunnel(self.first.port)
        self.port = self._address.port

    def fail_over(self):
        self.demote()
        self.move()

    def move(self):
        self._address.target = self.second.port

    def demote(self):
        demoted = Connections(Settings(**at(self.first.port)))
        demoted.call("REPLICAOF", "127.0.0.1", 1)
        demoted.close()


@pytest.fixture
def pair(new_server, make_tunnel):
    return Pair(new_server, make_tunnel)


def test_one_write_fails_and_the_next_reaches_the_new_server(pair):
    queue = RedisQueue("q", **at(pair.port))
    queue.write(b"before")
    pair.fail_over()

    with pytest.raises(RedisError, match="read only replica"):
        queue.write(b"refused")

    assert queue.write(b"after").created
    assert RedisQueue("q", **at(pair.second.port)).read() == b"after"
    queue.close()


def test_a_batch_that_is_refused_leaves_the_old_server_too(pair):
    store = RedisDataStore("s", **at(pair.port))
    store.put("k", b"before")
    pair.fail_over()

    with pytest.raises(RedisError, match="read only replica"):
        store.put("k", b"refused")

    store.put("k", b"after")
    assert RedisDataStore("s", **at(pair.second.port)).get("k") == b"after"
    store.close()


def test_the_idle_connections_to_the_old_server_are_given_up_with_the_first(pair):
    connections = Connections(Settings(**at(pair.port)))
    with connections.borrow(), connections.borrow(), connections.borrow():
        pass
    pair.fail_over()

    with pytest.raises(ReadOnlyError):
        connections.call("SET", "k", "refused")

    assert connections.call("GET", "k") is None
    assert connections.call("SET", "k", "after") == b"OK"
    connections.close()


def test_a_consumer_that_waits_is_told_and_claims_from_the_new_server(pair):
    queue = RedisQueue("q", **at(pair.port))
    with queue._connections.borrow(), queue._connections.borrow():
        pass
    admin = Connections(Settings(**at(pair.first.port)))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.claim, 1, MINUTE, 30.0)
        deadline = time.monotonic() + 60
        while b"blocked_clients:1" not in admin.call("INFO", "clients"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        pair.fail_over()
        with pytest.raises(ResponseError):
            waiting.result(60)

    RedisQueue("q", **at(pair.second.port)).write(b"after")

    assert [delivery.data for delivery in queue.claim(1, MINUTE, 10.0).deliveries] == [b"after"]
    admin.close()
    queue.close()


def test_a_watch_goes_on_at_the_new_server(pair):
    store = RedisDataStore("s", **at(pair.port))
    store.put("other", b"before")
    told = threading.Event()
    store.watch("k", told.set)
    pair.fail_over()

    with pytest.raises(ReadOnlyError):
        store.put("other", b"refused")

    assert_is_told_by(pair.second, told)
    store.close()


def test_a_watch_follows_an_address_that_moves_long_after_the_demotion(pair):
    store = RedisDataStore("s", **at(pair.port))
    store.put("other", b"before")
    told = threading.Event()
    store.watch("k", told.set)
    pair.demote()
    with pytest.raises(ReadOnlyError):
        store.put("other", b"refused")
    assert told.wait(30)
    told.clear()

    pair.move()
    store.put("other", b"after")

    assert_is_told_by(pair.second, told)
    store.close()


def assert_is_told_by(server, told):
    """Wait for a reconnection, which tells because a write may have gone by unseen, and for a write after it."""
    assert told.wait(30)
    told.clear()
    store = RedisDataStore("s", **at(server.port))
    store.put("k", b"value")
    store.close()
    assert told.wait(30)


def test_a_replica_that_refuses_to_read_without_its_primary_is_left(pair):
    queue = RedisQueue("q", **at(pair.port))
    queue.write(b"before")
    Connections(Settings(**at(pair.first.port))).call("CONFIG", "SET", "replica-serve-stale-data", "no")
    pair.fail_over()

    # Older versions of redis-py have no class for it.
    with pytest.raises(ResponseError):
        queue.counts()

    assert queue.counts().ready == 0
    queue.close()
