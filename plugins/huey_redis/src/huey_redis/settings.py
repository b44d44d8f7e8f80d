"""Where the server is and how to talk to it: typed, complete, and safe to print."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Final

from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from huey_core.exceptions import ConfigurationError
from huey_core.secret import hidden, with_secrets_hidden
from huey_redis.login import log_in

__all__ = ["DEFAULT_TIMEOUT", "Settings"]

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds to wait for a connection, and for a reply."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to reach one database of one server.

    Attributes:
        host: The server's name or address.
        port: Its TCP port.
        path: The path of a Unix socket; it takes the place of host and port.
        db: The number of the database.
        username: The ACL user; ``None`` is the server's default user.
        password: Never shown.
        socket_timeout: Seconds to wait for a reply before the connection is given up.
        connect_timeout: Seconds to wait for a connection.
        client_name: A name to be seen in the server's ``CLIENT LIST``.
        tls: Whether to talk TLS.
        tls_ca: A file with the certificates of the authorities to trust, in PEM; ``None`` trusts the system's.
        tls_cert: A file with the client's own certificate, in PEM.
        tls_key: A file with the private key of ``tls_cert``, in PEM.
        tls_verify: Whether the server must show a certificate that is trusted.
        tls_check_hostname: Whether that certificate must be for ``host``.
    """

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    socket_timeout: float = DEFAULT_TIMEOUT
    connect_timeout: float = DEFAULT_TIMEOUT
    client_name: str | None = None
    tls: bool = False
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_verify: bool = True
    tls_check_hostname: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "password", hidden(self.password))

    @classmethod
    def of(cls, **connection: Any) -> Settings:
        """Make settings of keyword arguments.

        Raises:
            ConfigurationError: There is no setting of one of the names.
        """
        connection = with_secrets_hidden(connection)
        known = [setting.name for setting in fields(cls)]
        unknown = sorted(set(connection) - set(known))
        if unknown:
            raise ConfigurationError(f"huey-redis has no setting {unknown[0]!r}; it has {', '.join(known)}")
        return cls(**connection)

    @property
    def database(self) -> tuple[str, int]:
        """Where the data is, as far as the settings can tell: two that are equal here share their keys."""
        return (self.path or f"{self.host.lower()}:{self.port}", self.db)

    def connection(self) -> Any:
        """Make a connection of the driver, not yet connected. The driver does not type them."""
        kind: Any
        common: dict[str, Any] = {
            "db": self.db,
            "username": self.username,
            "password": self.password,
            "socket_timeout": self.socket_timeout,
            "socket_connect_timeout": self.connect_timeout,
            "client_name": self.client_name,
            "protocol": 2,
            "redis_connect_func": partial(
                log_in,
                where=self.path or f"{self.host}:{self.port}",
                is_socket=self.path is not None,
                tls=self.tls,
                username=self.username,
                has_password=bool(self.password),
            ),
        }
        if self.path is not None:
            kind = UnixDomainSocketConnection
            return kind(path=self.path, **common)
        common |= {"host": self.host, "port": self.port, "socket_keepalive": True}
        if not self.tls:
            kind = Connection
            return kind(**common)
        kind = SSLConnection
        return kind(
            ssl_ca_certs=self.tls_ca,
            ssl_certfile=self.tls_cert,
            ssl_keyfile=self.tls_key,
            ssl_cert_reqs="required" if self.tls_verify else "none",
            ssl_check_hostname=self.tls_verify and self.tls_check_hostname,
            **common,
        )
