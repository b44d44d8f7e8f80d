"""What the entry points name: ``redis://``, ``rediss://`` and ``redis+unix://`` URLs."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, Final

from redis.exceptions import NoPermissionError, ResponseError

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Backend,
    Option,
    check_tls_files,
    parse_bool,
    parse_positive_seconds,
    parse_positive_size,
    parse_text,
)
from huey_core.exceptions import ConfigurationError
from huey_redis.connection import Connections, Link
from huey_redis.data_store import RedisDataStore
from huey_redis.keys import SIGNS_OF_QUEUES, queue_of_sign, store_prefix
from huey_redis.queue import MAX_MESSAGE_SIZE, RedisQueue
from huey_redis.settings import DEFAULT_TIMEOUT, Settings
from huey_redis.watching import Watcher

if TYPE_CHECKING:
    from huey_core.backends import BackendURL, Capability

__all__ = ["RedisBackend"]

OLDEST: Final = (6, 2)
"""The oldest version of Redis that has every command used here. Valkey began later."""


def parse_database(text: str) -> int:
    """Read the number of a database.

    Raises:
        ValueError: It is anything else.
    """
    if not re.fullmatch("[0-9]{1,6}", text):
        raise ValueError("expected the number of a database, such as 0")
    return int(text)


class RedisBackend(Backend):
    """A database of a Redis (6.2 or newer) or Valkey server; its queues and stores share one pool of connections.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, ``rediss://`` for TLS, or
            ``redis+unix:///path/to/socket`` with the option ``db``.

    Raises:
        ConfigurationError: The URL lacks a part or has one that it should not have.
    """

    schemes: ClassVar[tuple[str, ...]] = ("redis", "rediss", "redis+unix")
    api_version: ClassVar[int] = 1
    capabilities: ClassVar[frozenset[Capability]] = RedisQueue.capabilities | RedisDataStore.capabilities
    options: ClassVar[tuple[Option, ...]] = (
        Option("db", parse_database, None, "the number of the database; for redis+unix:// only"),
        Option("socket_timeout", parse_positive_seconds, DEFAULT_TIMEOUT, "seconds to wait for a reply of the server"),
        Option("connect_timeout", parse_positive_seconds, DEFAULT_TIMEOUT, "seconds to wait for a connection"),
        Option("client_name", parse_text, None, "a name to be seen in the server's CLIENT LIST"),
        Option("max_message_size", parse_positive_size, MAX_MESSAGE_SIZE, "the largest message accepted, in bytes"),
        Option("tls_ca", parse_text, None, "a PEM file of the authorities to trust; by default the system's"),
        Option("tls_cert", parse_text, None, "a PEM file with this client's own certificate"),
        Option("tls_key", parse_text, None, "a PEM file with the private key of tls_cert"),
        Option("tls_verify", parse_bool, True, "whether the server's certificate must be trusted"),
        Option("tls_check_hostname", parse_bool, True, "whether the server's certificate must be for the host"),
    )

    def __init__(self, url: BackendURL) -> None:
        super().__init__(url)
        self.settings = _settings(url)
        self._connections = Connections(self.settings)
        self._watcher = Watcher(self.settings)
        self._connections.when_moved(self._watcher.renew)

    def queue(self, name: str) -> RedisQueue:
        """Return a queue of this name."""
        return RedisQueue(
            name,
            connections=self._connections,
            max_deliveries=self.url.options.get("max_deliveries", DEFAULT_MAX_DELIVERIES),
            max_message_size=self.url.options.get("max_message_size", MAX_MESSAGE_SIZE),
        )

    def data_store(self, name: str) -> RedisDataStore:
        """Return a data store of this name."""
        return RedisDataStore(name, connections=self._connections, watcher=self._watcher)

    def ping(self) -> None:
        """Ask the server whether it answers.

        Raises:
            redis.RedisError: There is none, or the password is wrong.
        """
        self._connections.call(b"PING")

    def describe(self) -> dict[str, str]:
        """Return the server's product, version, eviction policy and persistence, as far as the user may know them."""
        info = self._info()
        if not info:
            return {}
        description = {
            "product": info.get("server_name", "redis"),
            "version": info.get("valkey_version", info["redis_version"]),
            "maxmemory-policy": info["maxmemory_policy"],
        }
        persistence = self._persistence(info)
        if persistence is not None:
            description["persistence"] = persistence
        return description

    def warnings(self) -> list[str]:
        """Return a sentence for each setting that endangers messages or results, as far as the user may know them."""
        warnings = []
        if self.settings.tls and not self.settings.tls_verify:
            warnings.append(
                "The server's certificate is not verified, so anyone on the way to it can read and change messages."
            )
        info = self._info()
        forbidden = self._forbidden()
        if forbidden:
            user = self.settings.username or "default"
            warnings.append(
                f"The user {user!r} may not {' or '.join(forbidden)} where results are announced, so whoever waits for "
                "a result is not told of it; add '+publish +subscribe +unsubscribe &huey:*' to the user's ACL rules."
            )
        if not info:
            return warnings
        version = info["redis_version"]
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            warnings.append(f"The server is Redis {version}, and huey-redis needs 6.2 or newer.")
        policy = info["maxmemory_policy"]
        if policy != "noeviction":
            warnings.append(
                f"The server's maxmemory-policy is {policy}, so it may throw messages away when its memory is full; "
                "set it to noeviction."
            )
        if self._persistence(info) == "none":
            warnings.append(
                "The server keeps nothing on disk, so messages are lost when it stops; "
                "turn on appendonly (or save) if they matter."
            )
        return warnings

    def set_up(self) -> list[str]:
        """Ask the server whether it answers: there is nothing to make, a key is there once something is written to it.

        Raises:
            redis.RedisError: It does not.
        """
        self.ping()
        description = self.describe()
        server = f"{description['product']} {description['version']}" if description else "the server"
        return [f"{server} answers, and needs nothing to be made"]

    def queue_names(self) -> list[str]:
        """The names of the queues that have messages, or are paused, sorted.

        Looks through the whole database, in small steps: a list of names would be another key to write, which is in
        another slot of a cluster than the queue and for which a user of one queue has no right.
        """
        names = {queue_of_sign(key) for keys in self._connections.scan(SIGNS_OF_QUEUES) for key in keys}
        return sorted(name for name in names if name is not None)

    def close(self) -> None:
        """Close the connections."""
        self._watcher.close()
        self._connections.close()

    def _forbidden(self) -> list[str]:
        """Name those of the commands that announce results which the user may not give for the store of the URL."""
        options = self.url.options
        channel = store_prefix(options.get("results") or options.get("queue", ""))
        with closing(Link(self.settings)) as link:
            link.send((b"PUBLISH", channel, b""), (b"SUBSCRIBE", channel))
            replies = dict(zip(("publish", "subscribe"), link.receive_many(2), strict=True))
        return [command for command, reply in replies.items() if isinstance(reply, NoPermissionError)]

    def _info(self) -> dict[str, str]:
        """Read what the server says of itself: nothing when the user may not ask."""
        try:
            sections = self._connections.call_many(
                (b"INFO", b"server"), (b"INFO", b"memory"), (b"INFO", b"persistence")
            )
        except NoPermissionError:
            return {}
        lines = [line for section in sections for line in section.decode().splitlines()]
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _persistence(self, info: dict[str, str]) -> str | None:
        """Describe what is on disk; ``None`` when the server does not say."""
        if info["aof_enabled"] == "1":
            fsync = self._config("appendfsync")
            return "append-only file" + (f", appendfsync {fsync}" if fsync else "")
        save = self._config("save")
        if save is None:
            return None
        return f"snapshots, save {save}" if save else "none"

    def _config(self, name: str) -> str | None:
        """Read one setting of the server; managed services and ACLs often forbid that."""
        try:
            reply = self._connections.call(b"CONFIG", b"GET", name)
        except ResponseError:
            return None
        return reply[1].decode() if reply else None


