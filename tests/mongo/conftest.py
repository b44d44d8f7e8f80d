"""Real servers for the tests of huey-mongo: a standalone server and a replica set of three."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from huey_core.backends.url import BackendURL
from huey_mongo import MongoBackend, MongoDataStore, MongoQueue
from huey_mongo.testing import MongoReplicaSet, MongoServer

BackendFactory = Callable[..., MongoBackend]

EXPIRY = {"ttlMonitorSleepSecs": "1"}
"""Lets a server look each second, and not each minute, for what has expired."""


def open_mongo(url: str) -> MongoBackend:
    """Make a backend of a URL without going through the installed entry points."""
    return MongoBackend(BackendURL.parse(url).with_options(MongoBackend.options))


@pytest.fixture(scope="session")
def server_class() -> type[MongoServer]:
    return MongoServer


@pytest.fixture(scope="session")
def server() -> Iterator[MongoServer]:
    """A standalone server that tests share; they keep to names of their own."""
    with MongoServer(parameters=EXPIRY) as server:
        yield server


@pytest.fixture(scope="session")
def replica_set() -> Iterator[MongoReplicaSet]:
    """A replica set of three that tests share, and that none of them harms."""
    with MongoReplicaSet(patience=120.0, parameters=EXPIRY) as replica_set:
        yield replica_set


@pytest.fixture
def new_replica_set() -> Iterator[Callable[..., MongoReplicaSet]]:
    """Start replica sets whose members a test may kill."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(MongoReplicaSet(**options))


@pytest.fixture
def new_backend() -> Iterator[BackendFactory]:
    """Open backends that are closed after the test."""
    opened: list[MongoBackend] = []

    def new(url: str) -> MongoBackend:
        opened.append(open_mongo(url))
        return opened[-1]

    yield new
    for backend in opened:
        backend.close()


@pytest.fixture
def backend(server: MongoServer, new_backend: BackendFactory) -> MongoBackend:
    """A backend of the shared standalone server."""
    return new_backend(server.url())


@pytest.fixture
def queue(backend: MongoBackend, request: pytest.FixtureRequest) -> Iterator[MongoQueue]:
    """An empty queue on the standalone server, named after the test."""
    queue = backend.queue(request.node.name)
    yield queue
    queue.flush()


@pytest.fixture
def store(backend: MongoBackend, request: pytest.FixtureRequest) -> Iterator[MongoDataStore]:
    """An empty data store on the standalone server, named after the test."""
    store = backend.data_store(request.node.name)
    yield store
    store.flush()


@pytest.fixture(scope="session")
def shared_backends(server: MongoServer) -> Iterator[Callable[[str], MongoBackend]]:
    """One backend for each URL of the shared standalone server, for tests that make many queues."""
    backends: dict[str, MongoBackend] = {}

    def shared(url: str) -> MongoBackend:
        if url not in backends:
            backends[url] = open_mongo(url)
        return backends[url]

    yield shared
    for backend in backends.values():
        backend.close()
