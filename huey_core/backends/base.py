"""The least that a backend must offer: a first-in-first-out queue of bytes, and bytes by key.

These two classes are what the original API promised to authors of backends, and a backend with nothing more works
end to end: delivery is then at most once, and the consumer says so when it starts. Every method beyond the original
has a default here that is correct, or that raises :class:`~huey_core.exceptions.Unsupported` where a correct default
is impossible.
"""

from __future__ import annotations

import enum
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from huey_core.backends.forking import randomness
from huey_core.exceptions import Unsupported
from huey_core.safe_logging import get_logger
from huey_core.text import is_users_interrupt
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from huey_core.backends.capabilities import Capability

__all__ = ["BaseDataStore", "BaseQueue", "EmptyData", "EmptyDataType", "call_watchers"]

log: Final = get_logger(__name__)


class EmptyDataType(enum.Enum):
    """The type of :data:`EmptyData`: an enumeration of one member, so that type checkers follow ``is``."""

    EMPTY = "EmptyData"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "EmptyData"


EmptyData: Final = EmptyDataType.EMPTY
"""What :meth:`BaseDataStore.get` returns for an absent key. Compare with ``is``: a stored ``b""`` is not empty."""


class BaseQueue(ABC):
    """A first-in-first-out queue of byte messages.

    Args:
        name: The queue's name. Different names never share messages, however alike they look.
        connection: What the backend needs to connect. No connection is made before the first call.

    Raises:
        ConfigurationError: The name is not valid Unicode.
    """

    blocking: ClassVar[bool] = False
    """Whether :meth:`read` waits for a message (for a bounded time) instead of returning at once."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """What this queue promises beyond the methods below."""

    def __init__(self, name: str, **connection: Any) -> None:
        check_unicode("the name of a queue", name)
        self.name = name
        self.connection = connection

    @abstractmethod
    def write(self, data: bytes) -> Any:
        """Append a message to the tail of the queue."""

    @abstractmethod
    def read(self) -> bytes | None:
        """Remove the message at the head and return it, or return ``None`` when the queue is empty."""

    @abstractmethod
    def flush(self) -> None:
        """Remove every message of this queue, with all that is kept about them, and nothing of any other queue.

        Messages only: a queue that is paused stays so.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Count the messages that wait to be read."""

    def __bool__(self) -> bool:
        # Without this, an empty queue would be false through __len__ and look like a queue that was not given.
        return True

    def sibling(self, name: str) -> Self:
        """Return a queue of another name at the same place.

        By default one that is made as this one was: of its name and its :attr:`connection`. A queue that needs more, or
        shares the connections of a backend, overrides this. It asks no server.
        """
        return type(self)(name, **self.connection)

    def wake(self) -> None:
        """End a :meth:`read` that waits in another thread, soon. Does nothing by default: reads are bounded."""

    def close(self) -> None:
        """Give back the connections that are this queue's own. Does nothing by default.

        A queue without its connections is of no more use: every call that needs them raises, and a claim that waits in
        another thread ends soon, with that error. One that shares the connections of a backend leaves them open and
        goes on to work; it ends with :meth:`Backend.close() <huey_core.backends.backend.Backend.close>`. Closing again
        does nothing.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class BaseDataStore(ABC):
    """Bytes by key: results of commands, and the consumer's own state.

    Args:
        name: The store's name. Different names never share keys, however alike they look.
        connection: What the backend needs to connect. No connection is made before the first call.

    Raises:
        ConfigurationError: The name is not valid Unicode.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    """What this store promises beyond :meth:`put`, :meth:`get` and :meth:`flush`."""

    poll_interval: ClassVar[tuple[float, float]] = (0.005, 0.5)
    """The shortest and the longest pause, in seconds, between two looks of the default :meth:`wait`."""

    def __init__(self, name: str, **connection: Any) -> None:
        check_unicode("the name of a data store", name)
        self.name = name
        self.connection = connection

    @abstractmethod
    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Store a value, replacing an earlier one.

        Args:
            key: Any text.
            value: Any bytes, ``b""`` included.
            ttl: Seconds after which the store forgets the value; ``None`` keeps it. A store without
                :attr:`Capability.TTL` is never called with one and may leave the parameter out.
        """

    @abstractmethod
    def get(self, key: str) -> bytes | EmptyDataType:
        """Remove a value and return it, or return :data:`EmptyData` when the key is absent."""

    @abstractmethod
    def flush(self) -> None:
        """Remove every key of this store, and nothing of any other."""

    def peek(self, key: str) -> bytes | EmptyDataType:
        """Return a value and leave it in place, or :data:`EmptyData`.

        Raises:
            Unsupported: Reading and putting back in two steps could lose the value, so there is no default.
        """
        raise self._unsupported("peek")

    def peek_many(self, keys: list[str]) -> list[bytes | EmptyDataType]:
        """Return the values of several keys in their order. By default one :meth:`peek` after another."""
        return [self.peek(key) for key in keys]

    def delete(self, key: str) -> bool:
        """Remove a key and say whether it was there."""
        return self.get(key) is not EmptyData

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value only if the key is absent, atomically, and say whether it was stored.

        Raises:
            Unsupported: An atomic default cannot be built from :meth:`put` and :meth:`get`.
        """
        raise self._unsupported("put_if_absent")

    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Replace a value only if it still equals ``old``, atomically, and say whether it was replaced.

        Raises:
            Unsupported: An atomic default cannot be built from :meth:`put` and :meth:`get`.
        """
        raise self._unsupported("replace_if_equal")

    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a counter that starts at 0, atomically, and return its new value.

        A value that was incremented reads back as its decimal digits in ASCII. ``ttl`` (seconds) is set afresh by
        every call that gives one.

        Raises:
            Unsupported: An atomic default cannot be built from :meth:`put` and :meth:`get`.
        """
        raise self._unsupported("increment")

    def increment_many(self, amounts: Mapping[str, int], ttl: float | None = None) -> dict[str, int]:
        """Add to several counters, and return their new values; see :meth:`increment`.

        A backend asks its server in one round trip, or in few. Each counter by itself is changed atomically. By default
        one :meth:`increment` after another.
        """
        return {key: self.increment(key, amount, ttl) for key, amount in amounts.items()}

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever the key may have been written, and return a function that ends the watch.

        A write that happens after this method returned is never missed. The callback may also come without a change
        (after a reconnection, for example), and it comes once more when the store is closed, so whoever is told looks
        at the key again, and gets the error then.

        Args:
            key: The key to watch.
            callback: Called in any thread of this process, be it one of the store's, the one that writes the key or
                the one that closes the store. It must neither block nor call the store: it sets an event, and the
                thread that waits for that does the rest. What it raises is logged, and harms neither the write nor
                another watch.

        Returns:
            A function that ends the watch, from any thread; a call of the callback that has begun is not waited for.
            Ending a watch twice, or after the store was closed, does nothing.

        Raises:
            Unsupported: The store does not have :attr:`Capability.NOTIFY`.
            Exception: The store is closed, or cannot be reached.
        """
        raise self._unsupported("watch")

    def wait(self, key: str, timeout: float | None = None) -> bool:
        """Wait until the key is present, leave it in place, and say whether it came in time.

        A store that can :meth:`watch` is not polled, and a wait ends with an error when the store is closed; any other
        is polled, with growing, jittered pauses.

        Args:
            key: The key to wait for.
            timeout: The longest wait in seconds; ``None`` waits without an end.

        Raises:
            Unsupported: The store offers no :meth:`peek`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        changed = threading.Event()
        try:
            end_watch = self.watch(key, changed.set)
        except Unsupported:
            return self._wait_by_polling(key, deadline)
        try:
            while True:
                changed.clear()
                if self.peek(key) is not EmptyData:
                    return True
                remaining = None if deadline is None else deadline - time.monotonic()
                if (remaining is not None and remaining <= 0) or not changed.wait(remaining):
                    return self.peek(key) is not EmptyData
        finally:
            end_watch()

    def _wait_by_polling(self, key: str, deadline: float | None) -> bool:
        pause, longest = self.poll_interval
        while self.peek(key) is EmptyData:
            remaining = float("inf") if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                return False
            jittered = pause * randomness().uniform(0.75, 1.25)
            time.sleep(min(jittered, remaining))
            pause = min(pause * 1.5, longest)
        return True

    def close(self) -> None:
        """Give back the connections that are this store's own. Does nothing by default.

        A store without its connections is of no more use: every call that needs them raises. Each watch is called a
        last time, so that whoever waits looks again and gets that error; a :meth:`wait` so ends. A store that shares
        the connections of a backend leaves them open and goes on to work; it ends with :meth:`Backend.close()
        <huey_core.backends.backend.Backend.close>`. Closing again does nothing.
        """

    def _unsupported(self, method: str) -> Unsupported:
        return Unsupported(f"{type(self).__module__}.{type(self).__qualname__} does not offer {method}()")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def call_watchers(callbacks: Iterable[Callable[[], None]]) -> None:
    """Tell those who :meth:`~BaseDataStore.watch` a key that it was written, for backends.

    What a callback raises, ``SystemExit`` included, is logged. It harms neither the write, nor the other callbacks, nor
    the thread that calls them. Only a ``KeyboardInterrupt`` in the main thread, which is the user's, passes through.
    """
    for callback in callbacks:
        try:
            callback()
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            log.exception("a callback of a watch raised")
