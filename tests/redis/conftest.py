"""Queues and data stores on the shared server, and a line to it that can be bad."""

from __future__ import annotations

import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from huey_redis import RedisDataStore, RedisQueue

if TYPE_CHECKING:
    import ssl
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


class Tunnel:
    """A loopback port that forwards to a server: with TLS on the client's side, slowly, or with replies that get lost.

    Args:
        port: The port of the server; see :attr:`target`.
        tls: With it, clients talk TLS to the tunnel.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.target = port
        """The port of the server to which new connections lead; those that are there stay where they are."""
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lose_replies = 0
        """How many of the next replies are lost together with their connection."""
        self.lose_reply_after: int | None = None
        """Bytes from clients after which one reply is lost together with its connection."""
        self.bytes_per_second: float | None = None
        """How fast clients are served; ``None`` is as fast as it goes."""
        self._forwarded = 0
        threading.Thread(target=self._accept, daemon=True).start()

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
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ)
                selector.register(server, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        data = key.fileobj.recv(65536)
                        if key.fileobj is server and self.lose_replies:
                            self.lose_replies -= 1
                            return
                        if not data:
                            return
                        if key.fileobj is client:
                            self._forwarded += len(data)
                            if self.bytes_per_second is not None:
                                time.sleep(len(data) / self.bytes_per_second)
                        elif self.lose_reply_after is not None and self._forwarded > self.lose_reply_after:
                            self.lose_reply_after = None
                            return
                        (server if key.fileobj is client else client).sendall(data)


@pytest.fixture
def make_tunnel() -> Iterator[Callable[..., Tunnel]]:
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(closing(Tunnel(*args, **kwargs)))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the name localhost that nobody but its own file vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*request.split(), *files], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"
