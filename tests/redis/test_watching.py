"""A watch of a key goes on for as long as its owner wants, whatever happens to its connection."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import pytest
from redis.exceptions import RedisError

from huey_core.backends.base import EmptyData
from huey_core.exceptions import DataStoreGetException
from huey_redis import RedisDataStore
from huey_redis.connection import Connections
from huey_redis.settings import Settings
from huey_redis.watching import Watcher


def test_a_watch_survives_the_loss_of_its_connection(admin, store):
    told = threading.Event()
    store.watch("k", told.set)
    admin("CLIENT", "KILL", "TYPE", "pubsub")
    # It is told once after the reconnection, because a write may have gone by unseen.
    assert told.wait(60)
    told.clear()
    store.put("k", b"value")
    assert told.wait(60)


def test_a_watch_survives_a_restart_of_the_server(new_server):
    server = new_server(appendonly=True)
    store = RedisDataStore("r", host="127.0.0.1", port=server.port)
    told = threading.Event()
    store.watch("k", told.set)
    server.restart()
    assert told.wait(60)
    told.clear()
    store.put("k", b"value")
    assert told.wait(60)
    store.close()


def test_an_ended_watch_is_told_nothing_and_the_server_forgets_it(admin, store):
    told = []
    end = store.watch("k", lambda: told.append("first"))
    other = threading.Event()
    end()
    end()
    store.watch("other", other.set)
    store.put("k", b"1")
    store.put("other", b"1")
    assert other.wait(60)
    assert told == []
    assert admin("PUBSUB", "NUMSUB", store.server_key("k"))[1] == 0


def test_a_watch_that_ends_and_begins_again_misses_nothing(store):
    for round_number in range(50):
        store.watch("k", lambda: None)()
        told = threading.Event()
        end = store.watch("k", told.set)
        store.put("k", b"%d" % round_number)
        assert told.wait(60)
        end()


def test_one_connection_serves_every_watch(new_server):
    server = new_server()
    store = RedisDataStore("many watches", host="127.0.0.1", port=server.port)
    for number in range(20):
        store.watch(str(number), lambda: None)
    admin = Connections(Settings(host="127.0.0.1", port=server.port))
    assert admin.call("CLIENT", "LIST", "TYPE", "pubsub").count(b"\n") == 1
    admin.close()
    store.close()


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
    assert told.wait(60)
    store.close()


def test_a_flush_takes_special_characters_in_a_name_literally(make_data_store):
    store, neighbour = make_data_store("a*?[b]\\"), make_data_store("abc[b]\\")
    store.put("k", b"1")
    neighbour.put("k", b"2")
    store.flush()
    assert store.get("k") is EmptyData
    assert neighbour.get("k") == b"2"


def test_a_watch_on_a_closed_store_is_an_error(store):
    store.close()
    store.close()
    with pytest.raises(DataStoreGetException, match="closed"):
        store.watch("k", lambda: None)


@dataclass(frozen=True, kw_only=True)
class _FailingSettings(Settings):
    """Settings that cannot be used for as long as there is something in ``failures``."""

    failures: list[Exception]

    def connection(self):
        if self.failures:
            raise self.failures.pop()
        return super().connection()


def test_an_unexpected_error_is_logged_once_and_ends_no_watch(server, caplog):
    failures = [ValueError("one"), ValueError("two"), ValueError("three")]
    settings = _FailingSettings(
        host="127.0.0.1", port=server.port, connect_timeout=10.0, socket_timeout=10.0, failures=failures
    )
    watcher = Watcher(settings)
    with pytest.raises(ValueError, match="three"):
        watcher.watch(b"k", lambda: None)
    deadline = time.monotonic() + 60
    while failures:
        assert time.monotonic() < deadline
        time.sleep(0.001)

    told = threading.Event()
    end = watcher.watch(b"k", told.set)
    connections = Connections(settings)
    connections.call("PUBLISH", "k", "")

    assert told.wait(60)
    assert [record.levelno for record in caplog.records if "unexpected" in record.message] == [logging.ERROR]
    end()
    watcher.close()
    connections.close()


def test_a_watch_that_begins_while_the_connection_is_made_anew_misses_nothing(server):
    settings = Settings(host="127.0.0.1", port=server.port)
    watcher, connections = Watcher(settings), Connections(settings)
    watcher.watch(b"first", lambda: None)
    for _ in range(50):
        watcher.renew()
        told = threading.Event()
        end = watcher.watch(b"k", told.set)
        connections.call("PUBLISH", "k", "")
        assert told.wait(60)
        end()
    watcher.close()
    connections.close()
