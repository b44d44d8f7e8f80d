"""Who waits is told when the file has changed: at once of what this process wrote, soon of what others did.

SQLite cannot call a process that waits. A thread, which runs only while somebody waits, asks the file for its
``data_version`` every few milliseconds: a look into shared memory, some three microseconds, and nothing is read from
the tables or written. What this process writes itself is signalled and need not wait for the next look.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from huey_core.backends.callbacks import call_watchers
from huey_core.exceptions import QueueException

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Changes"]

_LINGER: Final = 1.0
"""Seconds for which the thread stays when nobody waits any more, since a consumer will soon wait again."""

Callbacks: TypeAlias = "dict[Hashable, dict[object, Callable[[], None]]]"
"""Those to call, each under a key of its own, by what they wait for."""


class Changes:
    """The callbacks of those who wait, by what they wait for.

    Args:
        look: Returns something that is different after another process, or this one, has written to the file.
        interval: Seconds between two looks.
    """

    def __init__(self, look: Callable[[], object], interval: float) -> None:
        self._look = look
        self._interval = interval
        self._closed = False
        self.forget()

    def forget(self) -> None:
        """Begin anew in a child process, where neither the thread nor those who waited exist."""
        self._condition = threading.Condition()
        self._callbacks: Callbacks = {}
        self._signalled: set[Hashable] = set()
        self._thread: threading.Thread | None = None

    def watch(self, topic: Hashable, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever the topic was signalled or the file has changed, until the returned function is called.

        Raises:
            QueueException: This was closed.
        """
        token = object()

        def end() -> None:
            with self._condition:
                callbacks = self._callbacks.get(topic, {})
                callbacks.pop(token, None)
                if not callbacks:
                    self._callbacks.pop(topic, None)

        with self._condition:
            if self._closed:
                raise QueueException("the file was closed by this program, so nothing can be waited for any more")
            self._callbacks.setdefault(topic, {})[token] = callback
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="huey-sqlite-changes", daemon=True)
                self._thread.start()
            self._condition.notify()
        return end

    def signal(self, topic: Hashable) -> None:
        """Say that this process has written what the topic stands for."""
        if not self._callbacks:
            return
        with self._condition:
            if topic in self._callbacks:
                self._signalled.add(topic)
                self._condition.notify()

    def close(self) -> None:
        """Call everybody a last time, so that who waits looks again and gets an error, and forget them."""
        with self._condition:
            self._closed = True
            callbacks, self._callbacks = self._callbacks, {}
            self._condition.notify()
        self._call(callbacks)

    def _run(self) -> None:
        seen: object = None
        next_look = 0.0
        while True:
            with self._condition:
                pause = next_look - time.monotonic() if self._callbacks else _LINGER
                if pause > 0 and not self._signalled:
                    self._condition.wait(pause)
                if not self._callbacks and pause == _LINGER:
                    self._thread = None
                    return
                told = {topic: self._callbacks[topic] for topic in self._signalled if topic in self._callbacks}
                self._signalled.clear()
            if time.monotonic() >= next_look:
                version = self._version()
                next_look = time.monotonic() + self._interval
                if version is None or version != seen:
                    seen, told = version, self._callbacks
            self._call(told)

    def _version(self) -> object:
        try:
            return self._look()
        except Exception:  # noqa: BLE001 - those who wait look for themselves then, and get the error
            return None

    def _call(self, told: Callbacks) -> None:
        with self._condition:
            callbacks = [callback for waiting in told.values() for callback in waiting.values()]
        call_watchers(callbacks)
