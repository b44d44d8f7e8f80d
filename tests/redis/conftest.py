"""Queues and data stores on the shared server, and a certificate for one that talks TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from huey_redis import RedisDataStore, RedisQueue

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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the name localhost that nobody but its own file vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*request.split(), *files], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"
