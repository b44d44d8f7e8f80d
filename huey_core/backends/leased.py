"""The contract of a queue that loses nothing: claims under a lease, settled in atomic steps.

Every backend of this project implements :class:`LeasedQueue`. The life of a message::

    write ──> ready ──claim──> running ──settle──> gone (ack)
      │         ^                │  │
      │         ├── release <────┘  ├──> scheduled (retry or release with a delay) ──> ready
      └─> scheduled ──when due──^   ├──> dead (bury) ──requeue──> ready
                                    └──> ready (the lease ended), or dead when that was the last delivery

**Order.** Higher priority first, and within one priority first in, first out. A message gets its place from its first
write and keeps it for as long as it lives: what is released, retried, requeued, falls due or comes back from a lease
that ended stands ahead of everything of its priority that was written later, and so at the head as a rule.

**A lease that ended.** Nothing happens at the moment when a lease ends. A later claim, of whichever consumer, brings
the message back, and by that makes its receipt stale, whether or not it hands the message out. Until then a backend
goes on to honour the receipt, for :meth:`LeasedQueue.settle` and :meth:`LeasedQueue.extend` alike, or it calls it stale
at once; all of this project's honour it. A stale receipt changes nothing, ever.

**Time** is the server's clock wherever the server has one; durations are in seconds, points in time in seconds since
the epoch (UTC).
"""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, Self

from huey_core.backends.base import BaseQueue
from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Message, Written, new_message_id
from huey_core.backends.outcomes import Ack
from huey_core.exceptions import ConfigurationError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.messages import Claim, Counts, Delivery, Page, Record, State, StoredGroup, StoredMessage
    from huey_core.backends.outcomes import Outcome, Reported, Wake

__all__ = ["DEFAULT_LEASE", "DEFAULT_MAX_DELIVERIES", "LeasedQueue", "abandoned_reason"]

DEFAULT_LEASE: Final = 60.0
"""Seconds for which a claimed message is nobody else's, unless the consumer says otherwise."""

DEFAULT_MAX_DELIVERIES: Final = 5
"""Deliveries without an outcome after which a message is buried, because it seems to kill its consumers."""


def abandoned_reason(deliveries: int) -> str:
    """Return the reason with which a claim buries: ``abandoned: no outcome recorded in 5 deliveries``.

    Args:
        deliveries: The number of the delivery whose lease ended.
    """
    return f"abandoned: no outcome recorded in {'1 delivery' if deliveries == 1 else f'{deliveries} deliveries'}"


