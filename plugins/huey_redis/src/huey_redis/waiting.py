"""How an idle consumer waits: blocked in the server for the bell, and on time for what falls due.

A writer rings the bell, a list that holds at most one token, and the server hands the token to the consumer that has
waited longest. The server's own time limit of a blocking command can be a tenth of a second late, which is too
much for a delayed message, so the client keeps the time and takes its blocking command back when it is over.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from redis.exceptions import NoPermissionError

from huey_core.backends import PerProcess
from huey_redis.interrupt import Interrupt

if TYPE_CHECKING:
    from huey_redis.connection import Connections, Link

__all__ = ["Bell"]

ORPHAN_TIMEOUT: Final = 1.0
"""Seconds after which the server gives up by itself when a client vanished in the middle of a wait."""


class _Waits:
    """Which threads of a process wait, how often they were woken, and how much of that each of them has seen."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.interrupts: set[Interrupt] = set()
        self.wakes = 0
        self.seen = threading.local()

    def woken(self) -> bool:
        """Whether this thread was woken since it last looked. The lock is held."""
        return self.wakes > getattr(self.seen, "wakes", 0)


class Bell:
    """The bell of one queue, for any number of threads that wait.

    Args:
        connections: The server.
        key: The key of the list.
    """

    def __init__(self, connections: Connections, key: bytes) -> None:
        self._connections = connections
        self._key = key
        self._waits = PerProcess(_Waits)

    def wait(self, timeout: float) -> bool:
        """Wait until the bell rings, :meth:`wake` is called or ``timeout`` seconds are over.

        Returns:
            Whether :meth:`wake` was called since this thread last came out of a wait, be it before this one began.
        """
        waits = self._waits()
        interrupt = Interrupt()
        with waits.lock:
            waits.interrupts.add(interrupt)
            if waits.woken():
                interrupt.set()
        try:
            with self._connections.borrow() as link:
                client_id = link.client_id()
                link.send((b"BLPOP", self._key, str(timeout + ORPHAN_TIMEOUT)))
                if link.wait(timeout, interrupt) or self._unblock(link, client_id):
                    link.receive()
        finally:
            with waits.lock:
                waits.interrupts.discard(interrupt)
                woken = waits.woken()
                waits.seen.wakes = waits.wakes
            interrupt.close()
        return woken

    def wake(self) -> None:
        """End the wait of every thread, and the next one of a thread that does not wait at this moment."""
        waits = self._waits()
        with waits.lock:
            waits.wakes += 1
            for interrupt in waits.interrupts:
                interrupt.set()

    def _unblock(self, link: Link, client_id: int | None) -> bool:
        """Take the blocking command back, and say whether its reply is to be read."""
        if client_id is not None:
            with suppress(NoPermissionError):
                self._connections.call(b"CLIENT", b"UNBLOCK", client_id)
                return True
        # Closing the connection ends the wait as well, and costs a new one.
        link.close()
        return False
