"""A JSON value in a data store that many processes change at the same time, by compare-and-swap."""

from __future__ import annotations

import json
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from huey_core.backends.base import EmptyData
from huey_core.backends.forking import randomness
from huey_core.exceptions import DataStoreGetException, DataStorePutException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.base import BaseDataStore, EmptyDataType

__all__ = ["JSONValue", "swap"]

T = TypeVar("T")

PAUSES: Final = tuple(min(0.001 * 2**number, 0.25) for number in range(30))
"""Thirty tries, which take some seconds in all."""


@dataclass(eq=False, repr=False)
class JSONValue(Generic[T]):
    """A JSON value under one key of a data store.

    What cannot be read, because it is not JSON or not of the type of ``empty``, is an error and is never overwritten.
    An expendable value is taken for empty then, and replaced by the next change.

    Args:
        store: The data store. To change the value needs :attr:`Capability.LOCKS`.
        key: The key.
        empty: What an absent key stands for.
        expendable: Whether nothing is lost that will not be written again.
        pauses: The longest pause, in seconds, after each try of a change that others were faster than.
    """

    store: BaseDataStore
    key: str
    empty: T
    _: KW_ONLY
    expendable: bool = False
    pauses: Sequence[float] = PAUSES

    def read(self) -> T:
        """Return the value, or raise a :class:`DataStoreGetException` when it cannot be read."""
        return self.decode(self.store.peek(self.key))

    def decode(self, stored: bytes | EmptyDataType) -> T:
        """Return the value in what the data store has under the key; see :meth:`read`."""
        if stored is EmptyData:
            return self.empty
        try:
            value: T = json.loads(stored)
            if type(value) is type(self.empty):
                return value
        except (ValueError, RecursionError):
            pass
        if not self.expendable:
            raise DataStoreGetException(f"the value {self.key!r} in {self.store!r} cannot be read")
        return self.empty

    def change(self, function: Callable[[T], T], ttl: Callable[[T], float] | None = None) -> T:
        """Replace the value by what a function makes of it, if that is another.

        Args:
            function: Makes a new value, and leaves the one that it is given as it is. It is called again when another
                change came in between.
            ttl: Says for how many seconds to keep a new value; by default it is kept.

        Returns:
            The value before.

        Raises:
            DataStoreGetException: It cannot be read.
            DataStorePutException: Others changed it in between, as often as it was tried.
        """
        for pause in self.pauses:
            stored = self.store.peek(self.key)
            before = self.decode(stored)
            after = function(before)
            seconds = None if ttl is None else ttl(after)
            if after == before or swap(self.store, self.key, stored, json.dumps(after).encode(), seconds):
                return before
            # Those that began together should not stay in step.
            time.sleep(randomness().uniform(0, pause))
        raise DataStorePutException(
            f"the value {self.key!r} in {self.store!r} was changed by others during each of {len(self.pauses)} tries"
        )


def swap(store: BaseDataStore, key: str, old: bytes | EmptyDataType, new: bytes, ttl: float | None = None) -> bool:
    """Put a value in the place of an old one, or of none, if that is still there; return whether it was."""
    seconds = () if ttl is None else (ttl,)
    if old is EmptyData:
        return store.put_if_absent(key, new, *seconds)
    return store.replace_if_equal(key, old, new, *seconds)
