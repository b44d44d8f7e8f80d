"""``run_huey --reload``: Django's reloader watches the files, and a change is a SIGHUP to this process.

Django's own ``run_with_reloader`` ends the process wherever it is, which would cut running commands off. A SIGHUP lets
them finish and starts the same command line again. What could not start, such as a file that is half written or a
setting that is misspelt, is tried in another process first, and until it is mended the consumer goes on with what it
has.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.utils import autoreload

from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CodeWatch"]

log: Final = get_logger("huey_django")

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


class CodeWatch:
    """Restarts this process gracefully when its code has changed. Starts and stops with the consumers.

    Args:
        checks: Whether a start runs the system checks, as it does without ``--skip-checks``.
    """

    def __init__(self, *, checks: bool = True) -> None:
        self._trial = CHECK if checks else LOAD

    def start(self) -> None:
        """Begin to watch, in a thread."""
        autoreload.file_changed.connect(self._keep_what_works)
        threading.Thread(target=self._watch, name="huey-reload", daemon=True).start()

    def stop(self, reason: str) -> None:
        """Do nothing: what changes now is loaded at the next start."""

    def stop_now(self) -> None:
        """Do nothing."""

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
