"""Queues for the demo, each gone when its block ends."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def sqlite_file() -> Iterator[str]:
    """Make a folder for an SQLite file, and give the file's URL."""
    with TemporaryDirectory(prefix="huey-wordcount-") as folder:
        yield f"sqlite:///{quote(str(Path(folder, 'wordcount.db')))}"


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a Redis or Valkey server, and give the URL of a queue on it."""
    # Only who asks for a server needs what brings one.
    from huey_redis.testing import RedisServer

    with RedisServer(appendonly=True, config={"appendfsync": "everysec"}) as server:
        yield server.url(queue="wordcount")
