"""A page of memory that a process of the pool shares with the consumer: what it runs, since when, and until when.

It is written without a call of the system, and can be read whatever the process does, or has become.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from typing import Final

__all__ = ["RunPage", "make_page"]

_NUMBER: Final = 0
_STARTED: Final = 1
_DEADLINE: Final = 2
_IS_INSIDE: Final = 3


def make_page() -> int:
    """Make a file of a page, without a name, and return its descriptor. It is in memory where the system can do that.

    Raises:
        OSError: The system has no more.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("huey-run-page")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, mmap.PAGESIZE)
    return descriptor


class RunPage:
    """The page in one of the processes. Each value is written and read in one step.

    Args:
        descriptor: Of the file, which may be closed afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        page = memoryview(mmap.mmap(descriptor, mmap.PAGESIZE))
        self._numbers = page.cast("q")
        self._times = page.cast("d")

    def begin(self, number: int) -> None:
        """Note that a delivery begins, by its number."""
        self._times[_STARTED] = time.monotonic()
        self._times[_DEADLINE] = 0.0
        self._numbers[_IS_INSIDE] = False
        self._numbers[_NUMBER] = number

    def enter(self, *, is_inside: bool) -> None:
        """Note that the command itself begins, in the midst of its hooks, or has ended."""
        self._numbers[_IS_INSIDE] = is_inside

    def is_inside(self) -> bool:
        """Whether the command itself runs."""
        return bool(self._numbers[_IS_INSIDE])

    def arm(self, deadline: float | None) -> None:
        """Note until when, on the monotonic clock, the command may run; ``None`` when that is over."""
        self._times[_DEADLINE] = deadline or 0.0

    def current(self) -> tuple[int, float]:
        """The number of the delivery that began last, 0 for none yet, and when it did, on the monotonic clock."""
        while True:
            number, started = self._numbers[_NUMBER], self._times[_STARTED]
            if number == self._numbers[_NUMBER]:
                return number, started

    def deadline(self) -> float | None:
        """Until when the command may run that does."""
        return self._times[_DEADLINE] or None
