"""Commands that wait for their time, for queues that cannot keep them: held in the task store by the consumer."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.base import BaseDataStore, EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.invoker.arguments import check_kind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CommandSchedule"]

_KEY: Final = "schedule"

Entries = dict[str, Any]
"""When each message is due (seconds since the epoch) and its bytes in Base64, by its id."""


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
        self._shared: JSONValue[Entries] | None = None
        self._lock = threading.Lock()
        self._entries: Entries = {}
        if store is not None and Capability.LOCKS in store.capabilities:
            self._shared = JSONValue(store, _KEY, {})
        elif store is not None and (stored := store.get(_KEY)) is not EmptyData:
            store.put(_KEY, stored)
            self._entries = json.loads(stored)

    def add(self, message_id: str, due: float, data: bytes) -> None:
        """Keep a message until ``due`` (seconds since the epoch)."""
        entry = [due, base64.b64encode(data).decode()]
        self._change(lambda entries: {**entries, message_id: entry})

    def remove(self, message_id: str) -> bool:
        """Forget a message, and say whether it was there."""
        before = self._change(lambda entries: {key: entry for key, entry in entries.items() if key != message_id})
        return message_id in before

    def take_due(self, now: float) -> list[tuple[str, bytes]]:
        """Remove the messages that are due at ``now`` and return them with their ids, the earliest first."""
        before = self._change(lambda entries: {key: entry for key, entry in entries.items() if entry[0] > now})
        taken = sorted((entry[0], key, entry[1]) for key, entry in before.items() if entry[0] <= now)
        return [(key, base64.b64decode(encoded)) for _, key, encoded in taken]

    def next_due(self) -> float | None:
        """When the next message is due, in seconds since the epoch; ``None`` when none waits."""
        return min((due for due, _ in self._current().values()), default=None)

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> Entries:
        return self._entries if self._shared is None else self._shared.read()

    def _change(self, change: Callable[[Entries], Entries]) -> Entries:
        """Change the messages, and return what they were before."""
        with self._lock:
            if self._shared is not None:
                return self._shared.change(change)
            before, after = self._entries, change(self._entries)
            if self._store is not None and after != before:
                self._store.put(_KEY, json.dumps(after).encode())
            self._entries = after
            return before
