"""The queue: each call of the contract is one transaction, and a call that finds nothing to do takes no write lock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from huey_core.backends import (
    DEFAULT_MAX_DELIVERIES,
    Capability,
    Claim,
    Counts,
    LeasedQueue,
    PerProcess,
    Release,
    messages_in,
    queues_in,
)
from huey_core.exceptions import MessageTooLarge, Unsupported
from huey_sqlite.data_store import SQLiteDataStore
from huey_sqlite.database import Database
from huey_sqlite.groups import Groups
from huey_sqlite.messages import Messages
from huey_sqlite.pages import Pages
from huey_sqlite.settings import Settings
from huey_sqlite.settling import Settling
from huey_sqlite.values import Values
from huey_sqlite.waiting import Waiters

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from huey_core.backends import (
        BaseDataStore,
        Delivery,
        Message,
        Outcome,
        Page,
        Record,
        Reported,
        State,
        StoredGroup,
        StoredMessage,
        Wake,
        Written,
    )

__all__ = ["SQLiteQueue"]

_FLUSHED: Final = 5000
"""Messages that one transaction of a flush removes, so that others can write in between."""


class SQLiteQueue(LeasedQueue):
    """A queue in an SQLite file.

    Args:
        name: The queue's name.
        max_deliveries: After this many deliveries without an outcome, the claim buries the message.
        database: The file, when it is shared with data stores or with other queues.
        connection: The fields of :class:`~huey_sqlite.settings.Settings`, when no ``database`` is given.
    """

    blocking = True
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
        max_deliveries: int = DEFAULT_MAX_DELIVERIES,
        database: Database | None = None,
        **connection: Any,
    ) -> None:
        super().__init__(name, max_deliveries=max_deliveries, **connection)
        self._is_owner = database is None
        self.database = database or Database(Settings(**connection))
        self.max_message_size: int = self.database.settings.max_message_size
        self._topic = _topic(name)
        self._waiters = PerProcess(Waiters)

    def sibling(self, name: str) -> Self:
        """Return a queue of another name in the same file, over the same connections."""
        return type(self)(name, max_deliveries=self.max_deliveries, database=self.database)

    def write_many(self, messages: Sequence[Message]) -> list[Written]:
        """Write several messages in one transaction."""
        self._check_sizes(message.data for message in messages)
        if not messages:
            return []
        with self.database.write() as transaction:
            written = Messages(transaction, self.name).write_all(messages, self.now())
        self._tell()
        return written

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take up to ``limit`` messages under a lease; see :class:`~huey_core.backends.LeasedQueue`."""
        claim, _ = self._take(limit, lease)
        if not claim.is_empty or wait <= 0:
            return claim
        deadline = time.monotonic() + wait
        with self._waiters().waiter() as waiter:
            end_watch = self.database.changes.watch(self._topic, waiter.news.set)
            try:
                while not waiter.is_woken:
                    # In this order, what happens after the look ends the wait.
                    waiter.news.clear()
                    claim, next_due = self._take(limit, lease)
                    remaining = deadline - time.monotonic()
                    if not claim.is_empty or remaining <= 0:
                        break
                    until_due = threading.TIMEOUT_MAX if next_due is None else max(0.0, next_due - self.now())
                    waiter.news.wait(min(remaining, until_due))
            finally:
                end_watch()
        return claim

    def _take(self, limit: int, lease: float) -> tuple[Claim, float | None]:
        """Claim what is there, and say when the next message falls due if that was nothing."""
        with self.database.read() as connection:
            outlook = Messages(connection, self.name).outlook()
        if outlook.is_paused:
            return Claim([], []), None
        if not outlook.has_ready and not outlook.is_overdue(self.now()):
            return Claim([], []), outlook.next_due
        buried: list[str] = []
        with self.database.write() as transaction:
            here = Messages(transaction, self.name)
            now, outlook = self.now(), here.outlook()
            if outlook.is_paused:
                return Claim([], []), None
            if outlook.is_overdue(now):
                here.bring_back(self.max_deliveries, now)
                buried = here.unreported(now, now + lease)
            claim = Claim(here.claim(limit, now + lease), buried)
        # When others were faster, the next look is at once.
        return claim, now

    def report_done(self, reports: Sequence[Reported]) -> None:
        """Take dead letters off the list of those to be reported, and write what follows them, in one transaction.

        Raises:
            MessageTooLarge: A follow-up is too large; nothing was changed.
        """
        for report in reports:
            self._check_sizes(messages_in(report))
        with self.database.write() as transaction:
            settling = Settling(transaction, self.name, self.now())
            for report in reports:
                settling.report(report)
        self._tell(queues_in(reports))

    def wake(self) -> None:
        """End every claim of this object that waits, or else the next one that would."""
        self._waiters().wake()

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries, all in one transaction.

        Raises:
            Unsupported: A result or a wake is for a store elsewhere; nothing was changed.
            MessageTooLarge: New bytes or what follows are too large; nothing was changed.
        """
        for outcome in outcomes:
            self._check(outcome)
        if not outcomes:
            return []
        with self.database.write() as transaction:
            settling = Settling(transaction, self.name, self.now())
            effects = [settling.settle(outcome) for outcome in outcomes]
        self._tell(queues_in(outcomes))
        for outcome, took_effect in zip(outcomes, effects, strict=True):
            result = outcome.result
            if took_effect and result is not None and isinstance(result.store, SQLiteDataStore):
                result.store.tell(result.key)
        return effects

    def free(self, wake: Wake, new: bytes | None = None, *, ttl: float | None = None, limit: int = 1) -> int | None:
        """Change the value of a key and make messages that wait for that ready, in one transaction.

        Raises:
            Unsupported: The store is elsewhere.
        """
        store = self._of_this_file(wake.store)
        with self.database.write() as transaction:
            values = Values(transaction, store.name, self.now())
            if values.look(wake.key) != wake.value:
                return None
            if new is None:
                values.take(wake.key)
            else:
                values.put(wake.key, new, ttl)
            woken = Messages(transaction, self.name).wake(wake, limit)
        store.tell(wake.key)
        self._tell()
        return woken

    def groups(self, cursor: str | None = None, limit: int = 100) -> Page[StoredGroup]:
        """List the groups at which a message has arrived, by their ids."""
        with self.database.read() as connection:
            return Groups(connection, self.name, self.now()).page(cursor, limit)

    def delete_groups(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, and return the ids of those that were there."""
        with self.database.write() as transaction:
            here = Groups(transaction, self.name, self.now())
            deleted = [group for group in groups if here.forget(group)]
        self._purge()
        return deleted

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases, all in one transaction."""
        if not deliveries:
            return []
        with self.database.write() as transaction:
            until = self.now() + lease
            return [Messages(transaction, self.name).extend(delivery, until) for delivery in deliveries]

    def counts(self) -> Counts:
        """Count the messages in each state; the time this takes grows with their number."""
        with self.database.read() as connection:
            return Messages(connection, self.name).count()

    def peek(self, state: State, offset: int = 0, limit: int = 100) -> list[StoredMessage]:
        """List messages in one state without touching them."""
        with self.database.read() as connection:
            return Messages(connection, self.name).peek(state, offset, limit)

    def pages(self, state: State, cursor: str | None = None, limit: int = 100) -> Page[StoredMessage]:
        """List messages in one state page by page; see :mod:`huey_sqlite.pages` for their order."""
        with self.database.read() as connection:
            return Pages(connection, self.name, self.now()).stored(state, cursor, limit)

    def export(self, cursor: str | None = None, limit: int = 100) -> Page[Record]:
        """List all that is known of the messages page by page, one state after the other."""
        with self.database.read() as connection:
            return Pages(connection, self.name, self.now()).records(cursor, limit)

    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, in one transaction."""
        self._check_sizes(record.data for record in records)
        if not records:
            return []
        with self.database.write() as transaction:
            here, now = Messages(transaction, self.name), self.now()
            written = [here.write_record(record, now) for record in records]
        self._tell()
        return written

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead, in the order asked for."""
        with self.database.read() as connection:
            found = [Messages(connection, self.name).find(message_id) for message_id in message_ids]
        return [message for message in found if message is not None]

    def requeue(self, message_ids: Iterable[str]) -> list[str]:
        """Make dead or scheduled messages ready now, and return the ids of those that were."""
        with self.database.write() as transaction:
            here, now = Messages(transaction, self.name), self.now()
            requeued = [message_id for message_id in message_ids if here.requeue(message_id, now)]
        self._tell()
        return requeued

    def reschedule(self, message_ids: Iterable[str], eta: float) -> list[str]:
        """Make ready or scheduled messages due at another time, and return the ids of those that were."""
        with self.database.write() as transaction:
            here, now = Messages(transaction, self.name), self.now()
            changed = [message_id for message_id in message_ids if here.reschedule(message_id, eta, now)]
        self._tell()
        return changed

    def delete(self, message_ids: Iterable[str]) -> list[str]:
        """Forget messages in whatever state, and return the ids that were there."""
        with self.database.write() as transaction:
            here = Messages(transaction, self.name)
            return [message_id for message_id in message_ids if here.delete(message_id)]

    def pause(self) -> None:
        """Let every claim of every consumer come back empty until :meth:`resume`."""
        with self.database.write() as transaction:
            Messages(transaction, self.name).pause()

    def resume(self) -> None:
        """End a :meth:`pause`."""
        with self.database.write() as transaction:
            Messages(transaction, self.name).resume()
        self._tell()

    def flush(self) -> None:
        """Remove every message of this queue, in portions between which others can write. A pause stays."""
        more = True
        while more:
            with self.database.write() as transaction:
                # Both, though there be more of one of them alone.
                more = Messages(transaction, self.name).clear(_FLUSHED) | (
                    Groups(transaction, self.name, self.now()).clear(_FLUSHED)
                )
        self._purge()

    def _purge(self) -> None:
        """Delete what is left of forgotten groups, in portions between which others can write."""
        more = True
        while more:
            with self.database.write() as transaction:
                more = Groups(transaction, self.name, self.now()).purge(_FLUSHED)

    def now(self) -> float:
        """The time of this machine, in seconds since the epoch."""
        return self.database.clock()

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether the store is in the same file."""
        return isinstance(store, SQLiteDataStore) and store.database.settings.path == self.database.settings.path

    def settles_beside(self, name: str) -> bool:
        """Always: every queue of the file is in the same transaction."""
        return True

    def close(self) -> None:
        """Give back connections that are this queue's own."""
        if self._is_owner:
            self.database.close()

    def _tell(self, beside: Iterable[str] = ()) -> None:
        self.database.changes.signal(self._topic)
        for name in beside:
            self.database.changes.signal(_topic(name))

    def _check(self, outcome: Outcome) -> None:
        aim = outcome.wake if isinstance(outcome, Release) else outcome.result
        if aim is not None:
            self._of_this_file(aim.store)
        self._check_sizes(messages_in(outcome))

    def _of_this_file(self, store: BaseDataStore) -> SQLiteDataStore:
        if isinstance(store, SQLiteDataStore) and self.settles_into(store):
            return store
        raise Unsupported(f"{self!r} of huey-sqlite settles into data stores of its own file only")

    def _check_sizes(self, data: Iterable[bytes]) -> None:
        for each in data:
            if len(each) > self.max_message_size:
                raise MessageTooLarge(len(each), self.max_message_size, "huey-sqlite")


def _topic(queue: str) -> Hashable:
    return "queue", queue
