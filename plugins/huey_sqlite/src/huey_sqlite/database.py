"""One file: how it is opened, read and written, and what its errors mean.

Writers take the write lock at the start (``BEGIN IMMEDIATE``), so no transaction fails halfway because another one was
faster; readers never wait for writers (WAL). Threads of one process queue for the write lock here, where they are woken
in turn, and only one of them at a time waits for other processes, which SQLite does by looking again and again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from huey_core.backends import PerProcess
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_sqlite import schema
from huey_sqlite.changes import Changes
from huey_sqlite.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from huey_sqlite.settings import Settings

__all__ = ["OLDEST_SQLITE", "Database"]

logger = get_logger(__name__)

OLDEST_SQLITE: Final = (3, 24, 0)
"""The first version of the library with ON CONFLICT DO UPDATE."""

_WAL_LIMIT: Final = 64 * 2**20
"""Bytes to which the write-ahead log is cut after a burst has made it longer."""

_CHECKPOINT: Final = 4000
"""Pages in the log at which SQLite copies it back into the file: fewer and larger copies than its own 1000."""

_HINTS: Final = {
    sqlite3.SQLITE_BUSY: "another process held its write lock for longer than busy_timeout, {busy_timeout:g} seconds",
    sqlite3.SQLITE_CANTOPEN: (
        "does its folder exist, and may this user write in it, and in the file, which is made for its owner alone?"
    ),
    sqlite3.SQLITE_READONLY: "this user must be allowed to write the file, and other files in its folder",
    sqlite3.SQLITE_NOTADB: "name another file",
}


class Database:
    """A file, with a pool of connections that all threads share.

    Nothing is opened, or made, before the first call.

    Args:
        settings: Which file, and how it is used.
        clock: Returns the time in seconds since the epoch. Every process that uses the file must have the same clock.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self._pool = Pool(
            lambda: _connect(settings), lambda: _identity_of(settings.path), lambda: _tell_of_replacement(settings.path)
        )
        self._writing = PerProcess(threading.Lock)
        self.changes = Changes(self._pool.version, settings.poll_interval)
        weakref.finalize(self, self._pool.close)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for a statement that writes nothing. Each statement sees one state of the file.

        Raises:
            sqlite3.Error: With the name of the file and what may be done.
        """
        try:
            with self._pool.lend() as connection:
                yield connection
        except sqlite3.Error as error:
            raise _explained(error, self.settings) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Begin a transaction that is committed at the end, or rolled back when an exception ends it.

        Raises:
            sqlite3.Error: With the name of the file and what may be done. Nothing was written.
        """
        writing = self._writing()
        if not writing.acquire(timeout=self.settings.busy_timeout):
            raise sqlite3.OperationalError(
                f"{self.settings.path}: other threads of this process were writing for longer than busy_timeout, "
                f"{self.settings.busy_timeout:g} seconds"
            )
        try:
            with self.read() as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        finally:
            writing.release()

    def close(self) -> None:
        """Close the connections. Who uses the file through this object afterwards, or waits for it, gets an error."""
        self._pool.close()
        self.changes.close()


def _identity_of(path: str) -> Hashable:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _tell_of_replacement(path: str) -> None:
    logger.warning(
        "%s was removed or replaced while it was in use: what was in it is gone from here, and the file that is at its "
        "path from now on is used",
        path,
    )


def _make_private(path: str) -> None:
    """Make the file, readable and writable by its owner alone, if it is not there. What lies beside it follows suit."""
    # What is wrong with the path SQLite says better.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _connect(settings: Settings) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigurationError(
            f"huey-sqlite needs SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer, "
            f"and this Python has {sqlite3.sqlite_version}"
        )
    deadline = time.monotonic() + settings.busy_timeout
    _make_private(settings.path)
    connection = sqlite3.connect(
        settings.path, timeout=settings.busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        is_made = schema.is_made(connection, settings.path)
        _set_wal(connection, settings.path, deadline)
        connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
        # Elsewhere than on macOS, where an ordinary sync leaves data in the disk's own cache, this changes nothing.
        connection.execute(f"PRAGMA fullfsync = {settings.synchronous == 'full':d}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        if not is_made:
            schema.make(connection, settings.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_wal(connection: sqlite3.Connection, path: str, deadline: float) -> None:
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself while others, who open the same new file, are in the middle of this.
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.002)
    if mode != "wal":
        raise ConfigurationError(
            f"{path} cannot have a write-ahead log where it lies; put it on a disk of this machine"
        )


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explained(error: sqlite3.Error, settings: Settings) -> sqlite3.Error:
    hint = _HINTS.get(_code(error), "").format(busy_timeout=settings.busy_timeout)
    explained = type(error)(f"{settings.path}: {error}{'; ' if hint else ''}{hint}")
    for name in ("sqlite_errorcode", "sqlite_errorname"):
        if hasattr(error, name):
            setattr(explained, name, getattr(error, name))
    return explained
