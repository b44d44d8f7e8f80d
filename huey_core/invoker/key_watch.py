"""A watch of keys that one thread begins and another ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.base import BaseDataStore

__all__ = ["KeyWatch"]


class KeyWatch:
    """A watch that one thread begins and another ends, in either order: it may end while it still begins.

    Args:
        store: The data store.
        keys: The keys.
        callback: Called when one of them may have been written; see :meth:`~huey_core.backends.BaseDataStore.watch`.
    """

    def __init__(self, store: BaseDataStore, keys: list[str], callback: Callable[[], None]) -> None:
        self._store = store
        self._keys = keys
        self._callback = callback
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._over = False

    def begin(self) -> None:
        """Watch the keys; what was begun is ended by :meth:`end`, also when this raises.

        Raises:
            Exception: The store is closed, or cannot be reached.
        """
        for key in self._keys:
            end = self._store.watch(key, self._callback)
            with self._lock:
                if not self._over:
                    self._ends.append(end)
                    continue
            end()
            return

    def end(self) -> None:
        """End the watch. Does nothing when it has ended."""
        with self._lock:
            self._over = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()
