"""How any thread wakes one that waits for files to be ready."""

from __future__ import annotations

import socket
from contextlib import suppress

__all__ = ["Wakeup"]


class Wakeup:
    """A file that is ready to be read once somebody has called :meth:`wake`, between :meth:`open` and :meth:`close`."""

    def __init__(self) -> None:
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._is_woken = False

    def open(self) -> None:
        """Make the file."""
        self._ends = socket.socketpair()
        self._ends[1].setblocking(False)

    def fileno(self) -> int:
        """The descriptor to wait for; -1 when it is not open."""
        return -1 if self._ends is None else self._ends[0].fileno()

    def wake(self) -> None:
        """Make it ready. Does nothing when it is, or is not open."""
        if self._ends is not None and not self._is_woken:
            self._is_woken = True
            with suppress(OSError):
                self._ends[1].send(b"!")

    def clear(self) -> None:
        """Make it ready no more; what it was woken for is to be looked at after that."""
        if self._ends is not None:
            self._ends[0].recv(4096)
        self._is_woken = False

    def close(self) -> None:
        """Let go of it. Nobody waits any more."""
        for end in self._ends or ():
            end.close()
