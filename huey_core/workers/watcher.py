"""A thread that calls functions when their time has come, for the time limits of commands."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from huey_core.backends.forking import PerProcess
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watcher", "watcher"]

log: Final = get_logger(__name__)

_NEVER: Final = float("inf")


class Watcher:
    """Calls a function for each of those that it watches, if they are not forgotten before their time.

    It has one thread, which is started when it is first needed. As many are watched as commands run at once, so it
    looks at all of them when a time has come.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._watched: dict[object, tuple[float, Callable[[], object]]] = {}
        self._next = _NEVER
        self._is_started = False

    def watch(self, who: object, until: float, call: Callable[[], object]) -> None:
        """Call a function in a thread of its own at a time of the monotonic clock; it replaces what ``who`` had before.

        Raises:
            RuntimeError: The thread cannot be started.
        """
        with self._changed:
            if not self._is_started:
                threading.Thread(target=self._run, name="huey-watcher", daemon=True).start()
                self._is_started = True
            self._watched[who] = until, call
            if until < self._next:
                self._next = until
                self._changed.notify()

    def forget(self, who: object) -> None:
        """Do not call what is watched for ``who``, unless that has begun."""
        with self._changed:
            self._watched.pop(who, None)

    def _run(self) -> None:
        while True:
            for call in self._wait():
                try:
                    call()
                except Exception:
                    log.exception("a time limit could not be enforced")

    def _wait(self) -> list[Callable[[], object]]:
        """Wait until the next time has come, if it has not, and return what is to be called now."""
        with self._changed:
            pause = self._next - time.monotonic()
            if pause > 0:
                self._changed.wait(None if pause == _NEVER else min(pause, threading.TIMEOUT_MAX))
            now = time.monotonic()
            due = [who for who, (until, _) in self._watched.items() if until <= now]
            calls = [self._watched.pop(who)[1] for who in due]
            self._next = min((until for until, _ in self._watched.values()), default=_NEVER)
            return calls


watcher: Final = PerProcess(Watcher)
"""The one of this process."""
