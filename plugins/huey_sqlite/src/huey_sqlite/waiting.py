"""The claims of one queue object that wait, and how they are told to come back."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Waiter", "Waiters"]


class Waiter:
    """A claim that waits.

    Attributes:
        news: Set when there may be something to claim, and when it was woken.
        is_woken: Whether somebody asked it to come back.
    """

    def __init__(self, is_woken: bool) -> None:
        self.news = threading.Event()
        self.is_woken = is_woken


class Waiters:
    """Those that wait in one process. When none does, a wake is for the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[Waiter] = set()
        self._wake_is_due = False

    @contextmanager
    def waiter(self) -> Iterator[Waiter]:
        """Be one of those that wait."""
        with self._lock:
            waiter = Waiter(is_woken=self._wake_is_due)
            self._wake_is_due = False
            self._waiting.add(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiting.discard(waiter)

    def wake(self) -> None:
        """Tell all that wait to come back, or else the next one."""
        with self._lock:
            self._wake_is_due = not self._waiting
            for waiter in self._waiting:
                waiter.is_woken = True
                waiter.news.set()

    def __len__(self) -> int:
        return len(self._waiting)
