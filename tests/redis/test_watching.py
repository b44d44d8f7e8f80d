"""A watch of a key goes on for as long as its owner wants, whatever happens to its connection."""

from __future__ import annotations

import threading

import pytest
from redis.exceptions import RedisError

from huey_core.backends.base import EmptyData
from huey_redis import RedisDataStore
from huey_redis.connection import Connections
from huey_redis.settings import Settings


@pytest.fixture
def admin(server):
    connections = Connections(Settings(host="127.0.0.1", port=server.port))
    yield connections.call
    connections.close()


@pytest.fixture
def store(make_data_store, request):
    return make_data_store(f"store of {request.node.originalname}")


def test_a_watch_survives_the_loss_of_its_connection(admin, store):
    told = threading.Event()
    store.watch("k", told.set)
    admin("CLIENT", "KILL", "TYPE", "pubsub")
    # It is told once after the reconnection, because a write may have gone by unseen.
    assert told.wait(10)
    told.clear()
    store.put("k", b"value")
    assert told.wait(10)


def test_a_watch_survives_a_restart_of_the_server(new_server):
    server = new_server(appendonly=True)
    store = RedisDataStore("r", host="127.0.0.1", port=server.port)
    told = threading.Event()
    store.watch("k", told.set)
    server.restart()
    assert told.wait(20)
    told.clear()
    store.put("k", b"value")
    assert told.wait(10)
    store.close()


def test_a_callback_that_raises_keeps_nobody_else_from_being_told(store, caplog):
    told = threading.Event()

    def broken():
        raise RuntimeError("a bug of the caller")

    store.watch("k", broken)
    store.watch("k", told.set)
    store.put("k", b"1")
    assert told.wait(10)
    told.clear()
    store.put("k", b"2")
    assert told.wait(10)
    assert "a callback of a watch raised" in caplog.text


def test_an_ended_watch_is_told_nothing_and_the_server_forgets_it(admin, store):
    told = []
    end = store.watch("k", lambda: told.append("first"))
    other = threading.Event()
    end()
    end()
    store.watch("other", other.set)
    store.put("k", b"1")
    store.put("other", b"1")
    assert other.wait(10)
    assert told == []
    assert admin("PUBSUB", "NUMSUB", store.server_key("k"))[1] == 0


def test_a_watch_that_ends_and_begins_again_misses_nothing(store):
    for round_number in range(50):
        store.watch("k", lambda: None)()
        told = threading.Event()
        end = store.watch("k", told.set)
        store.put("k", b"%d" % round_number)
        assert told.wait(10)
        end()


def test_one_connection_serves_every_watch(admin, make_data_store):
    store = make_data_store("many watches")
    before = admin("CLIENT", "LIST", "TYPE", "pubsub").count(b"\n")
    for number in range(20):
        store.watch(str(number), lambda: None)
    assert admin("CLIENT", "LIST", "TYPE", "pubsub").count(b"\n") == before + 1


def test_a_watch_on_a_server_that_is_down_is_an_error(new_server):
    server = new_server()
    store = RedisDataStore("r", host="127.0.0.1", port=server.port)
    server.stop()
    with pytest.raises(RedisError):
        store.watch("k", lambda: None)
    with pytest.raises(RedisError):
        store.watch("k", lambda: None)
    server.start()
    told = threading.Event()
    store.watch("k", told.set)
    store.put("k", b"1")
    assert told.wait(10)
    store.close()


def test_a_flush_takes_special_characters_in_a_name_literally(make_data_store):
    store, neighbour = make_data_store("a*?[b]\\"), make_data_store("abc[b]\\")
    store.put("k", b"1")
    neighbour.put("k", b"2")
    store.flush()
    assert store.get("k") is EmptyData
    assert neighbour.get("k") == b"2"
