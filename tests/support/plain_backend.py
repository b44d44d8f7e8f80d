"""What a backend author wrote who implemented nothing but the methods of the original API."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from huey_core.backends.backend import Backend
from huey_core.backends.base import BaseDataStore, BaseQueue, EmptyData, EmptyDataType

__all__ = ["AwayStore", "PlainBackend", "PlainQueue", "PlainStore"]


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


class AwayStore(PlainStore):
    """A store on another server, which does not answer while ``away``."""

    away = True

    def put(self, key: str, value: bytes) -> None:  # type: ignore[override]
        if self.away:
            raise ConnectionError("the cable is out")
        super().put(key, value)


class PlainBackend(Backend):
    """The two of them under a URL."""

    schemes = ("plain",)
    api_version = 1
    capabilities: ClassVar = frozenset()

    def queue(self, name: str) -> PlainQueue:
        return PlainQueue(name)

    def data_store(self, name: str) -> PlainStore:
        return PlainStore(name)

    def ping(self) -> None:
        pass
