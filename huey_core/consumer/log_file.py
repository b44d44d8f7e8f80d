"""A log file that several processes write to, and that each of them may rotate."""

from __future__ import annotations

import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import IO, TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows, where no consumer runs.
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import logging

__all__ = ["SharedFileHandler"]


class SharedFileHandler(RotatingFileHandler):
    """Writes a record, and rotates the file before it when it is too large, while no other process does either.

    Python's own goes on to write into a file that another process has rotated, and rotates it once more.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record into the file that has the name now."""
        try:
            held, stream = self._take_turn()
        except OSError:
            self.handleError(record)
            return
        try:
            # Python takes it for as long as where we are in it.
            stream.seek(0, os.SEEK_END)
            super().emit(record)
        finally:
            _end_turn(held)

    def _take_turn(self) -> tuple[int, IO[str]]:
        """Lock the file, and return a descriptor that holds the lock, also when ours is closed, as for a rotation."""
        while True:
            if self.stream is None:
                self.stream = self._open()
            held = os.dup(self.stream.fileno())
            try:
                if fcntl is None:
                    return held, self.stream
                fcntl.flock(held, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(held), os.stat(self.baseFilename)):
                        return held, self.stream
            except BaseException:
                os.close(held)
                raise
            # Another process has rotated it.
            _end_turn(held)
            self.stream.close()
            self.stream = None


def _end_turn(held: int) -> None:
    if fcntl is not None:
        fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
