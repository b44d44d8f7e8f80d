"""A queue on one Redis or Valkey server: every change is one Lua script, so nothing is ever half done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from redis.exceptions import ConnectionError as BrokenConnection

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Capability,
    Claim,
    Counts,
    Delivery,
    EmptyData,
    LeasedQueue,
    Message,
    Outcome,
    Page,
    Record,
    Reported,
    State,
    StoredGroup,
    StoredMessage,
    Written,
)
from huey_core.exceptions import ConfigurationError, MessageTooLarge
from huey_core.secret import with_secrets_hidden
from huey_redis import scripts
from huey_redis.connection import Connections
from huey_redis.data_store import RedisDataStore
from huey_redis.durations import milliseconds, time_to_live
from huey_redis.groups import Groups
from huey_redis.inspection import attempt_of, stored_message
from huey_redis.keys import QUEUE_PARTS, queue_keys, slot
from huey_redis.portions import PORTION, portions
from huey_redis.settings import Settings
from huey_redis.settling import Settling, message_arguments, outcome_size, report_size
from huey_redis.transfer import Transfer
from huey_redis.waiting import Bell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends import BaseDataStore, EmptyDataType, Wake
    from huey_redis.connection import Argument

__all__ = ["MAX_MESSAGE_SIZE", "RedisQueue"]

MAX_MESSAGE_SIZE: Final = 512 * 2**20
"""The largest string of a Redis server with its default settings, in bytes."""

CLAIM_LIMIT: Final = 1000
"""The most messages that one claim takes."""

LONGEST_WAIT: Final = 1.0
"""Seconds between two looks of an idle consumer, so that the lease of one that was killed is noticed in time."""


class RedisQueue(LeasedQueue):
    """A queue with at-least-once delivery on a Redis or Valkey server, shared by any number of processes.

    Args:
        name: The queue's name.
        connections: The connections to use, shared with others; by default the queue has its own.
        max_deliveries: After this many deliveries without an outcome, the claim buries the message.
        max_message_size: The largest ``data`` in bytes that is accepted.
        connection: The server, as in :class:`~huey_redis.settings.Settings`: ``host``, ``port``, ``db``,
            ``password``, ...

    Raises:
        ConfigurationError: ``connection`` names a setting that does not exist, or a limit is less than 1.
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
            Capability.PERSISTENT,
        }
    )

    def __init__(
        self,
        name: str,
        *,
        connections: Connections | None = None,
        max_deliveries: int = DEFAULT_MAX_DELIVERIES,
        max_message_size: int = MAX_MESSAGE_SIZE,
        **connection: Any,
    ) -> None:
        connection = with_secrets_hidden(connection)
        super().__init__(name, max_deliveries=max_deliveries, **connection)
        if max_message_size < 1:
            raise ConfigurationError(f"max_message_size must be at least 1 byte, not {max_message_size}")
        self.max_message_size: int = min(max_message_size, MAX_MESSAGE_SIZE)
        self._owns_connections = connections is None
        self._connections = connections or Connections(Settings.of(**connection))
        self._keys = queue_keys(name)
        named = dict(zip(QUEUE_PARTS, self._keys, strict=True))
        self._plain_keys = (named["msg"], named["ready"], named["seq"], named["bell"])
        self._paused_key = named["paused"]
        self._flushed_keys = tuple(key for key in self._keys if key not in {self._paused_key, named["groups"]})
        self._groups = Groups(name, self._keys, self._connections)
        self._transfer = Transfer(self._keys, self._connections)
        self._settling = Settling(name, self.settles_into, self.settles_beside, self._check_size)
        self._bell = Bell(self._connections, named["bell"])

    def sibling(self, name: str) -> Self:
        """Return a queue of another name in the same database, over the same connections."""
        return type(self)(
            name,
            connections=self._connections,
            max_deliveries=self.max_deliveries,
            max_message_size=self.max_message_size,
        )

    def write_many(self, messages: Sequence[Message]) -> list[Written]:
        """Write messages in as few round trips as their size allows.

        When a connection breaks before the reply, the messages of that round trip are sent once more, and a message of
        such an id then counts as created. The id keeps it from being written twice for as long as the message has not
        been settled. Beyond that it is delivered at least once: when a consumer finished it between the two, it runs
        again.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
            redis.RedisError: The server refused a write, or did not answer; some of the messages may have been written.
        """
        for message in messages:
            self._check_size(message.data)
        if len(messages) == 1 and messages[0].eta is None and messages[0].unique_key is None:
            return [self._write_plain(messages[0])]
        calls = [
            (self._keys, [argument for message in portion for argument in message_arguments(message)])
            for portion in portions(messages, lambda message: len(message.data))
        ]
        found = [
            (live.decode(), repeated)
            for reply, repeated in self._connections.run_each(scripts.WRITE, calls, repeat=True)
            for live in reply
        ]
        return [
            Written(not live or (repeated and live == message.message_id), live or message.message_id)
            for message, (live, repeated) in zip(messages, found, strict=True)
        ]

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take up to ``limit`` messages (at most 1000 at a time) under a lease.

        While it waits, it looks again at least once a second, for the leases of consumers that were killed.
        """
        deadline = time.monotonic() + wait
        while True:
            claim, next_due = self._claim_now(limit, lease)
            patience = deadline - time.monotonic()
            if not claim.is_empty or patience <= 0:
                return claim
            if next_due > 0 and self._bell.wait(min(patience, next_due, LONGEST_WAIT)):
                # The bell may have rung at the same moment, and whoever took its token has to look.
                return self._claim_now(limit, lease)[0]

    def report_done(self, reports: Sequence[Reported]) -> None:
        """Take dead letters off the list of those to be reported, and write what follows them, up to 100 a step."""
        calls = [self._settling.report_call(portion) for portion in portions(reports, report_size)]
        self._connections.run_many(scripts.REPORT, calls)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries, up to 100 in one script call.

        Raises:
            redis.RedisError: A call failed; some of the outcomes may have been settled.
            Unsupported: A result or a wake is for a store on another server or database, or what follows is for a queue
                in another slot of a cluster; nothing was settled.
            MessageTooLarge: A retry or a follow-up is larger than :attr:`max_message_size`; nothing was settled.
        """
        calls = [self._settling.call(portion) for portion in portions(outcomes, outcome_size)]
        return [bool(effect) for reply in self._connections.run_many(scripts.SETTLE, calls) for effect in reply]

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases to last ``lease`` seconds from now."""
        calls: list[tuple[tuple[bytes, ...], list[Argument]]] = []
        for portion in portions(deliveries):
            ids = (delivery.message_id for delivery in portion)
            receipts = (delivery.receipt for delivery in portion)
            calls.append((self._keys, [milliseconds(lease), len(portion), *ids, *receipts]))
        return [bool(renewed) for reply in self._connections.run_many(scripts.EXTEND, calls) for renewed in reply]

    def counts(self) -> Counts:
        """Count the messages in each state; what has fallen due counts as ready once a claim brought it back."""
        ready, scheduled, running, dead, paused = self._connections.run(scripts.COUNTS, self._keys)
        return Counts(ready, scheduled, running, dead, bool(paused))

    def peek(self, state: State, offset: int = 0, limit: int = 100) -> list[StoredMessage]:
        """List messages in one state, the next to come first (the last buried, for dead)."""
        messages: list[StoredMessage] = []
        for start in range(offset, offset + limit, PORTION):
            count = min(PORTION, offset + limit - start)
            rows = self._connections.run(scripts.PEEK, self._keys, State(state).value, start, count)
            messages += map(stored_message, rows)
            if len(rows) < count:
                break
        return messages

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead, in the order asked for."""
        calls = [(self._keys, portion) for portion in portions(message_ids)]
        return [stored_message(row) for rows in self._connections.run_many(scripts.FIND, calls) for row in rows]

    def find_with_result(
        self, message_id: str, store: BaseDataStore, key: str
    ) -> tuple[StoredMessage | None, bytes | EmptyDataType]:
        """Look for a message, and then for a value: in one round trip, where both are in one database."""
        if not isinstance(store, RedisDataStore) or not self.settles_into(store):
            return super().find_with_result(message_id, store, key)
        get = (b"GET", store.server_key(key))
        rows, value = self._connections.run_with(scripts.FIND, self._keys, message_id, also=get)
        return (stored_message(rows[0]) if rows else None), EmptyData if value is None else value

    def requeue(self, message_ids: Iterable[str]) -> list[str]:
        """Make dead or scheduled messages ready, at the head of their priority."""
        return self._run_on_ids(scripts.REQUEUE, message_ids)

    def delete(self, message_ids: Iterable[str]) -> list[str]:
        """Forget messages in whatever state."""
        return self._run_on_ids(scripts.DELETE, message_ids)

    def reschedule(self, message_ids: Iterable[str], eta: float) -> list[str]:
        """Make ready or scheduled messages due at another time."""
        return self._run_on_ids(scripts.RESCHEDULE, message_ids, milliseconds(eta))

    def pages(self, state: State, cursor: str | None = None, limit: int = 100) -> Page[StoredMessage]:
        """List messages in one state page by page.

        They come by rank (ready and running), by when they are due, or by when they were buried. A page of running ones
        takes time in proportion to how many there are, in small steps.
        """
        return self._transfer.page(State(state), cursor, limit)

    def export(self, cursor: str | None = None, limit: int = 100) -> Page[Record]:
        """List all that is known of the messages: what runs, is ready, is scheduled and is dead; see :meth:`pages`."""
        return self._transfer.export(cursor, limit)

    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, up to 100 in one step.

        Raises:
            MessageTooLarge: One is larger than :attr:`max_message_size`; nothing was written.
            redis.RedisError: A call failed; some of the messages may have been written.
        """
        for record in records:
            self._check_size(record.data)
        return self._transfer.import_many(records)

    def groups(self, cursor: str | None = None, limit: int = 100) -> Page[StoredGroup]:
        """List groups, the next to be forgotten first; one at which a message arrives meanwhile may be listed twice."""
        return self._groups.page(cursor, limit)

    def delete_groups(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, complete or not."""
        return self._groups.delete(groups)

    def free(self, wake: Wake, new: bytes | None = None, *, ttl: float | None = None, limit: int = 1) -> int | None:
        """Change the value of a key, and make messages that wait for that ready, in one step however many they are."""
        keys = [*self._keys, self._settling.server_key(wake.store, wake.key)]
        arguments = (wake.value, int(new is not None), new or b"", time_to_live(ttl), limit)
        freed: int | None = self._connections.run(scripts.FREE, keys, *arguments)
        return freed

    def flush(self) -> None:
        """Remove every message of this queue, with all that is kept about them. A pause stays."""
        self._connections.call(b"UNLINK", *self._flushed_keys)
        self._groups.delete_all()

    def pause(self) -> None:
        """Let every claim of every consumer come back empty."""
        self._connections.call(b"SET", self._paused_key, b"1")

    def resume(self) -> None:
        """End a pause, and wake a consumer."""
        self._connections.run(scripts.RESUME, self._keys)

    def wake(self) -> None:
        """End the claims of this object that wait, and in other threads the next that would."""
        self._bell.wake()

    def now(self) -> float:
        """The server's time, in seconds since the epoch."""
        seconds, microseconds = self._connections.call(b"TIME")
        return int(seconds) + int(microseconds) / 1e6

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether the store is in the same database of the same server."""
        return isinstance(store, RedisDataStore) and store.settings.database == self._connections.settings.database

    def settles_beside(self, name: str) -> bool:
        """Whether the server is no cluster, which it is asked once, or has both queues in one slot."""
        return slot(name) == slot(self.name) or not self._connections.are_to_cluster()

    def close(self) -> None:
        """Close the connections, unless they are shared."""
        if self._owns_connections:
            self._connections.close()

    def _check_size(self, data: bytes) -> None:
        if len(data) > self.max_message_size:
            raise MessageTooLarge(len(data), self.max_message_size, "huey-redis")

    def _write_plain(self, message: Message) -> Written:
        arguments = (message.message_id, message.priority, message.data)
        try:
            live = self._connections.run(scripts.WRITE_PLAIN, self._plain_keys, *arguments)
        except BrokenConnection:
            self._connections.run(scripts.WRITE_PLAIN, self._plain_keys, *arguments)
            live = None
        return Written(live is None, message.message_id)

    def _claim_now(self, limit: int, lease: float) -> tuple[Claim, float]:
        """Claim without waiting; returns also the seconds until something falls due."""
        reply = self._connections.run(
            scripts.CLAIM, self._keys, min(limit, CLAIM_LIMIT), milliseconds(lease), self.max_deliveries
        )
        deliveries = []
        for message_id, receipt_bytes, data in zip(reply[2::3], reply[3::3], reply[4::3], strict=True):
            receipt = receipt_bytes.decode()
            deliveries.append(Delivery(data, message_id.decode(), receipt, attempt_of(receipt)))
        claim = Claim(deliveries, [message_id.decode() for message_id in reply[1]])
        return claim, reply[0] / 1000 if reply[0] >= 0 else LONGEST_WAIT

    def _run_on_ids(self, script: scripts.Script, message_ids: Iterable[str], *arguments: Argument) -> list[str]:
        calls = [(self._keys, [*arguments, *portion]) for portion in portions(list(message_ids))]
        return [message_id.decode() for ids in self._connections.run_many(script, calls) for message_id in ids]
