"""Connections to one file, kept for reuse by any thread, and never carried across a fork.

SQLite counts its locks in the memory of the process. A child that inherits this memory takes its parent's locks for
its own, and when the parent then closes the file, what the child has committed since is thrown away. So a fork waits
until no connection is in use and closes them all first; parent and child open new ones when they need them.

After a fork that Python did not see, the child closes what it has inherited before it opens anything: a lock of the
system belongs to one process, so that takes nothing from the parent, and SQLite's counts are at zero again. It cannot
close what a thread was using at that moment, and then refuses to use the file.

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

from huey_core.backends import ForkAware, PerProcess
from huey_core.exceptions import QueueException

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["Pool"]

_MOST_IDLE: Final = 8
"""Connections that are kept while nobody uses them. Each costs a few file descriptors and up to 2 MB of cache."""


_LOOK: Final = 0.00025
"""Seconds between two looks at the path: so that a look, of some microseconds, adds nothing to a burst of commits."""


class _Shelves:
    """The connections of one process.

    Attributes:
        gate: Guards the others.
        idle: Those that may be lent.
        observers: Those that do nothing but look for changes.
        lent: How many are in use.
        forking: Whether none may be lent, because a fork is about to come.
        file: Which file they are of.
        files: How many files there were before it.
        looked_at: When that was looked at.
    """

    def __init__(self) -> None:
        self.gate = threading.Condition()
        self.idle: list[sqlite3.Connection] = []
        self.observers: list[sqlite3.Connection] = []
        self.lent = 0
        self.forking = False
        self.file: Hashable = None
        self.files = 0
        self.looked_at = float("-inf")

    def close(self) -> None:
        """Close what is not lent."""
        for shelf in (self.idle, self.observers):
            while shelf:
                shelf.pop().close()


class Pool(ForkAware):
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
        self._closed = False
        self._shelves = PerProcess(_Shelves, leave=_leave)
        super().__init__()

    def lend(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection. One that saw an exception is closed, which rolls back what it was about to write."""
        shelves = self._shelves()
        return self._lend_from(shelves, shelves.idle)

    def version(self) -> tuple[sqlite3.Connection, int]:
        """Return something that differs from what it was when the file has been written to since.

        SQLite counts for each connection by itself, so there is one that does nothing else.
        """
        shelves = self._shelves()
        with self._lend_from(shelves, shelves.observers) as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return connection, version

    @contextmanager
    def _lend_from(self, shelves: _Shelves, shelf: list[sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        with shelves.gate:
            while shelves.forking:
                shelves.gate.wait()
            if self._closed:
                raise sqlite3.ProgrammingError("it was closed by this program")
            is_replaced = self._look_at_file(shelves)
            file = shelves.files
            shelves.lent += 1
            connection = shelf.pop() if shelf else None
        try:
            if is_replaced:
                self._when_replaced()
            if connection is None:
                connection = self._connect()
                shelves.file = shelves.file or self._identify()
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            connection = None
            raise
        finally:
            with shelves.gate:
                shelves.lent -= 1
                is_of_use = not self._closed and file == shelves.files
                if connection is not None and is_of_use and len(shelf) < _MOST_IDLE:
                    shelf.append(connection)
                elif connection is not None:
                    # Under the lock, so that no fork comes while SQLite holds a lock of its own.
                    connection.close()
                if shelves.forking:
                    shelves.gate.notify_all()

    def _look_at_file(self, shelves: _Shelves) -> bool:
        """Forget connections to a file that is no longer at its path, and say if it is not. The lock is held."""
        now = time.monotonic()
        if now - shelves.looked_at < _LOOK:
            return False
        shelves.looked_at = now
        file = self._identify()
        if file == shelves.file:
            return False
        was_used, shelves.file = shelves.file is not None, file
        if was_used:
            shelves.files += 1
            shelves.close()
        return was_used

    def close(self) -> None:
        """Close what is not in use; the rest is closed when it comes back."""
        self._closed = True
        shelves = self._shelves.if_made()
        if shelves is not None:
            with shelves.gate:
                shelves.close()

    def before_fork(self) -> None:
        """Wait until no connection is in use, close them all, and lend no other until the fork is over."""
        shelves = self._shelves()
        shelves.gate.acquire()
        shelves.forking = True
        while shelves.lent:
            shelves.gate.wait()
        shelves.close()

    def after_fork_in_parent(self) -> None:
        """Lend connections again."""
        shelves = self._shelves()
        shelves.forking = False
        shelves.gate.notify_all()
        shelves.gate.release()


def _leave(shelves: _Shelves) -> None:
    """Close what a child has inherited.

    Raises:
        QueueException: A thread of the parent was using some of it.
    """
    if shelves.lent:
        raise QueueException(
            "this process was forked in C while a thread of its parent was using the file of the queue, so it cannot "
            "use the file; let the server fork before it loads the application (in uWSGI: lazy-apps), or with os.fork()"
        )
    shelves.close()
