"""The data store: values by key, in the same file as the queue."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.backends import BaseDataStore, Capability, EmptyData, EmptyDataType
from huey_sqlite.database import Database
from huey_sqlite.settings import Settings
from huey_sqlite.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

__all__ = ["SQLiteDataStore"]

_PORTION: Final = 5000
"""Values that one transaction of a flush removes, so that others can write in between."""


class SQLiteDataStore(BaseDataStore):
    """A data store in an SQLite file.

    A call that finds nothing to change takes no write lock.

    Args:
        name: The store's name.
        database: The file, when it is shared with a queue or with other stores.
        connection: The fields of :class:`~huey_sqlite.settings.Settings`, when no ``database`` is given.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TTL, Capability.NOTIFY, Capability.LOCKS, Capability.PERSISTENT}
    )

    def __init__(self, name: str, *, database: Database | None = None, **connection: Any) -> None:
        super().__init__(name, **connection)
        self._is_owner = database is None
        self.database = database or Database(Settings(**connection))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Store a value, replacing an earlier one."""
        with self._writing() as values:
            values.put(key, value, ttl)
        self.tell(key)

    def get(self, key: str) -> bytes | EmptyDataType:
        """Remove a value and return it, or return ``EmptyData``."""
        if self.peek(key) is EmptyData:
            return EmptyData
        with self._writing() as values:
            return _or_empty(values.take(key))

    def peek(self, key: str) -> bytes | EmptyDataType:
        """Return a value and leave it in place, or return ``EmptyData``."""
        return self.peek_many([key])[0]

    def peek_many(self, keys: list[str]) -> list[bytes | EmptyDataType]:
        """Return the values of several keys in their order."""
        with self.database.read() as connection:
            values = Values(connection, self.name, self.database.clock())
            return [_or_empty(values.look(key)) for key in keys]

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value only if the key is absent, and say whether it was stored."""
        if self.peek(key) is not EmptyData:
            return False
        with self._writing() as values:
            is_stored = values.put_if_absent(key, value, ttl)
        self.tell(key)
        return is_stored

    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Replace a value only if it still equals ``old``, and say whether it was replaced."""
        if self.peek(key) != old:
            return False
        with self._writing() as values:
            is_replaced = values.replace_if_equal(key, old, new, ttl)
        self.tell(key)
        return is_replaced

    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a counter that starts at 0, and return its new value.

        Raises:
            ValueError: The key holds a value that is not a counter.
        """
        return self.increment_many({key: amount}, ttl)[key]

    def increment_many(self, amounts: Mapping[str, int], ttl: float | None = None) -> dict[str, int]:
        """Add to several counters in one transaction, and return their new values.

        Raises:
            ValueError: A key holds a value that is not a counter; none was changed.
        """
        with self._writing() as values:
            counters = {key: values.increment(key, amount, ttl) for key, amount in amounts.items()}
        for key in counters:
            self.tell(key)
        return counters

    def flush(self) -> None:
        """Remove every key of this store, and nothing of any other, in portions between which others can write."""
        more = True
        while more:
            with self._writing() as values:
                more = values.clear(_PORTION)

    @contextmanager
    def _writing(self) -> Iterator[Values]:
        with self.database.write() as transaction:
            yield Values(transaction, self.name, self.database.clock())

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever the key may have been written, in a thread of the store, and at the close."""
        return self.database.changes.watch(self._topic(key), callback)

    def tell(self, key: str) -> None:
        """Tell those of this process who wait for a key that it may have been written."""
        self.database.changes.signal(self._topic(key))

    def close(self) -> None:
        """Give back connections that are this store's own."""
        if self._is_owner:
            self.database.close()

    def _topic(self, key: str) -> Hashable:
        return "value", self.name, key


def _or_empty(value: bytes | None) -> bytes | EmptyDataType:
    return EmptyData if value is None else value