class LeasedQueue(BaseQueue):
    """A queue with at-least-once delivery.

    A backend implements the abstract methods. Each of them is safe to call from several threads at once and may
    raise whatever its driver raises: callers treat any :class:`Exception` as a failure of the server.

    Args:
        name: The queue's name.
        max_deliveries: After this many deliveries without an outcome, the claim buries the message. It is the claiming
            queue's own setting and is not stored with a message.
        connection: What the backend needs to connect.
    """

    max_message_size: int | None = None
    """The largest ``data`` in bytes that :meth:`write` accepts; ``None`` when there is no fixed limit."""

    def __init__(self, name: str, *, max_deliveries: int = DEFAULT_MAX_DELIVERIES, **connection: Any) -> None:
        if max_deliveries < 1:
            raise ConfigurationError(f"max_deliveries must be at least 1, not {max_deliveries}")
        super().__init__(name, **connection)
        self.max_deliveries = max_deliveries

    def sibling(self, name: str) -> Self:
        """Return a queue of another name at the same place, with the same ``max_deliveries``."""
        return type(self)(name, max_deliveries=self.max_deliveries, **self.connection)

    def write(
        self,
        data: bytes,
        *,
        message_id: str | None = None,
        priority: int = 0,
        eta: float | None = None,
        unique_key: str | None = None,
        unique_for: float | None = None,
    ) -> Written:
        """Write one message; see :class:`Message` for the parameters.

        Raises:
            MessageTooLarge: ``data`` is larger than :attr:`max_message_size`.
        """
        message = Message(data, message_id or new_message_id(), priority, eta, unique_key, unique_for)
        return self.write_many([message])[0]

    @abstractmethod
    def write_many(self, messages: Sequence[Message]) -> list[Written]:
        """Write several messages, in order, with as few round trips as the server allows.

        Each message is written or not by itself; a message that is a duplicate does not keep the others back.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
        """

    @abstractmethod
    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take up to ``limit`` messages under a lease, the most urgent first, and name dead letters to be reported.

        Delayed messages that are due and messages whose lease has ended come back through this call, in bounded
        portions, and take their old place in the order. A message whose lease has ended on delivery number
        :attr:`max_deliveries`, or a later one, is buried instead, with the reason of :func:`abandoned_reason`; it keeps
        its count, and frees a unique key as any burial does.

        Nobody but the claims knows of such a burial. The server therefore keeps a list of the dead letters that claims
        have buried, be it those of consumers that were killed since, and a claim names a bounded number of them. One
        that was named is this caller's to report, and named to nobody for ``lease`` seconds. It leaves the list by
        :meth:`report_done`, or when it is requeued, deleted or flushed; otherwise a claim names it again.

        Args:
            limit: The most messages to take; at least 1.
            lease: Seconds for which nobody else gets them.
            wait: The longest time in seconds to wait for a first message. The wait ends early when a delayed message
                falls due, when there is a dead letter to name, and when another thread calls :meth:`wake`. A backend
                may wait for less.

        Returns:
            The deliveries, and the ids of dead letters to be reported; of both nothing when nothing is there or the
            queue is paused. A wait on a paused queue waits for :meth:`resume`.
        """

    @abstractmethod
    def report_done(self, reports: Sequence[Reported]) -> None:
        """Take dead letters off the list of those that nobody has reported yet, and write what follows each.

        For each that is on the list both are one atomic step. One that is not on the list is left alone, and nothing of
        it is written: so of several consumers that report a dead letter one writes what follows it.

        Call it when the report has had its effect: who is killed before it, or takes longer for it than the lease, lets
        another consumer report it once more.

        Raises:
            MessageTooLarge: A message that follows is larger than :attr:`max_message_size`; nothing was done.
        """

    @abstractmethod
    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries, each in one atomic step with its result and what follows it.

        Arrivals are given to a queue with :attr:`Capability.JOINS` only, and a :class:`Wake` to one with
        :attr:`Capability.WAKE` only.

        A receipt is stale once the delivery was settled, its message deleted or flushed, or its lease ended and a
        claim brought the message back, whether or not somebody has it now.

        Returns:
            One value per outcome, in order: ``True`` when it took effect, ``False`` when the receipt was stale,
            which then changed nothing at all: not the message, nor a result, nor what follows it.

        Raises:
            Unsupported: A result or a wake is for a store that :meth:`settles_into` denies, or what follows is for a
                queue that :meth:`settles_beside` denies; nothing was settled.
            MessageTooLarge: New bytes, or a message that follows, are larger than :attr:`max_message_size`; nothing was
                settled.
        """

    @abstractmethod
    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases to last ``lease`` seconds from now, be that longer or shorter than what is left.

        A lease that has ended is renewed too, as long as no claim has brought its message back; a backend may refuse
        that. What :meth:`settle` calls a stale receipt is refused always.

        Returns:
            One value per delivery, in order: ``False`` when it is no longer ours, and nothing was changed.
        """

    @abstractmethod
    def counts(self) -> Counts:
        """Count the messages in each state."""

    @abstractmethod
    def peek(self, state: State, offset: int = 0, limit: int = 100) -> list[StoredMessage]:
        """List messages in one state without touching them, the next to come first (the last buried, for dead)."""

    @abstractmethod
    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead, in the order asked for."""

    def find_with_result(
        self, message_id: str, store: BaseDataStore, key: str
    ) -> tuple[StoredMessage | None, bytes | EmptyDataType]:
        """Look for a message, and then for the value of a key, in one round trip where both are at one server.

        The value is looked at second, so that of a message that ends meanwhile, and whose result is written under that
        key in the same step or before, one of the two is there. By default a :meth:`find` and a :meth:`peek
        <huey_core.backends.BaseDataStore.peek>`.

        Args:
            message_id: The message's id.
            store: A data store, whichever.
            key: The key in that store; its value is left in place.

        Returns:
            The message, live or dead, or ``None``; and the value, or ``EmptyData``.

        Raises:
            Unsupported: The store offers no ``peek``.
        """
        found = self.find([message_id])
        return (found[0] if found else None), store.peek(key)

    @abstractmethod
    def requeue(self, message_ids: Iterable[str]) -> list[str]:
        """Make dead or scheduled messages ready now, in their old place in the order, their deliveries counted anew.

        Returns:
            The ids that were requeued. A message in another state, or one whose unique key another live message
            has taken since, is left alone.
        """

    @abstractmethod
    def delete(self, message_ids: Iterable[str]) -> list[str]:
        """Forget messages in whatever state, and return the ids that were there.

        The receipt of one that runs becomes stale. Its unique key is freed, unless it was taken for a time.
        """

    def reschedule(self, message_ids: Iterable[str], eta: float) -> list[str]:
        """Make ready or scheduled messages due at another time, in their old place in the order.

        Args:
            message_ids: Their ids.
            eta: When they are due, in seconds since the epoch; a past time makes them ready.

        Returns:
            The ids of those that were changed. A message in another state is left alone.

        Raises:
            Unsupported: The queue does not have :attr:`Capability.TRANSFER`.
        """
        raise self._lacks(Capability.TRANSFER)

    def pages(self, state: State, cursor: str | None = None, limit: int = 100) -> Page[StoredMessage]:
        """List messages in one state page by page, in an order of the backend's own.

        A message that is in that state from the first page to the last, and not rescheduled meanwhile, is on exactly
        one of them, whatever becomes of others, which :meth:`peek` cannot promise. Collect the ids of all pages before
        you reschedule what is on them.

        Args:
            state: The state.
            cursor: That of the page before; ``None`` for the first one.
            limit: The most messages on a page; at least 1.

        Raises:
            ConfigurationError: The cursor is not one of this queue's.
            Unsupported: The queue does not have :attr:`Capability.TRANSFER`.
        """
        raise self._lacks(Capability.TRANSFER)

    def export(self, cursor: str | None = None, limit: int = 100) -> Page[Record]:
        """List all that is known of the messages in every state, page by page, and leave them where they are.

        A message whose state does not change meanwhile, and that is not rescheduled, is on exactly one page. Any other
        may be on two pages, or on none: pause the queue first.

        Args:
            cursor: That of the page before; ``None`` for the first one.
            limit: The most records on a page; at least 1.

        Raises:
            ConfigurationError: The cursor is not one of this queue's.
            Unsupported: The queue does not have :attr:`Capability.TRANSFER`.
        """
        raise self._lacks(Capability.TRANSFER)

    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, each behind those of its priority that are here.

        So they keep the order in which they are given. Each keeps its count of deliveries, and a dead one its reason,
        its detail and the time of its burial. One that was running is ready. To import a record twice changes nothing,
        by its id, as for :meth:`write_many`; one that would hold a unique key which another message has is not
        imported. A dead letter is none that a claim has yet to name, and what waited for a key waits for its time only.

        Returns:
            What became of each, in order.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
            Unsupported: The queue does not have :attr:`Capability.TRANSFER`.
        """
        raise self._lacks(Capability.TRANSFER)

    def groups(self, cursor: str | None = None, limit: int = 100) -> Page[StoredGroup]:
        """List the groups at which a message has arrived and that are not forgotten yet, page by page.

        Args:
            cursor: That of the page before; ``None`` for the first one.
            limit: The most groups on a page; at least 1.

        Raises:
            ConfigurationError: The cursor is not one of this queue's.
            Unsupported: The queue does not have :attr:`Capability.JOINS`.
        """
        raise self._lacks(Capability.JOINS)

    def delete_groups(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, complete or not, and return the ids of those that were there.

        Raises:
            Unsupported: The queue does not have :attr:`Capability.JOINS`.
        """
        raise self._lacks(Capability.JOINS)

    def free(self, wake: Wake, new: bytes | None = None, *, ttl: float | None = None, limit: int = 1) -> int | None:
        """Change the value of a key and make messages of this queue that wait for that ready, in one atomic step.

        Those are messages that are scheduled because of a :class:`Release` with a wake of the same store and key,
        whatever value they have seen. The first ``limit`` of them, in their order among ready messages, become ready.

        Args:
            wake: The key, and the value that it must have now.
            new: Its new value; ``None`` removes the key.
            ttl: Seconds after which the store forgets the new value; ``None`` keeps it.
            limit: How many messages become ready; 0 or less for none.

        Returns:
            How many became ready; ``None`` when the key has another value, which changed nothing.

        Raises:
            Unsupported: The queue does not have :attr:`Capability.WAKE`, or the store is one that :meth:`settles_into`
                denies.
        """
        raise self._lacks(Capability.WAKE)

    @abstractmethod
    def pause(self) -> None:
        """Let every claim of every consumer come back empty until :meth:`resume`; :meth:`flush` does not end it."""

    @abstractmethod
    def resume(self) -> None:
        """End a :meth:`pause`."""

    def now(self) -> float:
        """The time by the clock that decides leases and delays, in seconds since the epoch."""
        return time.time()

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether :meth:`settle` can put a result into this store in the same atomic step."""
        return False

    def settles_beside(self, name: str) -> bool:
        """Whether :meth:`settle` can write what follows a message into the queue of this name at the same place.

        In the same atomic step, or so that it is written exactly once, whatever is killed. By default only into this
        queue itself. It may ask the server, once.
        """
        return name == self.name

    def read(self) -> bytes | None:
        """Claim one message and ack it at once: at-most-once delivery, as :class:`BaseQueue` promises."""
        deliveries = self.claim(1, DEFAULT_LEASE).deliveries
        if not deliveries:
            return None
        self.settle([Ack(deliveries[0])])
        return deliveries[0].data

    def __len__(self) -> int:
        return self.counts().ready

    def _lacks(self, capability: Capability) -> Unsupported:
        return Unsupported(f"{type(self).__module__}.{type(self).__qualname__} has no {capability.value!r}")