def _settings(url: BackendURL) -> Settings:
    options = url.options
    on_unix_socket = url.scheme == "redis+unix"
    if len(url.hosts) > 1:
        raise ConfigurationError(f"{url.scheme}:// takes one host, not {len(url.hosts)}")
    if on_unix_socket and (url.hosts or not url.database):
        raise ConfigurationError("the path of the socket is missing: redis+unix:///run/redis.sock (with three slashes)")
    if not on_unix_socket and options.get("db") is not None:
        raise ConfigurationError(f"{url.scheme}:// takes the database from its path (/1) and not from an option 'db'")
    if url.scheme != "rediss" and any(name.startswith("tls_") for name, _ in url.query):
        raise ConfigurationError(f"{url.scheme}:// does not talk TLS; the scheme for it is rediss://")
    authorities, certificate, key = (
        (name, options[name]) if options.get(name) else None for name in ("tls_ca", "tls_cert", "tls_key")
    )
    if key and not certificate:
        raise ConfigurationError(f"{url.scheme}:// has tls_key and no tls_cert, the certificate that the key is for")
    if authorities or certificate:
        check_tls_files(url.scheme, trusted=[authorities] if authorities else [], certificate=certificate, key=key)
    host, port = url.hosts[0] if url.hosts else ("localhost", None)
    taken = ("socket_timeout", "connect_timeout", "client_name")
    tls = ("tls_ca", "tls_cert", "tls_key", "tls_verify", "tls_check_hostname")
    return Settings(
        host=host,
        port=port or 6379,
        path=url.path if on_unix_socket else None,
        db=options.get("db") or 0 if on_unix_socket else _database(url),
        username=url.username,
        password=url.password,
        tls=url.scheme == "rediss",
        **{name: options[name] for name in (*taken, *tls) if name in options},
    )


def _database(url: BackendURL) -> int:
    try:
        return parse_database(url.database) if url.database else 0
    except ValueError as error:
        raise ConfigurationError(f"the path of {url.scheme}:// cannot be {url.database!r}: {error}") from None
