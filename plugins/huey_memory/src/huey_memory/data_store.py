"""The reference implementation of a data store with every capability, for reading and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from huey_core.backends import BaseDataStore, Capability, EmptyData, call_watchers
from huey_memory.clock import SYSTEM_CLOCK, Clock
from huey_memory.space import Access, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from huey_core.backends import EmptyDataType

__all__ = ["MemoryDataStore"]


class MemoryDataStore(BaseDataStore):
    """Bytes by key in the memory of this process.

    Two stores of one name, in one space and with one clock, are the same store.

    Args:
        name: The store's name.
        space: The name of the space; queues and stores settle atomically within one.
        clock: Decides when a value's time to live is over. How long :meth:`wait` waits stays real time.
        access: The way into the space, shared with others; by default the store has its own.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TTL, Capability.NOTIFY, Capability.LOCKS})

    def __init__(
        self, name: str, *, space: str = "", clock: Clock = SYSTEM_CLOCK, access: Access | None = None
    ) -> None:
        super().__init__(name)
        self._owns_access = access is None
        self._access = access or Access(Space.named(space, clock))
        self.space: Final = self._access.space
        self._drawer = self.space.drawer(name)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Store a value and tell those who watch the key."""
        with self._access:
            watchers = self.put_under_lock(key, value, ttl)
        call_watchers(watchers)

    def put_under_lock(self, key: str, value: bytes, ttl: float | None) -> list[Callable[[], None]]:
        """Put a value as a part of a larger step, for which the caller holds the space's lock.

        Returns:
            The callbacks to be called once the lock is free.
        """
        now = self.space.clock()
        return self._drawer.put(key, value, now, None if ttl is None else now + ttl)

    def holds_under_lock(self, key: str, value: bytes) -> bool:
        """Whether a key has this value, for a larger step as :meth:`put_under_lock`."""
        return self._look(key) == value

    def discard_under_lock(self, key: str) -> None:
        """Remove a key as a part of a larger step, as :meth:`put_under_lock`."""
        self._drawer.values.discard(key)

    def get(self, key: str) -> bytes | EmptyDataType:
        """Remove a value and return it, or :data:`EmptyData`."""
        with self._access:
            value = self._look(key)
            self._drawer.values.discard(key)
        return EmptyData if value is None else value

    def peek(self, key: str) -> bytes | EmptyDataType:
        """Return a value and leave it in place, or :data:`EmptyData`."""
        with self._access:
            value = self._look(key)
        return EmptyData if value is None else value

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value only if the key is absent, and say whether it was stored."""
        return self._swap(key, None, value, ttl)

    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Replace a value only if it still equals ``old``, and say whether it was replaced."""
        return self._swap(key, old, new, ttl)

    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a counter, keeping its time to live unless a new one is given.

        Raises:
            ValueError: The value under the key is not a number.
        """
        return self.increment_many({key: amount}, ttl)[key]

    def increment_many(self, amounts: Mapping[str, int], ttl: float | None = None) -> dict[str, int]:
        """Add to several counters under one hold of the lock.

        Raises:
            ValueError: The value under one of the keys is not a number; nothing was added then.
        """
        watchers: list[Callable[[], None]] = []
        with self._access:
            now = self.space.clock()
            values = {key: b"0" if (value := self._look(key)) is None else value for key in amounts}
            totals = {key: int(values[key]) + amount for key, amount in amounts.items()}
            for key, total in totals.items():
                until = self._drawer.values.until(key) if ttl is None else now + ttl
                watchers += self._drawer.put(key, b"%d" % total, now, until)
        call_watchers(watchers)
        return totals

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after every write of the key, in the thread that writes, and at the close."""
        return self._access.watch(self._drawer, key, callback)

    def flush(self) -> None:
        """Remove every key of this store."""
        with self._access:
            self._drawer.values.clear()

    def close(self) -> None:
        """End the watches, and let every call raise, unless the way into the space is shared. The values stay."""
        if self._owns_access:
            self._access.close()

    def _look(self, key: str) -> bytes | None:
        return self._drawer.values.get(key, self.space.clock())

    def _swap(self, key: str, old: bytes | None, new: bytes, ttl: float | None) -> bool:
        with self._access:
            if self._look(key) != old:
                return False
            watchers = self.put_under_lock(key, new, ttl)
        call_watchers(watchers)
        return True
