"""``run_huey --reload``: Django's reloader watches the files, and a change is a SIGHUP to this process.

Django's own ``run_with_reloader`` ends the process wherever it is, which would cut running commands off. A SIGHUP lets
them finish and starts the same command line again. What could not start, such as a file that is half written or a
setting that is misspelt, is tried in another process first, and until it is fixed the consumer goes on with what it
has.

What is saved between that and the new start, or is broken when the command is called, finds nobody who could go on. The
start then shows what is wrong and waits for the next change. A file that is broken may be the settings, of which the
command itself has need, so it is :func:`launch` that starts again, and it needs nothing of the project.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.utils import autoreload

from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CodeWatch", "launch", "start_again", "start_or_wait"]

log: Final = get_logger(__name__)

SETUP: Final = "import django; django.setup(); "

CHECK: Final = (
    SETUP + "from django.core.management import execute_from_command_line as run; run(['manage.py', 'check'])"
)
"""What a start does before it runs anything: the checks, among which ours import the commands."""

LOAD: Final = SETUP + (
    "from huey_django.consumers import invokers_to_serve; from huey_django.discovery import autodiscover; "
    "invokers_to_serve(); autodiscover()"
)
"""What it does without checks."""


LAUNCH: Final = "from huey_django.reload import launch; launch()"
"""A program that runs another, whose command line follows."""

_CLOCKS: Final = 0.1
"""Seconds by which the time of a file may be behind that of this process."""

_loaded = threading.Event()


class CodeWatch:
    """Restarts this process gracefully when its code has changed. Starts and stops with the consumers.

    It is made when the project has been loaded.

    Args:
        checks: Whether a start runs the system checks, as it does without ``--skip-checks``.
    """

    def __init__(self, *, checks: bool = True) -> None:
        _loaded.set()
        self._trial = CHECK if checks else LOAD

    def start(self) -> None:
        """Begin to watch, in a thread."""
        autoreload.file_changed.connect(self._keep_what_works)
        threading.Thread(target=self._watch, name="huey-reload", daemon=True).start()

    def stop(self, reason: str) -> None:
        """Do nothing: what changes now is loaded at the next start."""

    def stop_now(self) -> None:
        """Do nothing."""

    def is_healthy(self) -> bool:
        """Say that it is: no command needs it."""
        return True

    def when_stopped(self, call: Callable[[], object]) -> None:
        """Do nothing: it ends with the process."""

    def _watch(self) -> None:
        reloader = autoreload.get_reloader()
        for app in apps.get_app_configs():
            # A new module is not among those that were imported.
            reloader.watch_dir(app.path, "*.py")
        log.info("watching for changed files with %s", type(reloader).__name__)
        try:
            reloader.run(threading.main_thread())
        except SystemExit:
            # How Django's reloader says that a file has changed.
            os.kill(os.getpid(), signal.SIGHUP)

    def _keep_what_works(self, *, file_path: Path, **_: Any) -> bool:
        """Told of a changed file, say whether that was enough: Django does not reload what somebody has dealt with."""
        if file_path.suffix != ".py" or self._would_start():
            return False
        log.error("%s has changed, and the project cannot be loaded; going on with what was loaded before", file_path)
        return True

    def _would_start(self) -> bool:
        """Whether the project could start as it is now; what is wrong goes to standard error."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-c", self._trial]
        return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603


def start_or_wait(start: Callable[[], None]) -> None:
    """Start, and where the project cannot be loaded, show why and start this process again when a file has changed.

    Args:
        start: Starts the consumers, and returns or raises when they have ended.

    Raises:
        BaseException: What ``start`` raised after the project was loaded, or because the command line is wrong.
    """
    began = time.time()
    try:
        start()
    except SystemExit as error:
        if _loaded.is_set() or error.code in {None, 0, 2}:
            raise
    except Exception:
        if _loaded.is_set():
            raise
        traceback.print_exc()
    else:
        return
    sys.stderr.write("The project cannot be loaded. Waiting for a file to change.\n")
    sys.stderr.flush()
    # What was saved during the attempt may be what fixes it, and costs one more attempt if it is not.
    while not any(time_of > began - _CLOCKS for time_of in map(_changed, _files())):
        time.sleep(0.25)
    start_again()


def start_again() -> None:
    """Execute this process's command line again. What cannot be loaded then is waited for."""
    flags, program = _command_line(sys.orig_argv, sys.argv)
    if all(flag.startswith("-") or before in {"-X", "-W"} for before, flag in pairwise(["", *flags])):
        flags = [*flags, "-c", LAUNCH]
    # Another program runs this one, such as coverage, and would not run the launcher.
    os.execv(sys.executable, [sys.executable, *flags, *program])  # noqa: S606 - the arguments are our own


def launch() -> None:
    """Run the program on this process's command line as Python would, and wait if it cannot load the project."""
    # In place of the folder of this program comes that of the other.
    sys.argv[:] = sys.argv[1:]
    if sys.argv[0] == "-m":
        name = sys.argv[1]
        del sys.argv[0]
        start_or_wait(lambda: _discard(runpy.run_module(name, run_name="__main__", alter_sys=True)))
    else:
        script = sys.argv[0]
        if not sys.flags.safe_path:
            sys.path[0] = str(Path(script).resolve().parent)
        start_or_wait(lambda: _discard(runpy.run_path(script, run_name="__main__")))


def _discard(names: object) -> None:
    """Ignore what a program has defined."""


def _command_line(original: list[str], arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split what Python was called with into options of Python, and a program with its arguments."""
    if LAUNCH in original:
        index = original.index(LAUNCH)
        return original[1 : index - 1], original[index + 1 :]
    # Of a script that is all of sys.argv, of a module all but the first.
    index = len(original) - len(arguments)
    if original[index:] == arguments:
        return original[1:index], original[index:]
    if original[index].startswith("-m"):
        return original[1:index], ["-m", original[index][2:], *original[index + 1 :]]
    return original[1 : index - 1], original[index - 1 :]


def _files() -> set[Path]:
    """The files of which a change may fix what could not be loaded: those that were, and all beside them."""
    found = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    folders = {file.parent for file in found} | {Path(path) for path in sys.path if path}
    return found.union(*(folder.glob("*.py") for folder in folders))


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
