"""``run_huey --reload``: Django's reloader watches the files, and a change is a SIGHUP to this process.

Django's own ``run_with_reloader`` ends the process wherever it is, which would cut running commands off. A SIGHUP lets
them finish and starts the same command line again. Code that cannot be loaded, such as a file that is half written, is
tried in another process first, and until it is mended the consumer goes on with what it has.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.utils import autoreload

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CodeWatch"]

log: Final = logging.getLogger("huey_django")

TRIAL: Final = "import django; django.setup(); from huey_django.discovery import autodiscover; autodiscover()"


class CodeWatch:
    """Restarts this process gracefully when its code has changed. Starts and stops with the consumers."""

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
        if file_path.suffix != ".py" or loads():
            return False
        log.error("%s has changed, and the project cannot be loaded; going on with what was loaded before", file_path)
        return True


def loads() -> bool:
    """Whether the project and its commands can be imported as they are now; what is wrong goes to standard error."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-P", "-c", TRIAL], env=environment, check=False).returncode == 0  # noqa: S603
