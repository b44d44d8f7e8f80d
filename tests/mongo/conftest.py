"""Real servers for the tests of huey-mongo: a standalone server and a replica set of three."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from huey_core.backends.url import BackendURL
from huey_mongo import MongoBackend, MongoDataStore, MongoQueue
from huey_mongo.testing import MongoReplicaSet, MongoServer

BackendFactory = Callable[..., MongoBackend]


def open_mongo(url: str) -> MongoBackend:
    """Make a backend of a URL without going through the installed entry points."""
    return MongoBackend(BackendURL.parse(url).with_options(MongoBackend.options))


@pytest.fixture(scope="session")
def server() -> Iterator[MongoServer]:
    """A standalone server that tests share; they keep to names of their own."""
    with MongoServer() as server:
        yield server


@pytest.fixture(scope="session")
def replica_set() -> Iterator[MongoReplicaSet]:
    """A replica set of three that tests share, and that none of them harms."""
    with MongoReplicaSet(patience=120.0) as replica_set:
        yield replica_set


@pytest.fixture
def new_server() -> Iterator[Callable[..., MongoServer]]:
    """Start servers that a test may stop or reconfigure."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(MongoServer(**options))


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
def shared_backends(server: MongoServer, replica_set: MongoReplicaSet) -> Iterator[Callable[[str], MongoBackend]]:
    """One backend for each URL of the shared servers, for tests that make many queues."""
    backends: dict[str, MongoBackend] = {}

    def shared(url: str) -> MongoBackend:
        if url not in backends:
            backends[url] = open_mongo(url)
        return backends[url]

    yield shared
    for backend in backends.values():
        backend.close()


class Tunnel:
    """A loopback port that forwards to a server, and loses the reply to a command together with the connection.

    Args:
        port: The port of the server.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._wanted: bytes | None = None
        self._refusing = threading.Event()
        self._refuses_then = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_reply_to(self, command: bytes, *, then_refuse: bool = False) -> None:
        """Lose the reply to the next command of this name, and refuse every connection from then on if told so."""
        self._refuses_then = then_refuse
        self._wanted = b"\x02" + command + b"\x00"

    def stop_refusing(self) -> None:
        """Let connections through again."""
        self._refusing.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        losing = False
        with suppress(OSError), ExitStack() as stack:
            stack.enter_context(client)
            if self._refusing.is_set():
                return
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            selector = stack.enter_context(selectors.DefaultSelector())
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)
                    if not data or self._refusing.is_set() or (losing and key.fileobj is server):
                        return
                    if self._wanted and key.fileobj is client and self._wanted in data:
                        losing, self._wanted = True, None
                        if self._refuses_then:
                            self._refusing.set()
                    (server if key.fileobj is client else client).sendall(data)


@pytest.fixture
def make_tunnel() -> Iterator[Callable[[int], Tunnel]]:
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(closing(Tunnel(port)))
