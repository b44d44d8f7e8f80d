"""What producers and consumers see when the server restarts, dies, hangs, fills up or loses a reply."""

from __future__ import annotations

import time

import pytest
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import ResponseError

from huey_core.backends.leased import Ack, Bury, Message, ResultWrite, Retry
from huey_redis import RedisDataStore, RedisQueue
from huey_redis.connection import Connections, Link
from huey_redis.settings import Settings

MINUTE = 60.0


def at(port, **settings):
    return {"host": "127.0.0.1", "port": port, **settings}


def test_a_connection_that_the_server_closed_is_noticed_before_it_is_used(new_server):
    server = new_server()
    queue, store = RedisQueue("q", **at(server.port)), RedisDataStore("r", **at(server.port))
    admin = Connections(Settings(**at(server.port)))
    queue.write(b"x")
    store.put("k", b"value")
    admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert queue.read() == b"x"
    assert store.get("k") == b"value"


def test_a_write_whose_reply_is_lost_is_written_once(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("lost replies", **at(tunnel.port))
    queue.flush()
    tunnel.lose_replies = 1
    assert queue.write(b"one").created
    tunnel.lose_replies = 1
    assert [written.created for written in queue.write_many([Message(b"two"), Message(b"three")])] == [True, True]
    assert len(queue) == 3


def test_a_large_batch_over_a_slow_line_may_take_longer_than_the_timeout(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    tunnel.bytes_per_second = 12 * 2**20
    queue = RedisQueue("slow line", **at(tunnel.port, socket_timeout=0.4))
    queue.flush()

    started = time.monotonic()
    queue.write_many([Message(bytes(1024)) for _ in range(16_000)])

    assert time.monotonic() - started > 0.4
    assert len(queue) == 16_000
    queue.flush()


def test_only_the_part_of_a_batch_whose_connection_broke_is_repeated(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("broken batch", **at(tunnel.port))
    queue.flush()
    queue.write(b"there already", message_id="first")
    messages = [Message(b"the same", "first"), *(Message(bytes(1024)) for _ in range(4000))]
    tunnel.lose_reply_after = 2 * 2**20

    written = queue.write_many(messages)

    assert tunnel.lose_reply_after is None
    # A repeated write cannot tell its own message from one that was there, and counts it as created.
    assert [message.created for message in written] == [False] + [True] * 4000
    assert len(queue) == 4001
    queue.flush()


def test_a_write_that_is_repeated_after_its_message_was_finished_is_delivered_again(server):
    queue = RedisQueue("finished in between", **at(server.port))
    queue.flush()
    for _ in range(2):
        assert queue.write(b"x", message_id="the same").created
        (delivery,) = queue.claim(1, MINUTE)
        queue.settle([Ack(delivery)])


def test_a_refused_client_id_is_asked_for_once(new_server):
    server = new_server()
    admin = Connections(Settings(**at(server.port)))
    admin.call("ACL", "SETUSER", "worker", "on", ">secret", "+@all", "-client")
    link = Link(Settings(**at(server.port, username="worker", password="secret")))
    assert link.client_id() is None
    admin.call("ACL", "SETUSER", "worker", "+client")
    assert link.client_id() is None
    link.close()
    admin.close()


def test_a_connection_that_breaks_twice_is_an_error(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("lost replies", **at(tunnel.port))
    queue.flush()
    tunnel.lose_replies = 100
    with pytest.raises(BrokenConnection):
        queue.write(b"one")


def test_a_full_server_refuses_writes_and_lets_consumers_go_on(new_server):
    server = new_server()
    queue, store = RedisQueue("q", **at(server.port)), RedisDataStore("r", **at(server.port))
    queue.write_many(
        [Message(b"first"), Message(b"second"), Message(b"third"), Message(b"later", eta=queue.now() + 0.05)]
    )
    admin = Connections(Settings(**at(server.port)))
    admin.call("CONFIG", "SET", "maxmemory", "100kb")
    for write in (
        lambda: queue.write(b"too much"),
        lambda: queue.write_many([Message(b"too much", unique_key="k", unique_for=MINUTE)]),
    ):
        with pytest.raises(ResponseError, match="maxmemory"):
            write()
    first, second, third = queue.claim(3, MINUTE)
    assert queue.extend([first, second, third], MINUTE) == [True] * 3
    assert (
        queue.settle([Ack(first, ResultWrite(store, "k", b"result")), Retry(second, b"again"), Bury(third, "bad")])
        == [True] * 3
    )
    assert store.get("k") == b"result"
    assert queue.read() == b"again"
    assert [delivery.data for delivery in queue.claim(1, MINUTE, wait=10.0)] == [b"later"]
    assert admin.call("EXISTS", "huey:{q}:unique") == 0
