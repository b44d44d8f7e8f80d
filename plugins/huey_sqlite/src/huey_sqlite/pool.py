"""Connections to one file, kept for reuse by any thread, and never carried across a fork.

SQLite counts its locks in the memory of the process. A child that inherits this memory takes its parent's locks for
its own, and when the parent then closes the file, what the child has committed since is thrown away. So a fork waits
until no connection is in use and closes them all first; parent and child open new ones when they need them.

A connection stays with its file when that is removed or replaced, and what it then commits nobody else will see. So a
connection is lent only while its path still leads to the file that it was opened for. SQLite looks at that too when it
is closed, and then leaves the write-ahead log of the new file alone.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["Pool"]

_MOST_IDLE: Final = 8
"""Connections that are kept while nobody uses them. Each costs a few file descriptors and up to 2 MB of cache."""


_LOOK: Final = 0.00025
"""Seconds between two looks at the path: so that a look, of some microseconds, adds nothing to a burst of commits."""


class Pool:
    """Connections that are lent to one thread at a time.

    Args:
        connect: Opens a connection that any thread may use.
        identify: Tells which file it is that the path leads to; ``None`` when there is none.
        when_replaced: Is called when that is another one than before, or none.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        identify: Callable[[], Hashable],
        when_replaced: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._identify = identify
        self._when_replaced = when_replaced
        self._file: Hashable = None
        self._files = 0
        self._looked_at = float("-inf")
        self._idle: list[sqlite3.Connection] = []
        self._observers: list[sqlite3.Connection] = []
        self._closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._gate = threading.Condition()
        self._lent = 0
        self._forking = False

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection. One that saw an exception is closed, which rolls back what it was about to write."""
        with self._lend_from(self._idle) as connection:
            yield connection

    def version(self) -> tuple[sqlite3.Connection, int]:
        """Return something that differs from what it was when the file has been written to since.

        SQLite counts for each connection by itself, so there is one that does nothing else.
        """
        with self._lend_from(self._observers) as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return connection, version

    @contextmanager
    def _lend_from(self, shelf: list[sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        with self._gate:
            while self._forking:
                self._gate.wait()
            if self._closed:
                raise sqlite3.ProgrammingError("it was closed by this program")
            is_replaced = self._look_at_file()
            file = self._files
            self._lent += 1
            connection = shelf.pop() if shelf else None
        try:
            if is_replaced:
                self._when_replaced()
            if connection is None:
                connection = self._connect()
                self._file = self._file or self._identify()
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            connection = None
            raise
        finally:
            with self._gate:
                self._lent -= 1
                is_of_use = not self._closed and file == self._files
                if connection is not None and is_of_use and len(shelf) < _MOST_IDLE:
                    shelf.append(connection)
                    connection = None
                if self._forking:
                    self._gate.notify_all()
            if connection is not None:
                connection.close()

    def _look_at_file(self) -> bool:
        """Forget connections to a file that is no longer at its path, and say if it is not. The lock is held."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK:
            return False
        self._looked_at = now
        file = self._identify()
        if file == self._file:
            return False
        was_used, self._file = self._file is not None, file
        if was_used:
            self._files += 1
            self._close_shelves()
        return was_used

    def close(self) -> None:
        """Close what is not in use; the rest is closed when it comes back."""
        with self._gate:
            self._closed = True
            self._close_shelves()

    def _close_shelves(self) -> None:
        for shelf in (self._idle, self._observers):
            while shelf:
                shelf.pop().close()

    def before_fork(self) -> None:
        """Wait until no connection is in use, close them all, and lend no other until the fork is over."""
        self._gate.acquire()
        self._forking = True
        while self._lent:
            self._gate.wait()
        self._close_shelves()

    def after_fork_in_parent(self) -> None:
        """Lend connections again."""
        self._forking = False
        self._gate.notify_all()
        self._gate.release()

    def after_fork_in_child(self) -> None:
        """Begin anew, with locks that no thread of the parent waits for."""
        self._begin_anew()
