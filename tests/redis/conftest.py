"""Queues and data stores on the shared server, and a certificate for one that talks TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from certificates import make_certificate
from huey_redis import RedisDataStore, RedisQueue
from huey_redis.connection import Connections
from huey_redis.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from huey_redis.testing import RedisServer


@pytest.fixture
def make_queue(server: RedisServer) -> Iterator[Callable[..., RedisQueue]]:
    made: list[RedisQueue] = []

    def make(name: str, **options: Any) -> RedisQueue:
        made.append(RedisQueue(name, host="127.0.0.1", port=server.port, **options))
        return made[-1]

    yield make
    for queue in made:
        queue.close()


@pytest.fixture
def make_data_store(server: RedisServer) -> Iterator[Callable[[str], RedisDataStore]]:
    made: list[RedisDataStore] = []

    def make(name: str) -> RedisDataStore:
        made.append(RedisDataStore(name, host="127.0.0.1", port=server.port))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Callable[..., Any]]:
    """Any command to the shared server."""
    connections = Connections(Settings(host="127.0.0.1", port=server.port))
    yield connections.call
    connections.close()


@pytest.fixture
def count_records(admin: Callable[..., Any]) -> Callable[[], int]:
    """Count the elements of all keys of the shared server."""
    # In one call, because others' tests may have left thousands of keys.
    script = b"""
    local size = {string = 'EXISTS', hash = 'HLEN', zset = 'ZCARD', list = 'LLEN', set = 'SCARD'}
    local count = 0
    for _, key in ipairs(redis.call('KEYS', '*')) do
      count = count + redis.call(size[redis.call('TYPE', key).ok], key)
    end
    return count
    """
    return lambda: admin(b"EVAL", script, b"0")


@pytest.fixture
def queue(make_queue: Callable[..., RedisQueue], request: pytest.FixtureRequest) -> Iterator[RedisQueue]:
    """An empty queue, named after the test."""
    queue = make_queue(f"queue-of-{request.node.originalname}")
    queue.flush()
    yield queue
    queue.flush()


@pytest.fixture
def store(make_data_store: Callable[..., RedisDataStore], request: pytest.FixtureRequest) -> RedisDataStore:
    """An empty data store, named after the test."""
    store = make_data_store(f"store-of-{request.node.originalname}")
    store.flush()
    return store


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the name localhost that nobody but its own file vouches for, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "server")
