"""Who waits is told when the file has changed: at once of what this process wrote, soon of what others did.

SQLite cannot call a process that waits. A thread, which runs only while somebody waits, asks the file for its
``data_version`` every few milliseconds: a look into shared memory, some three microseconds, and nothing is read from
the tables or written. What this process writes itself is signalled and need not wait for the next look.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from huey_core.backends import PerProcess, call_watchers
from huey_core.exceptions import QueueException

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Changes"]

_LINGER: Final = 1.0
"""Seconds for which the thread stays when nobody waits any more, since a consumer will soon wait again."""

Callbacks: TypeAlias = "dict[Hashable, dict[object, Callable[[], None]]]"
"""Those to call, each under a key of its own, by what they wait for."""


class _Waiting:
    """Who waits in one process, and the thread that looks for them.

    Attributes:
        condition: Guards the others, and wakes the thread.
        callbacks: Those who wait.
        signalled: What this process wrote since the thread has looked.
        thread: ``None`` when there is none.
    """

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.callbacks: Callbacks = {}
        self.signalled: set[Hashable] = set()
        self.thread: threading.Thread | None = None


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
        # In a child neither the thread of its parent nor those who waited there exist.
        self._waiting = PerProcess(_Waiting)

    def watch(self, topic: Hashable, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever the topic was signalled or the file has changed, until the returned function is called.

        Raises:
            QueueException: This was closed.
        """
        token = object()
        waiting = self._waiting()

        def end() -> None:
            with waiting.condition:
                callbacks = waiting.callbacks.get(topic, {})
                callbacks.pop(token, None)
                if not callbacks:
                    waiting.callbacks.pop(topic, None)

        with waiting.condition:
            if self._closed:
                raise QueueException("the file was closed by this program, so nothing can be waited for any more")
            waiting.callbacks.setdefault(topic, {})[token] = callback
            if waiting.thread is None:
                waiting.thread = threading.Thread(
                    target=self._run, args=(waiting,), name="huey-sqlite-changes", daemon=True
                )
                waiting.thread.start()
            waiting.condition.notify()
        return end

    def signal(self, topic: Hashable) -> None:
        """Say that this process has written what the topic stands for."""
        waiting = self._waiting()
        if not waiting.callbacks:
            return
        with waiting.condition:
            if topic in waiting.callbacks:
                waiting.signalled.add(topic)
                waiting.condition.notify()

    def close(self) -> None:
        """Call everybody a last time, so that who waits looks again and gets an error, and forget them."""
        waiting = self._waiting()
        with waiting.condition:
            self._closed = True
            callbacks, waiting.callbacks = waiting.callbacks, {}
            waiting.condition.notify()
        _call(waiting, callbacks)

    def _run(self, waiting: _Waiting) -> None:
        seen: object = None
        next_look = 0.0
        while True:
            with waiting.condition:
                pause = next_look - time.monotonic() if waiting.callbacks else _LINGER
                if pause > 0 and not waiting.signalled:
                    waiting.condition.wait(pause)
                if not waiting.callbacks and pause == _LINGER:
                    waiting.thread = None
                    return
                told = {topic: waiting.callbacks[topic] for topic in waiting.signalled if topic in waiting.callbacks}
                waiting.signalled.clear()
            if time.monotonic() >= next_look:
                version = self._version()
                next_look = time.monotonic() + self._interval
                if version is None or version != seen:
                    seen, told = version, waiting.callbacks
            _call(waiting, told)

    def _version(self) -> object:
        try:
            return self._look()
        except Exception:  # noqa: BLE001 - those who wait look for themselves then, and get the error
            return None


def _call(waiting: _Waiting, told: Callbacks) -> None:
    with waiting.condition:
        callbacks = [callback for tokens in told.values() for callback in tokens.values()]
    call_watchers(callbacks)
