"""huey-redis keeps every promise of the contract, against every server that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from huey_core.testing.conformance import (
    BackendConformance,
    DataStoreConformance,
    QueueConformance,
    ServerConformance,
)

if TYPE_CHECKING:
    from huey_redis.testing import RedisServer


class TestRedisQueue(QueueConformance):
    """Its fixtures are those of conftest.py."""

    @pytest.fixture
    def make_queue(self, make_queue):
        return make_queue

    @pytest.fixture
    def make_data_store(self, make_data_store):
        return make_data_store


class TestRedisDataStore(DataStoreConformance):
    """Its fixtures are those of conftest.py."""

    @pytest.fixture
    def make_data_store(self, make_data_store):
        return make_data_store


class TestRedisBackend(BackendConformance):
    """The shared server, by its URL."""

    @pytest.fixture
    def url(self, server: RedisServer) -> str:
        return server.url()


class TestRedisServer(ServerConformance):
    """A server for each test, which syncs its append-only file before it answers."""

    @pytest.fixture
    def server(self, new_server) -> RedisServer:
        return new_server(appendonly=True)

    @pytest.fixture
    def url(self, server: RedisServer) -> str:
        return server.url(socket_timeout="5", connect_timeout="5")
