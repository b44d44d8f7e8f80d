"""Commands that wait for their time, for queues that cannot keep them: held in the task store by the consumer."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.base import BaseDataStore, EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.invoker.arguments import check_kind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CommandSchedule"]

_KEY: Final = "schedule"

Entries = dict[str, tuple[float, str]]


class CommandSchedule:
    """Messages by the time at which they are due, written through to a data store at every change.

    In a store with :attr:`~huey_core.backends.capabilities.Capability.LOCKS` several consumers share one schedule. In
    any other, each change overwrites what is stored, so only one consumer may use it.

    Args:
        store: The task store; ``None`` keeps the schedule in memory alone.

    Raises:
        ConfigurationError: It is no data store, but an invoker for example, as in the original API.
    """

    def __init__(self, store: BaseDataStore | None) -> None:
        check_kind("store", store, BaseDataStore, type(None))
        self._store = store
        self._shared = store is not None and Capability.LOCKS in store.capabilities
        self._lock = threading.Lock()
        self._entries: Entries = {}
        if store is not None and not self._shared:
            self._load(store)

    def add(self, message_id: str, due: float, data: bytes) -> None:
        """Keep a message until ``due`` (seconds since the epoch)."""
        entry = (due, base64.b64encode(data).decode())
        self._change(lambda entries: {**entries, message_id: entry})

    def remove(self, message_id: str) -> bool:
        """Forget a message, and say whether it was there."""
        if not self.is_pending(message_id):
            return False
        self._change(lambda entries: {key: entry for key, entry in entries.items() if key != message_id})
        return True

    def is_pending(self, message_id: str) -> bool:
        """Whether a message waits for its time."""
        return message_id in self._current()

    def take_due(self, now: float) -> list[tuple[str, bytes]]:
        """Remove the messages that are due at ``now`` and return them with their ids, the earliest first."""
        if not any(due <= now for due, _ in self._current().values()):
            return []
        taken: Entries = {}

        def without_due(entries: Entries) -> Entries:
            taken.clear()
            taken.update({key: entry for key, entry in entries.items() if entry[0] <= now})
            return {key: entry for key, entry in entries.items() if entry[0] > now}

        self._change(without_due)
        in_order = sorted(taken.items(), key=lambda item: item[1][0])
        return [(key, base64.b64decode(encoded)) for key, (_, encoded) in in_order]

    def next_due(self) -> float | None:
        """When the next message is due, in seconds since the epoch; ``None`` when none waits."""
        return min((due for due, _ in self._current().values()), default=None)

    def __len__(self) -> int:
        return len(self._current())

    def _load(self, store: BaseDataStore) -> None:
        stored = store.get(_KEY)
        if stored is not EmptyData:
            self._entries = _decode(stored)
            store.put(_KEY, stored)

    def _current(self) -> Entries:
        if self._store is None or not self._shared:
            return self._entries
        stored = self._store.peek(_KEY)
        return {} if stored is EmptyData else _decode(stored)

    def _change(self, change: Callable[[Entries], Entries]) -> None:
        with self._lock:
            if self._store is None:
                self._entries = change(self._entries)
            elif not self._shared:
                entries = change(self._entries)
                self._store.put(_KEY, _encode(entries))
                self._entries = entries
            else:
                while not self._try_change(self._store, change):
                    continue

    @staticmethod
    def _try_change(store: BaseDataStore, change: Callable[[Entries], Entries]) -> bool:
        stored = store.peek(_KEY)
        if stored is EmptyData:
            return store.put_if_absent(_KEY, _encode(change({})))
        return store.replace_if_equal(_KEY, stored, _encode(change(_decode(stored))))


def _encode(entries: Entries) -> bytes:
    return json.dumps(entries).encode()


def _decode(stored: bytes) -> Entries:
    loaded: dict[str, Any] = json.loads(stored)
    return {key: (float(due), str(data)) for key, (due, data) in loaded.items()}
