"""The reference implementation of :class:`~huey_core.backends.LeasedQueue`, for reading and for tests."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, ClassVar, Final, Self, cast

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Capability,
    Claim,
    Counts,
    Delivery,
    LeasedQueue,
    Message,
    Outcome,
    Page,
    Record,
    Release,
    Reported,
    State,
    StoredGroup,
    StoredMessage,
    Written,
    call_watchers,
    messages_in,
    queues_in,
)
from huey_core.exceptions import MessageTooLarge, Unsupported
from huey_memory.clock import SYSTEM_CLOCK, Clock
from huey_memory.data_store import MemoryDataStore
from huey_memory.space import Access, Line, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from huey_core.backends import BaseDataStore, Wake

__all__ = ["MemoryQueue"]


class MemoryQueue(LeasedQueue):
    """A queue in the memory of this process.

    Two queues of one name, in one space and with one clock, are the same queue.

    Args:
        name: The queue's name.
        max_deliveries: After this many deliveries without an outcome, the claim buries the message.
        space: The name of the space; queues and stores settle atomically within one.
        clock: Decides due times and leases; pass a :class:`~huey_memory.clock.ManualClock` to move time by hand. How
            long :meth:`claim` waits is the caller's patience and stays real time.
        access: The way into the space, shared with others; by default the queue has its own.
    """

    blocking: ClassVar[bool] = True
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.LEASES,
            Capability.DELAY,
            Capability.PRIORITY,
            Capability.UNIQUE,
            Capability.BLOCKING,
            Capability.ATOMIC_SETTLE,
            Capability.JOINS,
            Capability.WAKE,
            Capability.INSPECT,
            Capability.TRANSFER,
            Capability.LIST_QUEUES,
            Capability.PAUSE,
        }
    )

    def __init__(
        self,
        name: str,
        *,
        max_deliveries: int = DEFAULT_MAX_DELIVERIES,
        space: str = "",
        clock: Clock = SYSTEM_CLOCK,
        access: Access | None = None,
    ) -> None:
        super().__init__(name, max_deliveries=max_deliveries)
        self._owns_access = access is None
        self._access = access or Access(Space.named(space, clock))
        self.space: Final = self._access.space
        line = self.space.line(name)
        self._messages = line.messages
        # The condition wraps the space's lock, which the access holds; so this space's data stores are kept still too.
        self._changed = line.changed
        self._wakes_called = 0
        self._wakes_answered = 0

    def sibling(self, name: str) -> Self:
        """Return a queue of another name in the same space."""
        return type(self)(name, max_deliveries=self.max_deliveries, access=self._access)

    def write_many(self, messages: Sequence[Message]) -> list[Written]:
        """Write under one hold of the lock, so that nobody sees a batch in part."""
        for message in messages:
            self._check_size(message.data)
        with self._access:
            now = self.now()
            written = [self._messages.write(message, now) for message in messages]
            self._changed().notify_all()
        return written

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Bring back what fell due, lease what is ready, else wait until something changes or falls due."""
        deadline = time.monotonic() + wait
        with self._access:
            wakes_before = self._wakes_answered
            while True:
                claim = self._take(limit, lease)
                patience = deadline - time.monotonic()
                if not claim.is_empty or patience <= 0:
                    return claim
                if self._wakes_called > wakes_before:
                    self._wakes_answered = self._wakes_called
                    return claim
                self._changed().wait(min(patience, self._until_next_due(), threading.TIMEOUT_MAX))
                self._access.check_open()

    def report_done(self, reports: Sequence[Reported]) -> None:
        """Take dead letters off the list of those to be reported, each with what follows it under one hold of the lock.

        Raises:
            MessageTooLarge: What follows one is larger than :attr:`max_message_size`; nothing was done then.
        """
        for data in (data for report in reports for data in messages_in(report)):
            self._check_size(data)
        lines = self._lines_beside(reports)
        beside = {name: line.messages for name, line in lines.items()}
        with self._access:
            now = self.now()
            for report in reports:
                self._messages.report_done(report, now, beside)
            self._notify_all(lines)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries, each with its result and what follows it under one hold of the lock.

        Raises:
            Unsupported: A result or a wake is for a store in another space; nothing was settled then.
            MessageTooLarge: A retry or what follows is larger than :attr:`max_message_size`; nothing was settled then.
        """
        for outcome in outcomes:
            self._check(outcome)
        settled: list[bool] = []
        watchers: list[Callable[[], None]] = []
        lines = self._lines_beside(outcomes)
        beside = {name: line.messages for name, line in lines.items()}
        with self._access:
            now = self.now()
            for outcome in outcomes:
                current = self._without_vain_wait(outcome) if isinstance(outcome, Release) else outcome
                settled.append(self._messages.settle(current, now, beside))
                result = outcome.result
                if settled[-1] and result is not None:
                    store = cast("MemoryDataStore", result.store)
                    watchers += store.put_under_lock(result.key, result.value, result.ttl)
            self._notify_all(lines)
        call_watchers(watchers)
        return settled

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases whose receipts still fit. A claim that waits is told when one of them ends earlier now."""
        with self._access:
            now = self.now()
            extended = [self._messages.extend(delivery, lease, now) for delivery in deliveries]
            self._changed().notify_all()
        return extended

    def counts(self) -> Counts:
        """Count the messages in each state; what fell due counts as ready once a claim has brought it back."""
        with self._access:
            return self._messages.counts()

    def peek(self, state: State, offset: int = 0, limit: int = 100) -> list[StoredMessage]:
        """List messages in one state, in the order in which they come."""
        with self._access:
            return self._messages.peek(state, offset, limit)

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead."""
        with self._access:
            return self._messages.find(message_ids)

    def requeue(self, message_ids: Iterable[str]) -> list[str]:
        """Make dead or scheduled messages ready, at the head of their priority."""
        with self._access:
            now = self.now()
            requeued = [message_id for message_id in message_ids if self._messages.requeue(message_id, now)]
            self._changed().notify_all()
        return requeued

    def delete(self, message_ids: Iterable[str]) -> list[str]:
        """Forget messages in whatever state."""
        with self._access:
            now = self.now()
            return [message_id for message_id in message_ids if self._messages.delete(message_id, now)]

    def reschedule(self, message_ids: Iterable[str], eta: float) -> list[str]:
        """Make ready or scheduled messages due at another time."""
        with self._access:
            now = self.now()
            changed = [message_id for message_id in message_ids if self._messages.reschedule(message_id, eta, now)]
            self._changed().notify_all()
        return changed

    def pages(self, state: State, cursor: str | None = None, limit: int = 100) -> Page[StoredMessage]:
        """List messages in one state page by page, in the order of writing. As :meth:`peek`, each looks at them all."""
        with self._access:
            return self._messages.page(State(state), cursor, limit)

    def export(self, cursor: str | None = None, limit: int = 100) -> Page[Record]:
        """List all that is known of the messages page by page, in the order of writing."""
        with self._access:
            return self._messages.export(cursor, limit, self.now())

    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, under one hold of the lock."""
        for record in records:
            self._check_size(record.data)
        with self._access:
            now = self.now()
            written = [self._messages.import_(record, now) for record in records]
            self._changed().notify_all()
        return written

    def groups(self, cursor: str | None = None, limit: int = 100) -> Page[StoredGroup]:
        """List groups page by page, in the order of their first arrivals."""
        with self._access:
            return self._messages.groups.page(cursor, limit, self.now())

    def delete_groups(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, and return the ids of those that were there."""
        with self._access:
            now = self.now()
            return [group for group in groups if self._messages.groups.delete(group, now)]

    def free(self, wake: Wake, new: bytes | None = None, *, ttl: float | None = None, limit: int = 1) -> int | None:
        """Change a value and make messages that wait for its key ready, under one hold of the lock."""
        self._check_store(wake.store, "free a key of")
        store = cast("MemoryDataStore", wake.store)
        with self._access:
            if not store.holds_under_lock(wake.key, wake.value):
                return None
            watchers = [] if new is None else store.put_under_lock(wake.key, new, ttl)
            if new is None:
                store.discard_under_lock(wake.key)
            freed = self._messages.free((store.name, wake.key), limit)
            self._changed().notify_all()
        call_watchers(watchers)
        return freed

    def flush(self) -> None:
        """Forget every message; receipts given out before are stale from then on. A pause stays."""
        with self._access:
            self._messages.clear()

    def pause(self) -> None:
        """Let claims come back empty. One that waits goes on to wait, for :meth:`resume`."""
        with self._access:
            self._messages.paused = True

    def resume(self) -> None:
        """End a pause."""
        with self._access:
            self._messages.paused = False
            self._changed().notify_all()

    def wake(self) -> None:
        """End the claims of this object that wait; if none does, the next one that would wait returns at once."""
        with self._changed():
            self._wakes_called += 1
            self._changed().notify_all()

    def close(self) -> None:
        """End the waits, and let every call raise, unless the way into the space is shared. The messages stay."""
        if self._owns_access:
            self._access.close()

    def now(self) -> float:
        """The time by the clock of the space, in seconds since the epoch."""
        return self.space.clock()

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether the store is in the same space, and so under the same lock."""
        return isinstance(store, MemoryDataStore) and store.space is self.space

    def settles_beside(self, name: str) -> bool:
        """Always: every queue of the space is under the same lock."""
        return True

    def _lines_beside(self, ends: Sequence[Outcome] | Sequence[Reported]) -> dict[str, Line]:
        return {name: self.space.line(name) for name in queues_in(ends) if name != self.name}

    def _notify_all(self, lines: Mapping[str, Line]) -> None:
        self._changed().notify_all()
        for line in lines.values():
            line.changed().notify_all()

    def _without_vain_wait(self, release: Release) -> Release:
        """A release that does not wait for a key whose value has changed since."""
        wake = release.wake
        if wake is None or cast("MemoryDataStore", wake.store).holds_under_lock(wake.key, wake.value):
            return release
        return Release(release.delivery)

    def _take(self, limit: int, lease: float) -> Claim:
        if self._messages.paused:
            return Claim([], [])
        now = self.now()
        while True:
            more = self._messages.surface(now, self.max_deliveries)
            claim = Claim(self._messages.take(limit, lease, now), self._messages.unreported(lease, now))
            if not more or not claim.is_empty:
                return claim

    def _until_next_due(self) -> float:
        next_due = None if self._messages.paused else self._messages.next_due()
        return float("inf") if next_due is None else self.space.clock.until(next_due)

    def _check_size(self, data: bytes) -> None:
        if self.max_message_size is not None and len(data) > self.max_message_size:
            raise MessageTooLarge(len(data), self.max_message_size, type(self).__name__)

    def _check(self, outcome: Outcome) -> None:
        if outcome.result is not None:
            self._check_store(outcome.result.store, "settle into")
        elif isinstance(outcome, Release) and outcome.wake is not None:
            self._check_store(outcome.wake.store, "wait for a key of")
        if self.max_message_size is not None:
            for data in messages_in(outcome):
                self._check_size(data)

    def _check_store(self, store: BaseDataStore, use: str) -> None:
        if not self.settles_into(store):
            raise Unsupported(f"{self!r} cannot {use} {store!r}: it is not in the same space")
