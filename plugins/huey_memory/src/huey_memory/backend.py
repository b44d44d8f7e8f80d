"""What the entry point ``memory`` names: ``memory://`` and ``memory://space/``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from huey_core.backends import DEFAULT_MAX_DELIVERIES, Backend
from huey_core.exceptions import ConfigurationError
from huey_memory.clock import SYSTEM_CLOCK, Clock
from huey_memory.data_store import MemoryDataStore
from huey_memory.queue import MemoryQueue
from huey_memory.space import Access, Space

if TYPE_CHECKING:
    from huey_core.backends import BackendURL, Capability

__all__ = ["MemoryBackend"]


class MemoryBackend(Backend):
    """A space in the memory of this process, chosen by the host part of the URL; ``memory://`` is the common one.

    Args:
        url: The parsed URL.
        clock: What decides due times, leases and times to live.

    Raises:
        ConfigurationError: The URL has more than the name of a space, which would then be silently ignored.
    """

    schemes: ClassVar[tuple[str, ...]] = ("memory",)
    api_version: ClassVar[int] = 1
    capabilities: ClassVar[frozenset[Capability]] = MemoryQueue.capabilities | MemoryDataStore.capabilities

    def __init__(self, url: BackendURL, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(url)
        self.space, port = url.hosts[0] if url.hosts else ("", None)
        self.clock = clock
        self._access = Access(Space.named(self.space, clock))
        if port or len(url.hosts) > 1 or url.path not in {"", "/"} or url.username or url.password:
            raise ConfigurationError("a memory URL is memory:// or memory://space/, with nothing else but options")

    def queue(self, name: str) -> MemoryQueue:
        """Return a queue of this space."""
        max_deliveries = self.url.options.get("max_deliveries", DEFAULT_MAX_DELIVERIES)
        return MemoryQueue(name, max_deliveries=max_deliveries, access=self._access)

    def data_store(self, name: str) -> MemoryDataStore:
        """Return a data store of this space."""
        return MemoryDataStore(name, access=self._access)

    def ping(self) -> None:
        """Do nothing: the memory of this process is always there."""

    def describe(self) -> dict[str, str]:
        """Say that messages end with the process."""
        return {"product": "memory of this process", "durability": "none: messages end with the process"}

    def queue_names(self) -> list[str]:
        """The names of the queues of this space that have messages, or are paused."""
        with self._access:
            return self._access.space.names_in_use()

    def close(self) -> None:
        """Close every queue and store that this backend made. What they hold stays, for others of this process."""
        self._access.close()
