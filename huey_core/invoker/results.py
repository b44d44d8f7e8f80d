"""The result of a call, as its caller sees it."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.deadline import time_limit
from huey_core.commands.stored_result import decode_result
from huey_core.exceptions import ConfigurationError, DataStoreGetException, DataStoreTimeout, QueueException
from huey_core.invoker.arguments import seconds_to_wait
from huey_core.invoker.call_state import CallState
from huey_core.invoker.deletions import QUICK, DeletionWatch
from huey_core.invoker.key_watch import KeyWatch
from huey_core.invoker.progress import ProgressWatch, find_progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import timedelta

    from huey_core.backends.base import EmptyDataType
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.progress import Progress
    from huey_core.hookspecs import InvokerLike
    from huey_core.invoker.call_state import CallInfo, CallStatus

__all__ = ["AsyncData"]

R = TypeVar("R")


class AsyncData(Generic[R]):
    """A handle on the result of one call.

    It needs only the call's identifier, so another process can make one: ``AsyncData(invoker, task_id)``.

    Args:
        invoker: The invoker that the call was made through; of a call in another queue, that of the queue, unless the
            command is given.
        task_id: The call's identifier, or its command.
        record: The stored form of its result, where that is known already.
        seen_at: When it was in its queue, in seconds since the epoch by the invoker's clock, where that is known. So
            it can be told from one that never was there, when its queue is purged.

    Raises:
        ConfigurationError: The first argument is a data store, which says nothing of serializers.
    """

    def __init__(
        self,
        invoker: InvokerLike,
        task_id: str | QueueCommand,
        record: bytes | EmptyDataType = EmptyData,
        seen_at: float | None = None,
    ) -> None:
        try:
            self._accepted = invoker.accepted
        except AttributeError:
            raise ConfigurationError(
                "AsyncData takes the invoker, which knows the serializers, and not a result store: "
                "AsyncData(invoker, task_id)"
            ) from None
        if not isinstance(task_id, str):
            queue = task_id.options.queue
            invoker, task_id = invoker if queue is None else invoker.on_queue(queue), task_id.task_id
        self.invoker = invoker
        self.task_id = task_id
        self.seen_at = seen_at
        self._value: Any = record

    @overload
    def get(
        self,
        blocking: Literal[True],
        timeout: float | timedelta | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        *,
        remove: bool | None = None,
    ) -> R: ...

    @overload
    def get(
        self,
        blocking: bool = False,
        timeout: float | timedelta | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        *,
        remove: bool | None = None,
    ) -> R | None: ...

    def get(
        self,
        blocking: bool = False,
        timeout: float | timedelta | None = None,
        backoff: float = 1.15,
        max_delay: float = 1.0,
        revoke_on_timeout: bool = False,
        *,
        remove: bool | None = None,
    ) -> R | None:
        """Return the result, or ``None`` when it is not there yet.

        A command that returned ``None``, or keeps its result to itself (``store_result=False``), leaves a record of
        its end, so that a wait for it ends with ``None``. Once it was returned, the handle remembers a result, be it
        removed from the store or not.

        Args:
            blocking: Wait for the result. A store with :attr:`Capability.NOTIFY` is not polled.
            timeout: The longest wait, in seconds or as a timedelta; ``None`` waits without an end.
            backoff: Where the store must be polled, each pause is the one before, times this.
            max_delay: Where the store must be polled, the longest pause in seconds.
            revoke_on_timeout: :meth:`revoke` the call when ``timeout`` is over.
            remove: Whether reading removes the result from the store. By default it does in a store that keeps
                values for ever, and does not in one that forgets them by itself.

        Raises:
            ConfigurationError: ``timeout`` is no time.
            CommandError: The command raised and will not be tried again.
            CommandRevoked: The command was revoked before it ran.
            CommandExpired: The command had expired before it ran.
            CommandCancelled: The command was cancelled while it ran.
            CommandAbandoned: The command was delivered too often without an outcome.
            CommandDeleted: Its message was deleted from the queue.
            DataStoreTimeout: There was none within ``timeout``.
            DataStoreGetException: The store could not be read.
            DecodeError: What is stored is damaged, or written with a serializer that is not accepted.
            Unsupported: ``revoke_on_timeout`` was asked for, and revocations cannot be kept.
        """
        if self._value is not EmptyData:
            if remove:
                with self._store_errors():
                    self.invoker.results.delete(self.task_id)
        elif blocking:
            # Looked up before the wait, so that an error does not come after it.
            revocations = self.invoker.revocations if revoke_on_timeout else None
            try:
                self._wait(timeout, backoff, max_delay, remove)
            except DataStoreTimeout:
                if revocations is not None:
                    revocations.revoke_call(self.task_id)
                raise
        else:
            self._look(remove)
        if self._value is EmptyData:
            return None
        return self._open()

    def __await__(self) -> Generator[Any, None, R]:
        return self._wait_in_loop().__await__()

    def revoke(self, terminate: bool = False) -> None:
        """Keep the call from running, if it has not started. It then ends without a run, as revoked.

        This is remembered for thirty days, or until :meth:`restore` where the task store cannot forget. A call that is
        due later than that runs, unless it is revoked again.

        Args:
            terminate: Whether to cancel it if it has started, wherever it runs, as far as the worker pool there can
                interrupt it. It then ends as cancelled. Where the task store tells of changes
                (:attr:`Capability.NOTIFY`) that takes a second, elsewhere the third part of a lease.

        Raises:
            Unsupported: The invoker has no task store, or one that cannot keep revocations.
        """
        self.invoker.revocations.revoke_call(self.task_id, terminate)

    async def arevoke(self, terminate: bool = False) -> None:
        """Do what :meth:`revoke` does without blocking the event loop: in a thread.

        A caller that is cancelled meanwhile does not keep it from being done.

        Args:
            terminate: Whether to cancel the call if it has started.

        Raises:
            Unsupported: The invoker has no task store, or one that cannot keep revocations.
        """
        import asyncio

        await asyncio.to_thread(self.revoke, terminate)

    def restore(self) -> bool:
        """Take a :meth:`revoke` back, and say whether there was one."""
        return self.invoker.revocations.restore_call(self.task_id)

    def is_revoked(self) -> bool:
        """Whether this call was revoked; it stays so after it was dropped."""
        return self.invoker.revocations.is_call_revoked(self.task_id)

    def status(self) -> CallStatus:
        """Say where the call is, and leave its result in place, also in a store that keeps it for ever.

        A queue without leases, and a store from which a value can only be taken, tell nothing; a call of which there is
        neither a message nor a result is ``UNKNOWN``.

        Raises:
            QueueReadException: The queue or the result store could not be asked.
            DecodeError: What is stored as its result is damaged.
        """
        return self._state().status

    def info(self) -> CallInfo:
        """Say what is known of the call: where it is, when it was enqueued and run, and why it has no result.

        Raises:
            QueueReadException: The queue or the result store could not be asked.
            DecodeError: What is stored as its result is damaged, or its error is written with a serializer that is not
                accepted.
        """
        return self._state().info(self.invoker, self.task_id)

    def progress(self) -> Progress | None:
        """How far the call has come, as it has said itself; ``None`` where it has said nothing, or that is forgotten.

        Raises:
            DataStoreGetException: The store could not be read.
            DecodeError: What is stored is damaged, or written with a serializer that is not accepted.
            Unsupported: The result store can neither forget a value nor be looked at, so that no progress is kept.
        """
        return find_progress(self.invoker, self.task_id)

    def watch_progress(self, timeout: float | timedelta | None = None) -> ProgressWatch:
        """Each change of :meth:`progress`, until the call has ended: ``async for progress in handle.watch_progress()``.

        In a thread, ``for`` does the same. A store with :attr:`Capability.NOTIFY` is not polled.

        Args:
            timeout: The longest wait for the end, in seconds or as a timedelta; ``None`` waits without an end.

        Raises:
            Unsupported: As :meth:`progress`. The iteration raises what that raises, and ``DataStoreTimeout``.
        """
        has_ended = self._value is not EmptyData
        return ProgressWatch(self.invoker, self.task_id, timeout, seen_at=self.seen_at, has_ended=has_ended)

    # Not __repr__, which the original API's document shows as Python has it.
    def __str__(self) -> str:
        return f"<AsyncData {self.task_id}>"

    def _state(self) -> CallState:
        state = CallState.look(self.invoker, self.task_id, self._value, self.seen_at)
        self.seen_at = state.seen_at
        return state

    def _open(self) -> R:
        value: R = decode_result(self._accepted, self.task_id, self._value, self.invoker.max_body_size)
        return value

    def _removes(self, remove: bool | None) -> bool:
        return Capability.TTL not in self.invoker.results.capabilities if remove is None else remove

    def _look(self, remove: bool | None) -> bool:
        store = self.invoker.results
        with self._store_errors():
            self._value = store.get(self.task_id) if self._removes(remove) else store.peek(self.task_id)
        return self._value is not EmptyData

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except QueueException:
            raise
        except Exception as error:
            raise DataStoreGetException(f"the result of {self.task_id} could not be read: {error}") from error

    def _wait(self, timeout: float | timedelta | None, backoff: float, max_delay: float, remove: bool | None) -> None:
        seconds = seconds_to_wait(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            with time_limit(seconds):
                self._wait_until(deadline, backoff, max_delay, remove)
        except DataStoreGetException as error:
            if deadline is None or time.monotonic() < deadline:
                raise
            raise DataStoreTimeout(f"no result of {self.task_id} within {seconds:g} s: {error}") from error
        if self._value is EmptyData:
            raise DataStoreTimeout(f"no result of {self.task_id} within {seconds:g} s")

    def _wait_until(self, deadline: float | None, backoff: float, max_delay: float, remove: bool | None) -> None:
        pause, quick_until = 0.01, time.monotonic() + QUICK
        deletion = DeletionWatch(self.invoker, self.task_id, self.seen_at)
        is_to_check = self.seen_at is None
        while not self._look(remove):
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return
            if Capability.NOTIFY in self.invoker.results.capabilities:
                with self._store_errors():
                    deletion.wait(remaining)
                self.seen_at = deletion.seen_at
                continue
            if is_to_check:
                deletion.check()
                self.seen_at = deletion.seen_at
            time.sleep(pause if remaining is None else min(pause, remaining))
            pause = min(pause * backoff, max_delay)
            is_to_check = time.monotonic() > quick_until

    async def _wait_in_loop(self) -> Any:
        """Wait in the event loop: for a notification of the store, or with growing pauses where it has none."""
        import asyncio

        if self._value is not EmptyData:
            return self._open()
        store = self.invoker.results
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        pause = 0.01

        def note_change() -> None:
            # The loop may have been closed since, and then nobody waits for this.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        notifies = Capability.NOTIFY in store.capabilities
        deletion = DeletionWatch(self.invoker, self.task_id, self.seen_at)
        quick_until = None if deletion.key is None else loop.time() + QUICK
        is_to_check = self.seen_at is None
        watches: list[KeyWatch] = []

        async def watch(key: str) -> None:
            if notifies:
                watches.append(KeyWatch(store, [key], note_change))
                with self._store_errors():
                    await asyncio.to_thread(watches[-1].begin)

        try:
            await watch(self.task_id)
            while True:
                changed.clear()
                if await asyncio.to_thread(self._look, None):
                    return self._open()
                if is_to_check:
                    await asyncio.to_thread(deletion.check)
                    self.seen_at = deletion.seen_at
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(quick_until if notifies else loop.time() + pause):
                        await changed.wait()
                pause = min(pause * 1.15, 1.0)
                if deletion.key is not None and quick_until is not None and loop.time() >= quick_until:
                    quick_until = None
                    await watch(deletion.key)
                is_to_check = deletion.key is not None and quick_until is None
        finally:
            for each in watches:
                each.end()
