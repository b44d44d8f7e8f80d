"""What the entry point names: a URL to a file, and its queues and data stores.

``sqlite:///mail.db`` is relative to the current directory at the time the backend is made, and ``sqlite:////var/mail.db``
is absolute: the path of the URL without its first slash.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, ClassVar, Final

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Backend,
    Option,
    parse_positive_seconds,
    parse_positive_size,
    parse_seconds,
)
from huey_core.exceptions import ConfigurationError
from huey_sqlite.data_store import SQLiteDataStore
from huey_sqlite.database import Database
from huey_sqlite.messages import queue_names
from huey_sqlite.queue import SQLiteQueue
from huey_sqlite.settings import Settings, parse_synchronous

if TYPE_CHECKING:
    from huey_core.backends import BackendURL, Capability

__all__ = ["SQLiteBackend"]

_RULE: Final = (
    "sqlite:///huey.db is a file in the current directory, and sqlite:////var/lib/huey.db one by its full path"
)


class SQLiteBackend(Backend):
    """One SQLite file.

    Raises:
        ConfigurationError: The URL does not name a file.
    """

    schemes: ClassVar[tuple[str, ...]] = ("sqlite",)
    api_version: ClassVar[int] = 1
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "synchronous",
            parse_synchronous,
            Settings.synchronous,
            "normal may lose the last commits when the power fails; full syncs each commit to the disk",
        ),
        Option("busy_timeout", parse_seconds, Settings.busy_timeout, "seconds to wait while another process writes"),
        Option(
            "poll_interval",
            parse_positive_seconds,
            Settings.poll_interval,
            "seconds between two looks for what other processes wrote, while somebody waits",
        ),
        Option(
            "max_message_size", parse_positive_size, Settings.max_message_size, "the largest message accepted, in bytes"
        ),
    )
    capabilities: ClassVar[frozenset[Capability]] = SQLiteQueue.capabilities | SQLiteDataStore.capabilities

    def __init__(self, url: BackendURL) -> None:
        super().__init__(url)
        self.max_deliveries: int = url.options.get("max_deliveries", DEFAULT_MAX_DELIVERIES)
        own = {option.name: url.options.get(option.name, option.default) for option in self.options}
        self.database = Database(Settings(path=_file_of(url), **own))

    def queue(self, name: str) -> SQLiteQueue:
        """Return a queue in the file."""
        return SQLiteQueue(name, max_deliveries=self.max_deliveries, database=self.database)

    def data_store(self, name: str) -> SQLiteDataStore:
        """Return a data store in the file."""
        return SQLiteDataStore(name, database=self.database)

    def ping(self) -> None:
        """Read from the file, which is made if it is not there.

        Raises:
            sqlite3.Error: It cannot be opened or read.
            ConfigurationError: It belongs to something else.
        """
        with self.database.read() as connection:
            connection.execute("SELECT count(*) FROM paused").fetchone()

    def describe(self) -> dict[str, str]:
        """The library, the file and how commits reach the disk."""
        with self.database.read() as connection:
            (size,) = connection.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
        path = self.database.settings.path
        return {
            "product": "SQLite",
            "version": sqlite3.sqlite_version,
            "durability": f"write-ahead log, synchronous={self.database.settings.synchronous}",
            "file": f"{path}, {size:,} bytes",
        }

    def set_up(self) -> list[str]:
        """Make the file, and its tables, unless they are there.

        Raises:
            sqlite3.Error: It cannot be made.
            ConfigurationError: The file that is there belongs to something else.
        """
        with self.database.read() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        path = self.database.settings.path
        return [f"file: {path}, with a write-ahead log", f"tables: version {version}"]

    def queue_names(self) -> list[str]:
        """The names of the queues that have messages, or are paused, sorted."""
        with self.database.read() as connection:
            return queue_names(connection)

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def _file_of(url: BackendURL) -> str:
    path = url.database
    if url.username is not None or url.password is not None:
        raise ConfigurationError("an sqlite:// URL has no user and no password; who may use a file is up to its folder")
    if url.hosts:
        raise ConfigurationError(f"an sqlite:// URL has three slashes before the path, or four: {_RULE}")
    if not path:
        raise ConfigurationError(f"an sqlite:// URL names a file: {_RULE}")
    if path.endswith("/") or os.path.basename(path) in {".", ".."}:
        raise ConfigurationError(f"an sqlite:// URL names a file, and this one a folder: {_RULE}")
    if path == ":memory:":
        raise ConfigurationError("a database in memory is nobody else's; for tests there is memory://, of huey-memory")
    return path
