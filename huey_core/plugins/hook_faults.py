"""What plugins do amiss in observing hooks: they raise, or take long. It is counted, and logged once a minute at most.

The counts are for an operator: a consumer logs them when it stops, and ``huey doctor`` shows those of every consumer
that is alive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from huey_core.backends.forking import ProcessLock
from huey_core.hookspecs import SLOW
from huey_core.safe_logging import get_logger
from huey_core.snapshot import HookFaults
from huey_core.text import times

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SLOW_HOOK", "HookFaultLog"]

logger = get_logger(__name__)

SLOW_HOOK: Final = 0.1
"""Seconds above which an observer counts as slow, unless its manager says otherwise."""

_REPORT_INTERVAL: Final = 60.0


class HookFaultLog:
    """Counts the faults of all plugins, from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = ProcessLock()
        self._faults: dict[tuple[str, str], HookFaults] = {}
        self._last_reports: dict[tuple[str, str, str], float] = {}

    def raised(self, plugin: str, hook: str, error: BaseException) -> None:
        """Count an exception, and log it with its traceback."""
        with self._lock:
            faults = self._of(plugin, hook)
            faults.errors += 1
            count = faults.errors
            if not self._may_report(plugin, hook, "raised"):
                return
        logger.error("plugin %s failed in %s, %s so far", plugin, hook, times(count), exc_info=error)

    def delayed(self, plugin: str, hook: str, seconds: float) -> None:
        """Count a call that took long, and log what that means."""
        with self._lock:
            faults = self._of(plugin, hook)
            faults.delays += 1
            faults.seconds += seconds
            faults.longest = max(faults.longest, seconds)
            count = faults.delays
            if not self._may_report(plugin, hook, "delayed"):
                return
        logger.warning(
            "plugin %s took %.3f s in %s, slow %s so far: %s", plugin, seconds, hook, times(count), SLOW[hook]
        )

    def all(self) -> list[HookFaults]:
        """What was counted so far, by plugin and hook."""
        with self._lock:
            return [replace(self._faults[key]) for key in sorted(self._faults)]

    def _of(self, plugin: str, hook: str) -> HookFaults:
        return self._faults.setdefault((plugin, hook), HookFaults(plugin, hook))

    def _may_report(self, plugin: str, hook: str, kind: str) -> bool:
        key, now = (plugin, hook, kind), self._clock()
        if now - self._last_reports.get(key, float("-inf")) < _REPORT_INTERVAL:
            return False
        self._last_reports[key] = now
        return True
