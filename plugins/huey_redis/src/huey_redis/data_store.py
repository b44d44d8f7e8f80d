"""A data store on one Redis or Valkey server: each value is a string key of its own, so the server keeps its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.backends import BaseDataStore, Capability, EmptyData
from huey_core.secret import with_secrets_hidden
from huey_redis import scripts
from huey_redis.connection import Argument, Connections, value_of
from huey_redis.durations import FOR_EVER, time_to_live
from huey_redis.keys import store_prefix
from huey_redis.settings import Settings
from huey_redis.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from huey_core.backends import EmptyDataType

__all__ = ["RedisDataStore"]

PORTION: Final = 100
"""The most values that one command reads."""


class RedisDataStore(BaseDataStore):
    """Bytes by key on a Redis or Valkey server, shared by any number of processes.

    Args:
        name: The store's name.
        connections: The connections to use, shared with others; by default the store has its own.
        watcher: What reports written keys, shared with others; by default the store has its own.
        connection: The server, as in :class:`~huey_redis.settings.Settings`: ``host``, ``port``, ``db``,
            ``password``, ...

    Raises:
        ConfigurationError: ``connection`` names a setting that does not exist.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TTL, Capability.NOTIFY, Capability.LOCKS, Capability.PERSISTENT}
    )

    def __init__(
        self,
        name: str,
        *,
        connections: Connections | None = None,
        watcher: Watcher | None = None,
        **connection: Any,
    ) -> None:
        connection = with_secrets_hidden(connection)
        super().__init__(name, **connection)
        self._owns_connections = connections is None
        self._connections = connections or Connections(Settings.of(**connection))
        self._watcher = watcher or Watcher(self._connections.settings)
        self._owns_watcher = watcher is None
        if self._owns_watcher:
            self._connections.when_moved(self._watcher.renew)
        self._prefix = store_prefix(name)

    @property
    def settings(self) -> Settings:
        """The server of this store."""
        return self._connections.settings

    def server_key(self, key: str) -> bytes:
        """Return the server's name for a key, which is also the channel on which its writes are published."""
        return self._prefix + key.encode()

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Store a value, and tell those who watch the key."""
        name = self.server_key(key)
        lifetime = time_to_live(ttl)
        if lifetime == 0:
            self._write(name, b"UNLINK", name)
        else:
            self._write(name, b"SET", name, value, *_expiry(lifetime))

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value only if the key is absent, and say whether it was stored."""
        name = self.server_key(key)
        lifetime = time_to_live(ttl)
        if lifetime == 0:
            return not self._connections.call(b"EXISTS", name)
        return self._write(name, b"SET", name, value, *_expiry(lifetime), b"NX") is not None

    def get(self, key: str) -> bytes | EmptyDataType:
        """Remove a value and return it, or return ``EmptyData``.

        Raises:
            DataStoreGetException: The store is closed. Whoever waits for a value learns it here.
        """
        self._watcher.check_open()
        return _or_empty(self._connections.call(b"GETDEL", self.server_key(key)))

    def peek(self, key: str) -> bytes | EmptyDataType:
        """Return a value and leave it in place, or ``EmptyData``; see :meth:`get`."""
        self._watcher.check_open()
        return _or_empty(self._connections.call(b"GET", self.server_key(key)))

    def peek_many(self, keys: list[str]) -> list[bytes | EmptyDataType]:
        """Return the values of several keys in their order; see :meth:`get`."""
        self._watcher.check_open()
        values: list[bytes | EmptyDataType] = []
        for start in range(0, len(keys), PORTION):
            portion = [self.server_key(key) for key in keys[start : start + PORTION]]
            values += map(_or_empty, self._connections.call(b"MGET", *portion))
        return values

    def delete(self, key: str) -> bool:
        """Remove a key and say whether it was there."""
        return bool(self._connections.call(b"UNLINK", self.server_key(key)))

    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Replace a value only if it still equals ``old``, and say whether it was replaced."""
        return bool(self._connections.run(scripts.REPLACE, [self.server_key(key)], old, new, time_to_live(ttl)))

    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a counter that starts at 0, and return its new value."""
        return int(self._connections.run(scripts.INCREMENT, [self.server_key(key)], amount, time_to_live(ttl)))

    def increment_many(self, amounts: Mapping[str, int], ttl: float | None = None) -> dict[str, int]:
        """Add to several counters, in one round trip for thousands of them, and return their new values.

        Raises:
            redis.RedisError: One is no number, or the server did not answer; others may have been changed.
        """
        calls = [([self.server_key(key)], [amount, time_to_live(ttl)]) for key, amount in amounts.items()]
        return dict(zip(amounts, map(int, self._connections.run_many(scripts.INCREMENT, calls)), strict=True))

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when the key may have been written, in a thread of the store, and at the close.

        Raises:
            DataStoreGetException: The store is closed.
            redis.RedisError: The server could not be reached, or did not confirm in time.
        """
        return self._watcher.watch(self.server_key(key), callback)

    def flush(self) -> None:
        """Remove every key of this store. Looks through the whole database, in small steps."""
        for keys in self._connections.scan(_escape_glob(self._prefix) + b"*"):
            self._connections.call(b"UNLINK", *keys)

    def close(self) -> None:
        """Close the connections and the watcher, unless they are shared; a watcher that is closed ends every wait."""
        if self._owns_watcher:
            self._watcher.close()
        if self._owns_connections:
            self._connections.close()

    def _write(self, name: bytes, *command: Argument) -> Any:
        """Change a value, tell those who watch the key, and return the reply to the change."""
        # A user may lack the right to publish; the value is there all the same.
        written, _ = self._connections.exchange(command, (b"PUBLISH", name, b""))
        return value_of(written)


def _expiry(lifetime: int) -> tuple[Argument, ...]:
    return () if lifetime == FOR_EVER else (b"PX", lifetime)


def _or_empty(value: bytes | None) -> bytes | EmptyDataType:
    return EmptyData if value is None else value


def _escape_glob(text: bytes) -> bytes:
    for special in (b"\\", b"*", b"?", b"["):
        text = text.replace(special, b"\\" + special)
    return text
