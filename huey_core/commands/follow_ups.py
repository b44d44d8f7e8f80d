"""The commands that a run wants to follow it, which may be asked for until the run ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FollowUps"]

T = TypeVar("T")


class FollowUps(Generic[T]):
    """Collects commands, from whichever thread of the run, until that is over."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._commands: list[T] = []
        self._is_over = False

    def add(self, command: T) -> bool:
        """Add a command, and return whether it was in time."""
        with self._lock:
            if not self._is_over:
                self._commands.append(command)
            return not self._is_over

    def end(self) -> Sequence[T]:
        """Take no more, and return those that came in time."""
        with self._lock:
            self._is_over = True
            return self._commands
