"""A file whose age says whether a consumer is healthy: for supervisors that can look at files only."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huey_core.consumer.supervision import Service
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.consumer.policy import Policy

__all__ = ["HealthFile"]

log: Final = get_logger(__name__)

_LAST_TOUCH: Final = 1.0
"""Seconds for which a stop waits for a touch that hangs, as on a file system that is away."""

_LARGEST: Final = 4096
"""Bytes: no health file is larger."""


class HealthFile(Service):
    """Touches a file once in so many seconds while the consumer is healthy, and removes it when that has stopped.

    It holds a line of JSON that says whose it is and how often it is touched, for ``huey health --file``.

    Args:
        path: The file.
        interval: How often, in seconds.
        name: Says what the consumer is called in this process.
        is_healthy: Says whether to touch it.
        policy: What is no setting.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        interval: float,
        name: Callable[[], str],
        is_healthy: Callable[[], bool],
        policy: Policy,
    ) -> None:
        super().__init__("health-file", "the touching of the health file", policy)
        self._path = Path(path)
        self._interval = interval
        self._name = name
        self._is_healthy = is_healthy
        self._is_failing = False

    def prepare(self) -> None:
        """Remove what another consumer has left there, which would pass for a heartbeat of this one.

        Raises:
            ConfigurationError: The file could not be written, is no regular file, such as ``/dev/null``, or holds
                something else, which would be lost.
        """
        if self._path.exists() and not self._path.is_file():
            raise ConfigurationError(f"HEALTH_FILE must be a regular file, which {self._path} is not")
        try:
            if self._path.exists() and not _is_health_file(self._path):
                raise ConfigurationError(
                    f"HEALTH_FILE would replace {self._path}, which no consumer has written: name another file"
                )
            self._write()
            self._path.unlink()
        except OSError as error:
            raise ConfigurationError(f"HEALTH_FILE cannot be written: {error}") from error

    def remove(self) -> None:
        """End the thread, and remove the file."""
        self.stop()
        if self.is_alive():
            self.join(_LAST_TOUCH)
        with suppress(OSError):
            self._path.unlink()

    def _work(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self._interval
            if not self._is_healthy():
                continue
            try:
                self._touch()
            except OSError as error:
                if not self._is_failing:
                    log.error("the health file cannot be touched, trying again and again: %s", error_line(error))
                self._is_failing = True
            else:
                self._is_failing = False

    def _touch(self) -> None:
        try:
            os.utime(self._path)
        except FileNotFoundError:
            self._write()

    def _write(self) -> None:
        facts = {"consumer": self._name(), "pid": os.getpid(), "heartbeat": self._interval}
        self._path.write_text(json.dumps(facts) + "\n")


def _is_health_file(path: Path) -> bool:
    """Whether a consumer has written the file, or a write that was cut short has left it empty."""
    if path.stat().st_size > _LARGEST:
        return False
    try:
        text = path.read_text()
        facts = json.loads(text) if text else {"heartbeat": None}
    except ValueError:
        return False
    return isinstance(facts, dict) and "heartbeat" in facts
