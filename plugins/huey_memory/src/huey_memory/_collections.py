"""The two containers that the rest is built from. Neither is thread-safe: the space's lock guards them."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ExpiringDict", "Key", "Shelf"]

Key: TypeAlias = tuple[float, int]
"""What a shelf is ordered by: a rank or a time, then a number that keeps equals in their order."""

V = TypeVar("V")


class Shelf:
    """Names in the order of their keys: adding, discarding and taking the first are O(log n), amortised.

    A heap cannot drop an item from its middle, so a discarded item stays in it until it comes to the top, or until
    such leftovers outnumber what is alive and the heap is built anew.
    """

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._heap: list[tuple[Key, str]] = []

    def add(self, name: str, key: Key) -> None:
        """Put a name in its place; one that is there already moves."""
        self._keys[name] = key
        if len(self._heap) > 2 * len(self._keys) + 64:
            self._heap = [(key, name) for name, key in self._keys.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (key, name))

    def discard(self, name: str) -> None:
        """Remove a name, if it is there."""
        self._keys.pop(name, None)

    def get(self, name: str) -> Key | None:
        """Return the key of a name, or ``None`` when the name is not there."""
        return self._keys.get(name)

    def first(self) -> tuple[Key, str] | None:
        """Return the key and the name that come first, or ``None`` when the shelf is empty."""
        while self._heap:
            key, name = self._heap[0]
            if self._keys.get(name) == key:
                return key, name
            heapq.heappop(self._heap)
        return None

    def smallest(self, count: int) -> list[str]:
        """List the first ``count`` names in order."""
        return heapq.nsmallest(count, self._keys, key=lambda name: (self._keys[name], name))

    def clear(self) -> None:
        """Remove every name."""
        self._keys.clear()
        self._heap.clear()

    def __len__(self) -> int:
        return len(self._keys)


class ExpiringDict(Generic[V]):
    """Values by key, each of which may have a time after which it is gone.

    An expired value is dropped when it is looked at, and every :meth:`set` drops a bounded portion of the others, so
    values that nobody asks for again do not pile up.
    """

    portion: Final = 16
    """The most expired values that one :meth:`set` drops. More than one, so that they are dropped faster than made."""

    def __init__(self) -> None:
        self._values: dict[str, V] = {}
        self._expiries = Shelf()

    def get(self, key: str, now: float) -> V | None:
        """Return the value, or ``None`` when there is none at this time."""
        until = self.until(key)
        if until is not None and until <= now:
            self.discard(key)
        return self._values.get(key)

    def set(self, key: str, value: V, now: float, until: float | None = None) -> None:
        """Store a value, to be kept until the given time; ``None`` keeps it for good."""
        self._purge(now)
        self._values[key] = value
        if until is None:
            self._expiries.discard(key)
        else:
            self._expiries.add(key, (until, 0))

    def until(self, key: str) -> float | None:
        """The time until which the value is kept, or ``None`` when it is kept for good."""
        expiry = self._expiries.get(key)
        return None if expiry is None else expiry[0]

    def items(self, now: float) -> Iterator[tuple[str, V]]:
        """Look at every key and value that is there at this time, and drop none."""
        for key, value in self._values.items():
            until = self.until(key)
            if until is None or until > now:
                yield key, value

    def discard(self, key: str) -> None:
        """Remove a value, if it is there."""
        self._values.pop(key, None)
        self._expiries.discard(key)

    def clear(self) -> None:
        """Remove every value."""
        self._values.clear()
        self._expiries.clear()

    def _purge(self, now: float) -> None:
        for _ in range(self.portion):
            first = self._expiries.first()
            if first is None or first[0][0] > now:
                return
            self.discard(first[1])

    def __len__(self) -> int:
        return len(self._values)
