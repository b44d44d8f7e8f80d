"""How any thread wakes one that waits for files to be ready."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Wakeup"]


class Wakeup:
    """A file that is ready to be read once somebody has called :meth:`wake`. To be used in a ``with`` block."""

    def __init__(self) -> None:
        self._read_end, self._write_end = socket.socketpair()
        self._write_end.setblocking(False)
        self._is_woken = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._read_end.fileno()

    def wake(self) -> None:
        """Make it ready. Does nothing when it is, or is closed."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(OSError):
                self._write_end.send(b"!")

    def clear(self) -> None:
        """Make it ready no more; what it was woken for is to be looked at after that."""
        self._read_end.recv(4096)
        self._is_woken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._read_end.close()
        self._write_end.close()
