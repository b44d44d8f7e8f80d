r"""A server of one's own for tests, demonstrations and benchmarks: a real one, gone when its block ends.

Subclass :class:`ServerProcess` and say how the server is started and how one sees that it answers. This is all of it
for a server that is configured by its arguments::

    import socket
    from contextlib import suppress
    from huey_testing.server_process import ServerProcess

    class KiteServer(ServerProcess):
        def arguments(self):
            return ["--bind", self.host, "--port", str(self.port), "--data", str(self.folder)]

        def answers(self):
            with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(b"PING\n")
                return connection.recv(5) == b"PONG\n"
            return False

        def url(self):
            return f"kite://{self.address}/"

    with KiteServer("/usr/bin/kited") as server:
        queue = open_backend(server.url()).queue("mail")

What every server is promised:

* it is told to listen on a free port of the loopback address and on nothing else;
* it has a folder of its own for data, configuration and log, which goes with it;
* it is signalled and killed by the ids of its own process and of that one's children, so that no other server can be
  meant and nothing of a server of several processes is left;
* when it does not start, the error shows the end of its log, and the log stays where the error says.

``start``, ``stop``, ``kill``, ``restart``, ``suspend`` and ``resume`` are the faults of which
:class:`~huey_testing.conformance.ServerConformance` is made. They reach the processes that the server starts as well.
One that is asked to end by another signal than SIGTERM says so::

    class PostgresServer(ServerProcess):
        stop_signal = signal.SIGINT

This module needs nothing but Python, and either ``/proc`` or the program ``ps`` for servers of several processes.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from huey_testing._process_family import Process, family_of, send, still_running

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["ServerProcess", "free_port"]

LOG_SHOWN: Final = 2000
"""Characters of the end of the log that an error shows."""


class ServerProcess(ABC):
    """A server process with a port and a folder, to be used in a ``with`` block.

    Args:
        binary: The server program.
        parent: Where the server's folder is made; by default among the temporary files.

    Attributes:
        port: The TCP port on :attr:`host`, or 0 when there is none yet. It stays the same over :meth:`restart`.
        folder: The server's folder. It is the working directory of the process.
    """

    host: ClassVar[str] = "127.0.0.1"
    """The only address on which a server may listen."""

    start_timeout: ClassVar[float] = 30.0
    """Seconds after which a server that does not answer is taken not to start."""

    stop_timeout: ClassVar[float] = 20.0
    """Seconds after which a server that was asked to end is killed."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """The signal by which the process that was started is asked to end, and to end its children."""

    def __init__(self, binary: str | Path, *, parent: str | Path | None = None) -> None:
        self.binary = Path(binary)
        self.port = 0
        self.folder = Path()
        self._parent = parent
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def arguments(self) -> Sequence[str]:
        """Return the arguments of the program, those for :attr:`host`, :attr:`port` and :attr:`folder` among them."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server can be used: look once, and for a second at most."""

    def prepare(self) -> None:
        """Write what the server needs into its folder, before each start. Does nothing by default."""

    @property
    def log(self) -> Path:
        """The file with what the process writes to its standard output and error, and its own log, if it likes."""
        return self.folder / "server.log"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, or ``None`` when the server is not running."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RuntimeError: It did not; the end of its log is in the message. The folder, with the log, stays until
                :meth:`close`.
        """
        if self._process is not None:
            return
        if not self.port:
            prefix = f"huey-{type(self).__name__.lower()}-"
            self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._parent))
            self.port = free_port()
        self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program is the caller's choice
                [self.binary, *self.arguments()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # An interrupt from the keyboard is for the tests, which then end the server in their own order.
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask the server to end, and kill what is left of it after :attr:`stop_timeout` seconds, its children too."""
        if self._process is None:
            return
        self.resume()
        family = family_of(self._process.pid)
        deadline = time.monotonic() + self.stop_timeout
        self._process.send_signal(self.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.stop_timeout)
        while still_running(family) and time.monotonic() < deadline:
            time.sleep(0.01)
        self._end(family)

    def kill(self) -> None:
        """End the server and its children at once with SIGKILL, as a crash would."""
        if self._process is not None:
            # What stands still can neither answer nor start another process while they are killed one by one.
            self._end(self._suspend())

    def restart(self) -> None:
        """Stop the server and start it again on the same port and with the same folder."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Stop all processes with SIGSTOP: connections stay open and nothing is answered, as behind a black hole."""
        self._suspend()

    def resume(self) -> None:
        """Let suspended processes run on."""
        if self._process is not None:
            send(signal.SIGCONT, family_of(self._process.pid))

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        if self.port:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.binary.name} on {self.address}>"

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_timeout
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                end_of_log = self.log.read_text(errors="replace")[-LOG_SHOWN:]
                raise RuntimeError(f"{self.binary} did not start; its log is {self.log}, and ends:\n{end_of_log}")
            time.sleep(0.01)

    def _suspend(self) -> list[Process]:
        """Suspend all processes and return them; again and again, until none was started meanwhile."""
        suspended: list[Process] = []
        while self._process is not None:
            new = [process for process in family_of(self._process.pid) if process not in suspended]
            if not new:
                break
            send(signal.SIGSTOP, new)
            suspended += new
        return suspended

    def _end(self, family: Sequence[Process]) -> None:
        """Kill what is left of the processes, and return when all are gone, so that their port is free."""
        process, self._process = self._process, None
        if process is None:
            return
        deadline = time.monotonic() + self.stop_timeout
        while still_running(family) and time.monotonic() < deadline:
            send(signal.SIGKILL, family)
            process.poll()
            time.sleep(0.005)
        process.wait()


def free_port() -> int:
    """Return a TCP port of the loopback address on which nobody listens.

    For a minute the system gives it to nobody who asks for any port, as other tests on the machine do. A server can
    listen on it if it sets ``SO_REUSEADDR``, which one that is to be restarted has to do anyway.
    """
    with socket.create_server((ServerProcess.host, 0)) as listener:
        port: int = listener.getsockname()[1]
        with socket.create_connection((ServerProcess.host, port)):
            # The side that closes first is the one on which the port stays known as that of a connection.
            listener.accept()[0].close()
        return port
