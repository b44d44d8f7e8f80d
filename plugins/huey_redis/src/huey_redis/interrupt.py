"""A flag that a thread can wait for together with a socket."""

from __future__ import annotations

import os
import select
import threading

__all__ = ["Interrupt"]


class Interrupt:
    """One thread polls :meth:`fileno`; any other thread calls :meth:`set`, whether or not the first still polls."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # A thread that sets while another closes would write into whatever got the number of the closed pipe.
        self._lock = threading.Lock()
        self._is_set = False
        self._closed = False

    def fileno(self) -> int:
        """The descriptor that is readable while the flag is set."""
        return self._read

    def set(self) -> None:
        """Set the flag; does nothing when it is set or closed."""
        with self._lock:
            if not self._is_set and not self._closed:
                # In this order: a thread that the pipe woke must find the flag set, or it thinks that its time is over.
                self._is_set = True
                os.write(self._write, b"!")

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._is_set

    def clear(self) -> None:
        """Clear the flag."""
        with self._lock:
            if self._is_set:
                os.read(self._read, 1)
                self._is_set = False

    def wait(self, timeout: float) -> bool:
        """Wait until the flag is set or ``timeout`` seconds are over, and say whether it is set."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def close(self) -> None:
        """Close the pipe."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._read)
                os.close(self._write)
