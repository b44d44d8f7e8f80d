"""A space: what a server is to other backends. Queues and stores of one space see each other, under one lock.

An :class:`Access` to it is what a connection is elsewhere, so that a test in memory shows what closing one does.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from huey_core.backends import PerProcess, ProcessLock, call_watchers
from huey_core.exceptions import QueueException
from huey_memory._collections import ExpiringDict
from huey_memory._messages import Messages
from huey_memory.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Access", "Drawer", "Line", "Space"]


class Line:
    """One queue of a space: its messages, and the condition on which claims wait for them."""

    def __init__(self, lock: ProcessLock) -> None:
        self.messages: Final = Messages()
        self.changed: Final = PerProcess(lambda: threading.Condition(lock()))


class Drawer:
    """One data store of a space: its values, and the callbacks of those who watch a key."""

    def __init__(self) -> None:
        self.values: Final[ExpiringDict[bytes]] = ExpiringDict()
        self._watchers: dict[str, dict[object, Callable[[], None]]] = {}

    def put(self, key: str, value: bytes, now: float, until: float | None) -> list[Callable[[], None]]:
        """Store a value, and return those whom ``call_watchers`` has to tell once the lock is free."""
        self.values.set(key, value, now, until)
        return list(self._watchers.get(key, {}).values())

    def watch(self, key: str, token: object, callback: Callable[[], None]) -> None:
        """Begin to watch a key, under a token that ends it."""
        self._watchers.setdefault(key, {})[token] = callback

    def unwatch(self, key: str, token: object) -> None:
        """End a watch; ending it twice is no error."""
        watchers = self._watchers.get(key, {})
        watchers.pop(token, None)
        if not watchers:
            self._watchers.pop(key, None)


class Space:
    """The memory that queues and data stores share, guarded by one lock, which makes every step across them atomic.

    :meth:`named` finds the one that everybody in this process gets for a name and a clock.

    Args:
        clock: What decides due times, leases and times to live.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock: Final = clock
        self.lock: Final = ProcessLock()
        self._lines: dict[str, Line] = {}
        self._drawers: dict[str, Drawer] = {}

    @classmethod
    def named(cls, name: str = "", clock: Clock = SYSTEM_CLOCK) -> Space:
        """Return the space of this name and clock, the same one in the whole process."""
        with clock.lock:
            space = clock.spaces.get(name)
            if not isinstance(space, cls):
                space = clock.spaces[name] = cls(clock)
            return space

    def line(self, name: str) -> Line:
        """Return the queue of this name."""
        with self.lock:
            if name not in self._lines:
                self._lines[name] = Line(self.lock)
            return self._lines[name]

    def names_in_use(self) -> list[str]:
        """The names of the queues that have messages or are paused, sorted. The caller holds the lock."""
        return sorted(name for name, line in self._lines.items() if line.messages.paused or line.messages)

    def drawer(self, name: str) -> Drawer:
        """Return the data store of this name."""
        with self.lock:
            if name not in self._drawers:
                self._drawers[name] = Drawer()
            return self._drawers[name]

    def clear(self) -> None:
        """Forget every message and every value. Queues and stores that are in use stay usable."""
        with self.lock:
            for line in self._lines.values():
                line.messages.clear()
                line.messages.paused = False
            for drawer in self._drawers.values():
                drawer.values.clear()

    def look_again(self) -> None:
        """Let every claim that waits look whether something has fallen due."""
        with self.lock:
            for line in self._lines.values():
                line.changed().notify_all()


class Access:
    """A way into a space: holding it holds the space's lock, and those who share it are closed together.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self.space: Final = space
        self._closed = False
        self._watches: dict[object, tuple[Drawer, str, Callable[[], None]]] = {}

    def __enter__(self) -> None:
        self.space.lock().acquire()
        try:
            self.check_open()
        except QueueException:
            self.space.lock().release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.space.lock().release()

    def check_open(self) -> None:
        """Raise when this was closed, be it by another thread while the holder of the lock waited for a condition.

        Raises:
            QueueException: It was.
        """
        if self._closed:
            raise QueueException("this way into the memory was closed by this program, and is of no more use")

    def watch(self, drawer: Drawer, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch a key until the returned function is called, or until this is closed."""
        token = object()
        with self:
            drawer.watch(key, token, callback)
            self._watches[token] = (drawer, key, callback)

        def end_watch() -> None:
            with self.space.lock:
                drawer.unwatch(key, token)
                self._watches.pop(token, None)

        return end_watch

    def close(self) -> None:
        """Let every use raise from now on, end the waits and call every watch a last time."""
        with self.space.lock:
            self._closed = True
            watches, self._watches = self._watches, {}
            for token, (drawer, key, _) in watches.items():
                drawer.unwatch(key, token)
        self.space.look_again()
        call_watchers(callback for _, _, callback in watches.values())
