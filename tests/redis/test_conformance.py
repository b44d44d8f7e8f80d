"""huey-redis keeps every promise of the contract, against every server that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from huey_testing.conformance import (
    BackendConformance,
    DataStoreConformance,
    QueueConformance,
    ServerConformance,
)
from kit import PartsOfConftest

if TYPE_CHECKING:
    from huey_redis.testing import RedisServer


class TestRedisQueue(PartsOfConftest, QueueConformance):
    pass


class TestRedisDataStore(PartsOfConftest, DataStoreConformance):
    pass


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
        return server.url(socket_timeout="3", connect_timeout="3")
