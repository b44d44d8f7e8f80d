"""What a backend author wrote who implemented nothing but the methods of the original API."""

from __future__ import annotations

import threading
from typing import Any

from huey_core.backends.base import BaseDataStore, BaseQueue, EmptyData, EmptyDataType

__all__ = ["PlainQueue", "PlainStore"]


class PlainQueue(BaseQueue):
    """Four methods, and no capabilities."""

    def __init__(self, name: str = "plain", **connection: Any) -> None:
        super().__init__(name, **connection)
        self.messages: list[bytes] = []
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self.messages.append(data)

    def read(self) -> bytes | None:
        with self._lock:
            return self.messages.pop(0) if self.messages else None

    def flush(self) -> None:
        self.messages.clear()

    def __len__(self) -> int:
        return len(self.messages)


class PlainStore(BaseDataStore):
    """Three methods, and no capabilities."""

    def __init__(self, name: str = "plain", **connection: Any) -> None:
        super().__init__(name, **connection)
        self.values: dict[str, bytes] = {}

    def put(self, key: str, value: bytes) -> None:  # type: ignore[override]
        self.values[key] = value

    def get(self, key: str) -> bytes | EmptyDataType:
        return self.values.pop(key, EmptyData)

    def flush(self) -> None:
        self.values.clear()
