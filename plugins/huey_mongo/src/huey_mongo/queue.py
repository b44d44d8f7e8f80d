"""A queue in MongoDB: every message is one document, and every change of it one update, so nothing is half done."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Capability,
    Claim,
    Counts,
    Delivery,
    LeasedQueue,
    Message,
    Outcome,
    PerProcess,
    Reported,
    State,
    StoredMessage,
    Written,
    messages_in,
    randomness,
)
from huey_core.exceptions import ConfigurationError, MessageTooLarge
from huey_core.secret import with_secrets_hidden
from huey_mongo.claiming import Claims
from huey_mongo.data_store import MongoDataStore, own_cluster
from huey_mongo.documents import MAX_MESSAGE_SIZE, PAUSED_AT
from huey_mongo.groups import delete_groups, list_groups
from huey_mongo.inspection import Inspection
from huey_mongo.limits import limited
from huey_mongo.reporting import report_done
from huey_mongo.settling import Settlement, extend
from huey_mongo.transfer import export, import_many, pages, reschedule
from huey_mongo.writing import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends import BaseDataStore, EmptyDataType, Page, Record, StoredGroup
    from huey_mongo.cluster import Cluster

__all__ = ["MongoQueue"]

CLAIM_LIMIT: Final = 1000
"""The most messages that one claim takes."""

LOOK: Final = 0.8
"""Seconds between two looks of a consumer that is told of new messages: for leases of consumers that were killed."""

FIRST_LOOK: Final = 0.01
"""The shortest pause in seconds between two looks for which there is no better reason than a hint."""


PUNCTUAL: Final = 0.002
"""Seconds by which a message that falls due may be late."""


def jittered(seconds: float) -> float:
    """Shorten a pause at random, so that consumers do not look in step."""
    return seconds * randomness().uniform(0.75, 1.0)


class _Wakes:
    """How often :meth:`MongoQueue.wake` was called, and how many of that each thread has noticed."""

    def __init__(self) -> None:
        self.called = 0
        self._noticed = threading.local()

    def call(self) -> None:
        self.called += 1

    def is_new(self) -> bool:
        return self.called > getattr(self._noticed, "calls", 0)

    def notice(self) -> bool:
        new = self.is_new()
        self._noticed.calls = self.called
        return new


class MongoQueue(LeasedQueue):
    """A queue with at-least-once delivery in MongoDB, shared by any number of processes.

    Args:
        name: The queue's name.
        cluster: The connection to use, shared with others; by default the queue has its own.
        max_deliveries: After this many deliveries without an outcome, the claim buries the message.
        max_message_size: The largest ``data`` in bytes that is accepted.
        connection: ``url``, a ``mongodb://`` or ``mongodb+srv://`` URL.

    Raises:
        ConfigurationError: ``connection`` has another name, or a URL that cannot be used; or no message could be small
            enough.
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
            Capability.INSPECT,
            Capability.TRANSFER,
            Capability.LIST_QUEUES,
            Capability.PAUSE,
            Capability.PERSISTENT,
        }
    )

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster | None = None,
        max_deliveries: int = DEFAULT_MAX_DELIVERIES,
        max_message_size: int = MAX_MESSAGE_SIZE,
        **connection: Any,
    ) -> None:
        connection = with_secrets_hidden(connection)
        super().__init__(name, max_deliveries=max_deliveries)
        if max_message_size < 1:
            raise ConfigurationError(f"max_message_size must be at least 1 byte, not {max_message_size}")
        self.max_message_size: int = min(max_message_size, MAX_MESSAGE_SIZE)
        self._owns_cluster = cluster is None
        self._cluster = cluster or own_cluster(**connection)
        self._claims = Claims(self._cluster, name, max_deliveries)
        self._inspection = Inspection(self._cluster, name)
        self._wakes = PerProcess(_Wakes)

    def sibling(self, name: str) -> Self:
        """Return a queue of another name in the same collection, over the same connections."""
        return type(self)(
            name, cluster=self._cluster, max_deliveries=self.max_deliveries, max_message_size=self.max_message_size
        )

    @limited
    def write_many(self, messages: Sequence[Message]) -> list[Written]:
        """Write messages in one round trip.

        When the connection breaks before the reply, the same write is sent once more; its ids make that harmless.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
        """
        for message in messages:
            self._check_size(message.data)
        return write(self._cluster, self.name, messages)

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take up to ``limit`` messages (at most 1000 at a time) under a lease.

        While it waits, a change stream tells it of new messages where the server has one, and it looks by itself about
        once a second. On a standalone server it looks more often: a hundred times a second at first, and then ever
        less, down to once in ``poll`` seconds. Either way it is on time for what falls due.
        """
        deadline = time.monotonic() + wait
        limit = min(limit, CLAIM_LIMIT)
        pause = FIRST_LOOK
        claim = self._claims.claim(limit, lease)
        while claim.is_empty and (patience := deadline - time.monotonic()) > 0:
            claim = self._wait(limit, lease, patience, pause)
            pause = min(pause * 1.5, self._cluster.settings.poll)
            if self._wakes().notice():
                return self._claims.claim(limit, lease) if claim.is_empty else claim
        return claim

    def _wait(self, limit: int, lease: float, patience: float, pause: float) -> Claim:
        """Look once: claim what is there, or wait for a while, or until something falls due or seems to have come."""
        hints = self._cluster.hints
        is_woken = self._wakes().is_new
        hints.need(self._cluster.collection)
        seen = hints.seen(self.name)
        looked = time.monotonic()
        longest = LOOK if hints.streaming else pause
        at = self._claims.next_at(longest)
        if at is None or at == PAUSED_AT:
            hints.wait(self.name, seen, is_woken, min(jittered(longest), patience))
            # Hints for other queues, which may come in numbers, must not make this one look all the time.
            hints.rest(is_woken, min(looked + FIRST_LOOK - time.monotonic(), patience))
        elif (due := at / 1000 - self._cluster.estimate()) > 0:
            hints.wait(self.name, seen, is_woken, min(due + PUNCTUAL, patience))
        elif (claim := self._claims.claim(limit, lease)).is_empty:
            # The server's clock is not there yet; or others were faster, or the queue is paused with messages in it.
            hints.wait(self.name, seen, is_woken, min(PUNCTUAL if at > PAUSED_AT else pause, patience))
        else:
            return claim
        return Claim([], [])

    @limited
    def report_done(self, reports: Sequence[Reported]) -> None:
        """Take dead letters off the list of those to be reported, and write what follows each, as :meth:`settle` does.

        Raises:
            MessageTooLarge: A follow-up does not fit into a document; nothing was done.
        """
        for report in reports:
            for data in messages_in(report):
                self._check_size(data)
        report_done(self._cluster, self.name, reports)

    @limited
    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries, all in one round trip and each in one change of its document.

        Follow-ups, and results that the document itself cannot become, are kept in it by that change, and written
        right afterwards; when this process is killed in between, another consumer does it some ten seconds later.

        Raises:
            Unsupported: A result is for a store in another collection; nothing was settled.
            MessageTooLarge: A retry, a result or a follow-up does not fit into a document; nothing was settled.
        """
        for outcome in outcomes:
            for data in messages_in(outcome):
                self._check_size(data)
        return Settlement(self._cluster, self.name).settle(outcomes)

    @limited
    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases to last ``lease`` seconds from now."""
        return extend(self._cluster, deliveries, lease)

    @limited
    def counts(self) -> Counts:
        """Count the messages in each state; one whose time has come counts as ready once a claim brought it back."""
        return self._inspection.counts()

    @limited
    def peek(self, state: State, offset: int = 0, limit: int = 100) -> list[StoredMessage]:
        """List messages in one state, the next to come first (the last buried, for dead)."""
        return self._inspection.peek(state, offset, limit)

    @limited
    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead, in the order asked for."""
        return self._inspection.find(message_ids)

    @limited
    def find_with_result(
        self, message_id: str, store: BaseDataStore, key: str
    ) -> tuple[StoredMessage | None, bytes | EmptyDataType]:
        """Look for a message and for a value: in one round trip where both are in one collection, if one is there."""
        if not isinstance(store, MongoDataStore) or not self.settles_into(store):
            return super().find_with_result(message_id, store, key)
        message, value = self._inspection.find_beside(message_id, store.named(key))
        if message is not None or value is not None:
            return message, store.value_in(value)
        # A server looks for the two in whichever order, and what was a message then may be a result by now.
        return None, store.peek(key)

    @limited
    def requeue(self, message_ids: Iterable[str]) -> list[str]:
        """Make dead or scheduled messages ready, at the head of their priority."""
        return self._inspection.requeue(list(message_ids))

    @limited
    def delete(self, message_ids: Iterable[str]) -> list[str]:
        """Forget messages in whatever state."""
        return self._inspection.delete(list(message_ids))

    def flush(self) -> None:
        """Remove every message of this queue. A pause stays."""
        self._inspection.flush()

    @limited
    def reschedule(self, message_ids: Iterable[str], eta: float) -> list[str]:
        """Make ready or scheduled messages due at another time, in their old place in the order."""
        return reschedule(self._cluster, self.name, list(message_ids), eta)

    @limited
    def pages(self, state: State, cursor: str | None = None, limit: int = 100) -> Page[StoredMessage]:
        """List messages in one state page by page, in the order of their ids.

        A page may have less than ``limit``, or nothing, though it is not the last one: for each, 5000 messages of
        whatever state are looked at.

        Raises:
            ConfigurationError: The cursor is not one of this queue's.
        """
        return pages(self._cluster, self.name, State(state), cursor, limit)

    @limited
    def export(self, cursor: str | None = None, limit: int = 100) -> Page[Record]:
        """List all that is known of the messages in every state, in the order of their ids.

        A message whose state changes meanwhile is on one page too.

        Raises:
            ConfigurationError: The cursor is not one of this queue's.
        """
        return export(self._cluster, self.name, cursor, limit)

    @limited
    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, each behind those of its priority that are here.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
        """
        for record in records:
            self._check_size(record.data)
        return import_many(self._cluster, self.name, records)

    @limited
    def groups(self, cursor: str | None = None, limit: int = 100) -> Page[StoredGroup]:
        """List the groups at which a message has arrived and that are not forgotten yet, by name, page by page.

        Raises:
            ConfigurationError: The cursor is not one of this method.
        """
        return list_groups(self._cluster, self.name, cursor, limit)

    @limited
    def delete_groups(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, complete or not, and return the ids of those that were there."""
        return delete_groups(self._cluster, self.name, groups)

    @limited
    def pause(self) -> None:
        """Let every claim of every consumer come back empty."""
        self._inspection.pause()

    @limited
    def resume(self) -> None:
        """End a pause."""
        self._inspection.resume()

    def wake(self) -> None:
        """End the claims of this object that wait, and in other threads the next that would."""
        self._cluster.hints.interrupt(self._wakes().call)

    @limited
    def now(self) -> float:
        """The server's time, in seconds since the epoch."""
        return self._cluster.now()

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether the store is in the same collection of the same servers."""
        return isinstance(store, MongoDataStore) and store.settings.place == self._cluster.settings.place

    def settles_beside(self, name: str) -> bool:
        """Always: what follows waits in the outbox of the message that has ended, whichever queue it is for."""
        return True

    @limited
    def __len__(self) -> int:
        return self._inspection.ready()

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        if self._owns_cluster:
            self._cluster.close()

    def _check_size(self, data: bytes) -> None:
        if len(data) > self.max_message_size:
            raise MessageTooLarge(len(data), self.max_message_size, "huey-mongo")
