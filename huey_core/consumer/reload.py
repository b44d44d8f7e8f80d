"""``huey consumer --reload``: runs the consumer in a child process, and a new one whenever its source has changed.

The supervisor imports nothing of the application, so no mistake there can end it. The child is the same command line
once more, and knows by its environment that it is one. It is ended by SIGTERM, and so finishes what runs. One that
cannot start shows why, and the next change is waited for.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from huey_core.consumer.signals import LOOKS_EVERY, SignalHandlers, check_platform
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import FrameType

__all__ = ["Reloader", "end_with_supervisor", "is_supervised", "source_changes"]

log: Final = get_logger(__name__)

_SUPERVISOR: Final = "_HUEY_RELOADER"
"""The variable with the process id of the supervisor. What a command starts inherits it, and is no child of that."""

_WRONG_COMMAND_LINE: Final = 2
"""The exit code of a child that no change of source can help."""


def is_supervised() -> bool:
    """Whether this process is the child of a supervisor."""
    return os.environ.get(_SUPERVISOR) == str(os.getppid())


def end_with_supervisor() -> None:
    """Have this process end as SIGTERM ends it when its supervisor has ended without a word, as after SIGKILL."""
    supervisor = os.getppid()

    def watch() -> None:
        wait = threading.Event().wait
        while os.getppid() == supervisor:
            wait(LOOKS_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="huey-supervisor", daemon=True).start()


def source_changes(directories: Sequence[Path], stop: threading.Event) -> Iterable[list[str]]:
    """Wait for changes of the files of Python below some directories; virtual environments and the like are left out.

    Args:
        directories: The directories.
        stop: Ends the iteration when it is set.

    Returns:
        The paths of the files that have changed at the same time, again and again.

    Raises:
        ConfigurationError: What watches files is not installed.
    """
    try:
        watchfiles: Any = importlib.import_module("watchfiles")
    except ImportError as error:
        raise ConfigurationError(
            "--reload needs watchfiles, which is not installed: pip install 'huey-core[reload]'"
        ) from error
    found = watchfiles.watch(
        *directories, watch_filter=watchfiles.PythonFilter(), stop_event=stop, raise_interrupt=False
    )
    return (sorted(path for _, path in changes) for changes in found)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A child has ended."""

    code: int


@dataclass(frozen=True, slots=True)
class _Changed:
    """Files have changed."""

    paths: list[str]


@dataclass(frozen=True, slots=True)
class _Failed:
    """The files cannot be watched any more."""

    error: BaseException


class Reloader:
    """Supervises a program that is started again when its source has changed.

    Args:
        command: The program and its arguments.
        changes: Yields the paths of changed files, until the event that it is given is set.

    Raises:
        Unsupported: The platform lacks the signals by which the program is ended, as Windows does.
    """

    def __init__(self, command: Sequence[str], changes: Callable[[threading.Event], Iterable[list[str]]]) -> None:
        check_platform()
        self._command = list(command)
        self._changes = changes
        self._events: SimpleQueue[_Ended | _Changed | _Failed | int] = SimpleQueue()
        self._is_over = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._starts_again = self._is_stopping = False
        self._passed_on = 0

    def run(self) -> int:
        """Run the program until a signal to end comes, or it has ended by itself. Must be called in the main thread.

        Returns:
            The exit code: that of the program, or 1 when a signal has killed it or its source cannot be watched.
        """
        changes = self._changes(self._is_over)
        handlers = SignalHandlers(self._note)
        try:
            threading.Thread(target=self._watch, args=(changes,), name="huey-reload", daemon=True).start()
            self._start()
            while (code := self._obey(self._next())) is None:
                pass
            return code
        finally:
            self._is_over.set()
            handlers.put_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._events.put(number)

    def _next(self) -> _Ended | _Changed | _Failed | int:
        while True:
            # The system may hand a signal to another thread, and nothing wakes this one then.
            try:
                return self._events.get(timeout=LOOKS_EVERY)
            except Empty:
                continue

    def _obey(self, event: _Ended | _Changed | _Failed | int) -> int | None:
        """Do what an event asks for, and return the exit code if it is the last."""
        match event:
            case _Ended(code):
                self._child = None
                return self._follow(code)
            case _Changed(paths):
                more = f" and {counted(len(paths) - 1, 'other file')}" if len(paths) > 1 else ""
                self._restart(f"{os.path.relpath(paths[0])}{more} changed")
            case _Failed(error):
                log.error("files cannot be watched: %s", error_line(error))
                return self._end(signal.SIGTERM, code=1)
            case signal.SIGHUP:
                self._restart("SIGHUP")
            case number:
                return self._end(number, code=0)
        return None

    def _follow(self, code: int) -> int | None:
        if self._is_stopping:
            # Before it can handle a signal, that ends it by itself.
            return 0 if code == -self._passed_on else code if code >= 0 else 1
        if self._starts_again:
            self._start()
        elif code in {0, _WRONG_COMMAND_LINE}:
            return code
        else:
            how = f"with exit code {code}" if code > 0 else f"by {signal.Signals(-code).name}"
            log.error("the consumer ended %s; waiting for a file to change", how)
        return None

    def _restart(self, reason: str) -> None:
        if self._is_stopping or self._starts_again:
            # What has changed since is loaded at the start that comes.
            return
        if self._child is None:
            log.info("%s: starting the consumer", reason)
            self._start()
            return
        log.info("%s: starting the consumer again when it has finished what runs", reason)
        self._starts_again = True
        self._child.send_signal(signal.SIGTERM)

    def _end(self, number: int, code: int) -> int | None:
        """Pass a signal on, and return the exit code where nothing runs."""
        self._is_stopping, self._passed_on = True, number
        if self._child is None:
            return code
        self._child.send_signal(number)
        return None

    def _start(self) -> None:
        self._starts_again = False
        environment = {**os.environ, _SUPERVISOR: str(os.getpid())}
        self._child = child = subprocess.Popen(self._command, env=environment)  # noqa: S603 - the arguments are our own
        wait = threading.Thread(target=lambda: self._events.put(_Ended(child.wait())), name="huey-child", daemon=True)
        wait.start()

    def _watch(self, changes: Iterable[list[str]]) -> None:
        try:
            for paths in changes:
                self._events.put(_Changed(paths))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread must not end without a word
            self._events.put(_Failed(error))
