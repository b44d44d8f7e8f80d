"""How far a call has come, as its caller sees it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.commands.progress import decode_progress, keeps_progress, progress_key
from huey_core.exceptions import DataStoreGetException, DataStoreTimeout, QueueException, Unsupported
from huey_core.invoker.arguments import seconds_to_wait
from huey_core.invoker.call_state import CallState, CallStatus
from huey_core.invoker.key_watch import KeyWatch
from huey_core.invoker.purges import leased_queue_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from datetime import timedelta

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.commands.progress import Progress
    from huey_core.hookspecs import InvokerLike

__all__ = ["ProgressWatch", "find_progress"]

SHORTEST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds between two looks, where the store does not tell of changes: the first after a change, and the longest."""

CHECK: Final = 5.0
"""Seconds between two looks into the queue, for a call that leaves no record of its end, or was deleted."""


def find_progress(invoker: InvokerLike, task_id: str) -> Progress | None:
    """What a call has last said of its progress; ``None`` where it has said nothing, or that is forgotten.

    Raises:
        DataStoreGetException: The store could not be read.
        DecodeError: What is stored is damaged, or written with a serializer that is not accepted.
        Unsupported: Progress cannot be kept in the result store.
        ConfigurationError: The invoker has no result store, or ``timeout`` is no time.
    """
    store = _store_of(invoker)
    with _store_errors(task_id):
        return _read(invoker, task_id, store.peek(progress_key(task_id)))


class ProgressWatch:
    """Each change of a call's progress, until the call has ended: for ``async for``, and for ``for``.

    It begins with what the call has said already. Of changes that come faster than they are looked at, the latest is
    there. In an event loop, the store is asked in a thread.

    Args:
        invoker: The invoker of the call's queue.
        task_id: The call's identifier.
        timeout: For how long, in seconds or as a timedelta; ``None`` for as long as it takes.
        seen_at: When it was in its queue, in seconds since the epoch by the invoker's clock, where that is known.
        has_ended: Whether it is known to have ended.

    Raises:
        Unsupported: Progress cannot be kept in the result store.
        ConfigurationError: The invoker has no result store.
    """

    def __init__(
        self,
        invoker: InvokerLike,
        task_id: str,
        timeout: float | timedelta | None = None,
        *,
        seen_at: float | None = None,
        has_ended: bool = False,
    ) -> None:
        self._invoker = invoker
        self._task_id = task_id
        self._timeout = seconds_to_wait(timeout)
        self._seen_at = seen_at
        self._has_ended = has_ended
        self._store = _store_of(invoker)
        self._notifies = Capability.NOTIFY in self._store.capabilities

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """Iterate in an event loop.

        Raises:
            DataStoreTimeout: The call has not ended within ``timeout``.
            DataStoreGetException: The store could not be read.
            DecodeError: What is stored is damaged, or written with a serializer that is not accepted.
        """
        import asyncio

        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def note_change() -> None:
            # The loop may have been closed since, and then nobody waits for this.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        looks = self._looks()
        watch = self._watch(note_change)
        try:
            if self._notifies:
                with _store_errors(self._task_id):
                    await asyncio.to_thread(watch.begin)
            while True:
                changed.clear()
                progress = await asyncio.to_thread(looks.look)
                if progress is not None:
                    yield progress
                if looks.has_ended:
                    return
                pause = looks.pause(self._notifies)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), pause)
        finally:
            watch.end()

    def __iter__(self) -> Iterator[Progress]:
        """Iterate in a thread; it raises what :meth:`__aiter__` raises."""
        changed = threading.Event()
        looks = self._looks()
        watch = self._watch(changed.set)
        try:
            if self._notifies:
                with _store_errors(self._task_id):
                    watch.begin()
            while True:
                changed.clear()
                progress = looks.look()
                if progress is not None:
                    yield progress
                if looks.has_ended:
                    return
                changed.wait(looks.pause(self._notifies))
        finally:
            watch.end()

    def _looks(self) -> _Looks:
        return _Looks(self._invoker, self._task_id, self._timeout, self._seen_at, self._has_ended)

    def _watch(self, callback: Callable[[], None]) -> KeyWatch:
        return KeyWatch(self._store, [progress_key(self._task_id), self._task_id], callback)


class _Looks:
    """The looks of one iteration, and the pauses between them."""

    def __init__(
        self, invoker: InvokerLike, task_id: str, timeout: float | None, seen_at: float | None, has_ended: bool
    ) -> None:
        self._invoker = invoker
        self._task_id = task_id
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._last: Progress | None = None
        self._pause = SHORTEST_PAUSE
        self._seen_at = seen_at
        self._checked = time.monotonic()
        self.has_ended = has_ended

    def look(self) -> Progress | None:
        """Look whether the call has ended, and return its progress if that has changed."""
        task_id = self._task_id
        with _store_errors(task_id):
            found, result = self._invoker.results.peek_many([progress_key(task_id), task_id])
            if result is not EmptyData:
                self.has_ended = True
            elif not self.has_ended and self._has_left_queue():
                self.has_ended = True
                # It may have said something since.
                found = self._invoker.results.peek(progress_key(task_id))
            progress = _read(self._invoker, task_id, found)
        if progress is None or progress == self._last:
            return None
        self._last = progress
        self._pause = SHORTEST_PAUSE
        return progress

    def pause(self, notifies: bool) -> float:
        """How long to wait for a change before the next look, in seconds.

        Raises:
            DataStoreTimeout: The time is up.
        """
        left = None if self._deadline is None else self._deadline - time.monotonic()
        if left is not None and left <= 0:
            raise DataStoreTimeout(f"{self._task_id} has not ended within {self._timeout:g} s")
        if notifies:
            return CHECK if left is None else min(CHECK, left)
        pause, self._pause = self._pause, min(self._pause * 1.5, LONGEST_PAUSE)
        return pause if left is None else min(pause, left)

    def _has_left_queue(self) -> bool:
        """Whether the call has left its queue, though nothing is stored of its end; looked for now and then."""
        now = time.monotonic()
        if now - self._checked < CHECK:
            return False
        self._checked = now
        state = CallState.look(self._invoker, self._task_id, seen_at=self._seen_at)
        # One that was not seen yet may be one that is still to be enqueued, after another.
        was_seen, self._seen_at = self._seen_at is not None, state.seen_at
        return state.status.has_ended or (
            was_seen and state.status is CallStatus.UNKNOWN and leased_queue_of(self._invoker) is not None
        )


def _store_of(invoker: InvokerLike) -> BaseDataStore:
    store = invoker.results
    if not keeps_progress(store):
        raise Unsupported(f"{store!r} has neither 'ttl' nor 'locks', so no progress is kept there")
    return store


def _read(invoker: InvokerLike, task_id: str, data: bytes | EmptyDataType) -> Progress | None:
    return None if data is EmptyData else decode_progress(invoker.accepted, task_id, data)


@contextmanager
def _store_errors(task_id: str) -> Iterator[None]:
    try:
        yield
    except QueueException:
        raise
    except Exception as error:
        raise DataStoreGetException(f"the progress of {task_id} could not be read: {error}") from error
