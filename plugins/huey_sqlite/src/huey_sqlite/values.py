"""The statements of the data stores: each step of the contract, within a transaction of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Values"]

_PUT: Final = (
    "INSERT INTO value (store, key, value, expires) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (store, key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)


class Values:
    """The values of one data store, over one connection, at one moment.

    Args:
        connection: Within a transaction for whatever writes.
        store: The store's name.
        now: The time in seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, store: str, now: float) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self._store = store
        self._now = now

    def look(self, key: str) -> bytes | None:
        """Return a value that has not expired, or ``None``."""
        return self._find(key)[0]

    def take(self, key: str) -> bytes | None:
        """Remove a value and return it, or return ``None`` when it is absent or has expired."""
        value, _ = self._find(key)
        self._execute("DELETE FROM value WHERE store = ? AND key = ?", (self._store, key))
        return value

    def put(self, key: str, value: bytes, ttl: float | None) -> None:
        """Store a value, replacing an earlier one."""
        self._put(key, value, self._expiry(ttl))

    def put_if_absent(self, key: str, value: bytes, ttl: float | None) -> bool:
        """Store a value unless one is there that has not expired."""
        if self._find(key)[0] is not None:
            return False
        self.put(key, value, ttl)
        return True

    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None) -> bool:
        """Replace a value that equals ``old`` and has not expired."""
        if self._find(key)[0] != old:
            return False
        self.put(key, new, ttl)
        return True

    def increment(self, key: str, amount: int, ttl: float | None) -> int:
        """Add to a counter. Without a time to live it keeps the one it has.

        Raises:
            ValueError: The value is not a counter.
        """
        value, expires = self._find(key)
        counter = (0 if value is None else int(value)) + amount
        self._put(key, b"%d" % counter, expires if ttl is None else self._expiry(ttl))
        return counter

    def clear(self, limit: int) -> bool:
        """Remove up to ``limit`` values, and say whether there may be more."""
        cursor = self._execute(
            "DELETE FROM value WHERE rowid IN (SELECT rowid FROM value WHERE store = ? LIMIT ?)", (self._store, limit)
        )
        return cursor.rowcount == limit

    def _find(self, key: str) -> tuple[bytes | None, float | None]:
        found: tuple[bytes, float | None] | None = self._execute(
            "SELECT value, expires FROM value WHERE store = ? AND key = ? AND (expires IS NULL OR expires > ?)",
            (self._store, key, self._now),
        ).fetchone()
        return found or (None, None)

    def _put(self, key: str, value: bytes, expires: float | None) -> None:
        self._execute(_PUT, (self._store, key, value, expires))

    def _expiry(self, ttl: float | None) -> float | None:
        if ttl is None:
            return None
        # Of the values of any store, twice as many that have expired go as come, so they do not pile up and no call has
        # to remove them by the thousand.
        expired = "SELECT rowid FROM value WHERE expires <= ? ORDER BY expires LIMIT 2"
        self._execute_many("DELETE FROM value WHERE rowid = ?", self._execute(expired, (self._now,)).fetchall())
        return self._now + ttl
