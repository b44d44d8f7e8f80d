"""An application as it is deployed: a server, consumers in processes of their own, and what they leave behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

__all__ = ["APP", "ConsumerProcess", "Deployment", "Entry", "await_condition", "whole_lines"]

APP = Path(__file__).parent.parent / "e2e" / "app"
SHIFTED_CLOCK = APP.parent / "shifted_clock"


def await_condition(condition: Callable[[], Any], what: str, timeout: float = 60.0) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: It does not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.01)


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that other processes append to, if it is there.

    A reader can see a part of what one call writes, so what does not end with a line's end is still being written.
    """
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []


@dataclass(frozen=True)
class Entry:
    """A line of the journal that the application's commands write.

    ``at`` is the monotonic clock of the machine, and ``due`` the time of a tick, by the clock of the queue.
    """

    event: Literal["started", "finished"]
    command: str
    task_id: str
    attempt: int
    pid: int
    parent: int
    at: float
    due: float | None = None


class ConsumerProcess:
    """A consumer in a process of its own.

    Args:
        command: The command line.
        environment: Its whole environment.
        log: A file for what it prints.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=APP,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for the tests.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def await_ready(self, times: int = 1) -> None:
        """Wait until it has reported that it is ready, so many times in all."""
        await_condition(
            lambda: self.log().count(" ready\n") >= times or self._process.poll() is not None, "the consumer is ready"
        )
        assert self._process.poll() is None, self.log()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would, and wait until it has ended."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self, timeout: float = 60.0) -> int:
        """Wait until it has ended by itself, and return its exit code; negative for the signal that ended it."""
        return self._process.wait(timeout)

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text()

    def log_lines(self, *texts: str) -> list[str]:
        """The lines that contain one of the texts."""
        return [line for line in self.log().splitlines() if any(text in line for text in texts)]

    def peak_memory(self) -> int:
        """The most memory that it has held so far, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


class Deployment:
    """The application of ``tests/e2e/app`` with a queue of its own.

    Args:
        url: The URL of the queue.
        folder: An empty folder for the journal and the logs.

    Attributes:
        main: The application's module as a producer imports it.
        environment: What the application finds in its environment.
        policy: What the policy of consumers that are started from now on has, other than usual.
        constants: What constants of consumers that are started from now on are to be, by their dotted names.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.environment = {"HUEY_URL": url, "E2E_FOLDER": str(folder)}
        self.policy: dict[str, float] = {}
        self.constants: dict[str, float] = {}
        self._consumers: list[ConsumerProcess] = []
        self.main = self._load()

    @property
    def invoker(self) -> Any:
        """The producer's invoker."""
        return self.main.invoker

    @property
    def queue(self) -> Any:
        """The queue, as the producer sees it."""
        return self.main.invoker.queue

    def launch(
        self,
        *options: str,
        configuration: str = "main.Configuration",
        program: tuple[str, ...] = (sys.executable, "-m", "huey_core", "consumer"),
        clock_offset: float | None = None,
    ) -> ConsumerProcess:
        """Start a consumer and return at once.

        Args:
            options: Options of the command line.
            configuration: The path of the configuration.
            program: The consumer's program.
            clock_offset: Seconds by which its clock is wrong; ``None`` for the machine's clock.
        """
        given = {"E2E_CONSTANTS": json.dumps(self.constants), "E2E_POLICY": json.dumps(self.policy)}
        environment = os.environ | self.environment | given
        if clock_offset is not None:
            environment |= {"E2E_CLOCK_OFFSET": str(clock_offset), "PYTHONPATH": str(SHIFTED_CLOCK)}
        log = self.folder / f"consumer-{len(self._consumers) + 1}.log"
        consumer = ConsumerProcess([*program, configuration, *options], environment, log)
        self._consumers.append(consumer)
        return consumer

    def start(self, *options: str, **settings: Any) -> ConsumerProcess:
        """Start a consumer, and wait until it is ready; see :meth:`launch`."""
        consumer = self.launch(*options, **settings)
        consumer.await_ready()
        return consumer

    def journal(self, event: str | None = None, command: str | None = None) -> list[Entry]:
        """What commands have noted so far, of one event or of one command where it is given."""
        entries = [Entry(**json.loads(line)) for line in whole_lines(self.folder / "journal")]
        return [one for one in entries if event in {None, one.event} and command in {None, one.command}]

    def asked(self) -> dict[int, set[str]]:
        """The minutes, such as ``"12:05"``, for which each process was asked whether to run the periodic command."""
        minutes: dict[int, set[str]] = {}
        for line in whole_lines(self.folder / "asked"):
            pid, minute = line.split()
            minutes.setdefault(int(pid), set()).add(minute)
        return minutes

    def await_started(self, task_id: str, attempt: int = 1, timeout: float = 60.0) -> Entry:
        """Wait until an attempt of a command has started, and return what it noted."""

        def starts() -> list[Entry]:
            return [one for one in self.journal("started") if (one.task_id, one.attempt) == (task_id, attempt)]

        await_condition(starts, f"attempt {attempt} of the command has started", timeout)
        return starts()[-1]

    def let_go(self, name: str) -> None:
        """Let the commands ``wait_for_file(name)`` end."""
        (self.folder / name).touch()

    def close(self) -> None:
        """End every consumer that still runs."""
        for consumer in self._consumers:
            consumer.kill()
        self.main.invoker.close()

    def _load(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("main", APP / "main.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            spec.loader.exec_module(module)
        return module
