"""The messages of one queue: what a write, a claim and an outcome change, with no lock, no wait and no clock.

The caller holds the space's lock and says what time it is, so every method here is one atomic step. Whoever writes a
backend for a server has to make the same steps atomic in that server's way.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from huey_core.backends import (
    Ack,
    Bury,
    Counts,
    Delivery,
    Message,
    Outcome,
    Page,
    Record,
    Release,
    Reported,
    Retry,
    State,
    StoredMessage,
    Written,
    abandoned_reason,
)
from huey_memory._collections import ExpiringDict, Key, Shelf
from huey_memory._groups import Groups
from huey_memory._paging import page_by_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Messages"]

WakeKey: TypeAlias = tuple[str, str]
"""What a postponed message waits for: the name of a data store and a key in it."""

_RANK_OF_PRIORITY: Final = 2**41
"""How far two messages of neighbouring priorities are apart in one number: as many as are ever written."""


@dataclass(slots=True)
class _Entry:
    """A message and where it is. ``rank`` is given at the write and never changes: what comes back goes to the head."""

    message: Message
    rank: Key
    state: State = State.READY
    due: float | None = None
    attempt: int = 0
    receipt: str = ""
    reason: str = ""
    detail: str = ""
    waits_for: WakeKey | None = None


class Messages:
    """Every message of one queue, on one shelf per state: ready by rank, scheduled and running by time, dead by burial.

    Attributes:
        paused: While true, :meth:`take` gives nothing out.
        groups: Whose members have arrived.
    """

    portion: Final = 1000
    """The most messages that one :meth:`surface` moves, so that a flood of due messages does not hold the lock."""

    def __init__(self) -> None:
        self.paused = False
        self._records: dict[str, _Entry] = {}
        self._shelves = {state: Shelf() for state in State}
        # Dead letters by the time from which a claim may name them.
        self._unreported = Shelf()
        # Postponed messages by what they wait for, each by rank.
        self._waiting: dict[WakeKey, Shelf] = {}
        self._holders: ExpiringDict[str] = ExpiringDict()
        self.groups: Final = Groups()
        self._serial = itertools.count(1)

    def write(self, message: Message, now: float) -> Written:
        """Add a message, unless its id is known or its unique key is taken."""
        if message.message_id in self._records:
            return Written(created=False, message_id=message.message_id)
        if message.unique_key is not None:
            holder = self._holders.get(message.unique_key, now)
            if holder is not None:
                return Written(created=False, message_id=holder)
            until = None if message.unique_for is None else now + message.unique_for
            self._holders.set(message.unique_key, message.message_id, now, until)
        record = _Entry(message, rank=(-message.priority, next(self._serial)))
        self._records[message.message_id] = record
        self._place(record, message.eta, now)
        return Written(created=True, message_id=message.message_id)

    def surface(self, now: float, max_deliveries: int) -> bool:
        """Bring a portion of what has fallen due back: delayed messages, and those whose lease has expired.

        Returns:
            Whether there may be more to bring back.
        """
        moved = 0
        for state in (State.SCHEDULED, State.RUNNING):
            while moved < self.portion:
                first = self._shelves[state].first()
                if first is None or first[0][0] > now:
                    break
                record = self._records[first[1]]
                if state is State.RUNNING and record.attempt >= max_deliveries:
                    self._bury(record, abandoned_reason(record.attempt), "", now)
                    self._unreported.add(record.message.message_id, (now, next(self._serial)))
                else:
                    self._move(record, State.READY)
                moved += 1
        return moved == self.portion

    def unreported(self, lease: float, now: float) -> list[str]:
        """Lease a portion of the dead letters that nobody has reported, and return their ids."""
        named: list[str] = []
        while len(named) < self.portion:
            first = self._unreported.first()
            if first is None or first[0][0] > now:
                break
            named.append(first[1])
            self._unreported.add(first[1], (now + lease, first[0][1]))
        return named

    def report_done(self, report: Reported, now: float, beside: Mapping[str, Messages]) -> None:
        """Write what follows a dead letter that is to be reported, and let no claim name it again."""
        if self._unreported.get(report.message_id) is not None:
            self._unreported.discard(report.message_id)
            self._write_what_follows(report, now, beside)

    def take(self, limit: int, lease: float, now: float) -> list[Delivery]:
        """Lease the first ready messages, each under a fresh receipt, and count the attempt."""
        deliveries: list[Delivery] = []
        while len(deliveries) < limit:
            first = self._shelves[State.READY].first()
            if first is None:
                break
            record = self._records[first[1]]
            record.attempt += 1
            self._move(record, State.RUNNING, now + lease)
            record.receipt = f"{next(self._serial):x}"
            message = record.message
            deliveries.append(Delivery(message.data, message.message_id, record.receipt, record.attempt))
        return deliveries

    def next_due(self) -> float | None:
        """When the next delayed message is due, the next lease expires or a dead letter is to be named, or ``None``."""
        shelves = (self._shelves[State.SCHEDULED], self._shelves[State.RUNNING], self._unreported)
        return min((first[0][0] for shelf in shelves if (first := shelf.first())), default=None)

    def settle(self, outcome: Outcome, now: float, beside: Mapping[str, Messages]) -> bool:
        """End a delivery and write what follows it; a stale receipt changes nothing and returns ``False``.

        Args:
            outcome: How it ends.
            now: The time.
            beside: The messages of other queues for which what follows is, by their names.
        """
        record = self._running(outcome.delivery)
        if record is None:
            return False
        match outcome:
            case Ack():
                self._forget(record, now)
                if outcome.follow_ups or outcome.arrivals:
                    self._write_what_follows(outcome, now, beside)
            case Retry():
                record.message = dataclasses.replace(record.message, data=outcome.data)
                if not outcome.keep_attempts:
                    record.attempt = 0
                self._place(record, now + outcome.delay, now)
            case Release():
                record.attempt -= 1
                self._place(record, now + outcome.delay, now)
                if outcome.wake is not None and record.state is State.SCHEDULED:
                    self._wait_for(record, (outcome.wake.store.name, outcome.wake.key))
            case Bury():
                self._bury(record, outcome.reason, outcome.detail, now)
                self._write_what_follows(outcome, now, beside)
            case _:
                assert_never(outcome)
        return True

    def free(self, key: WakeKey, limit: int) -> int:
        """Make the first of those that wait for a key ready, and return how many that were."""
        waiting = self._waiting.get(key, Shelf())
        freed = 0
        while freed < limit and (first := waiting.first()) is not None:
            self._move(self._records[first[1]], State.READY)
            freed += 1
        return freed

    def extend(self, delivery: Delivery, lease: float, now: float) -> bool:
        """Let a lease end ``lease`` seconds from now; a stale receipt changes nothing and returns ``False``."""
        record = self._running(delivery)
        if record is None:
            return False
        record.due = now + lease
        self._shelves[State.RUNNING].add(delivery.message_id, (record.due, record.rank[1]))
        return True

    def counts(self) -> Counts:
        """Count the messages on each shelf."""
        return Counts(**{state.value: len(shelf) for state, shelf in self._shelves.items()}, paused=self.paused)

    def peek(self, state: State, offset: int, limit: int) -> list[StoredMessage]:
        """List a part of a shelf in its order."""
        return self.find(self._shelves[state].smallest(offset + limit)[offset:])

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Show those of the messages that are here."""
        return [_shown(self._records[name]) for name in message_ids if name in self._records]

    def page(self, state: State, cursor: str | None, limit: int) -> Page[StoredMessage]:
        """List a part of a shelf in the order of writing, which nothing changes."""
        records = [record for record in self._records.values() if record.state is state]
        page = page_by_number(((record.rank[1], record) for record in records), cursor, limit)
        return Page([_shown(record) for record in page.items], page.cursor)

    def export(self, cursor: str | None, limit: int, now: float) -> Page[Record]:
        """List all that is known of a part of the messages, in the order of writing."""
        page = page_by_number(((record.rank[1], record) for record in self._records.values()), cursor, limit)
        return Page([self._exported(record, now) for record in page.items], page.cursor)

    def import_(self, record: Record, now: float) -> Written:
        """Add a message as another queue knew it, unless its id is known or the unique key that it holds is taken."""
        dead = record.state is State.DEAD
        holds_key = not dead if record.unique_for is None else record.unique_for > 0
        message = Message(
            record.data,
            record.message_id,
            record.priority,
            record.due if record.state is State.SCHEDULED else None,
            record.unique_key if holds_key else None,
            record.unique_for,
        )
        written = self.write(message, now)
        if written.created:
            entry = self._records[record.message_id]
            entry.message = dataclasses.replace(message, unique_key=record.unique_key)
            entry.attempt = record.attempt
            if dead:
                self._bury(entry, record.reason, record.detail, now if record.due is None else record.due)
        return written

    def reschedule(self, message_id: str, eta: float, now: float) -> bool:
        """Make a ready or scheduled message due at another time."""
        record = self._records.get(message_id)
        if record is None or record.state not in {State.READY, State.SCHEDULED}:
            return False
        self._place(record, eta, now)
        return True

    def requeue(self, message_id: str, now: float) -> bool:
        """Make a dead or scheduled message ready, unless another one has its unique key."""
        record = self._records.get(message_id)
        if record is None or record.state not in {State.DEAD, State.SCHEDULED}:
            return False
        message = record.message
        if self._holder(message, now) not in {None, message_id}:
            return False
        if message.unique_key is not None and message.unique_for is None:
            self._holders.set(message.unique_key, message_id, now)
        record.attempt = 0
        record.reason = record.detail = ""
        self._unreported.discard(message_id)
        self._move(record, State.READY)
        return True

    def delete(self, message_id: str, now: float) -> bool:
        """Forget a message wherever it is."""
        record = self._records.get(message_id)
        if record is None:
            return False
        self._forget(record, now)
        return True

    def clear(self) -> None:
        """Forget every message, and no pause.

        Receipts go on being fresh, so an old one cannot fit a message written afterwards.
        """
        self._records.clear()
        self._waiting.clear()
        self._holders.clear()
        self.groups.clear()
        for shelf in (*self._shelves.values(), self._unreported):
            shelf.clear()

    def __len__(self) -> int:
        return len(self._records)

    def _running(self, delivery: Delivery) -> _Entry | None:
        record = self._records.get(delivery.message_id)
        return record if record is not None and record.receipt == delivery.receipt else None

    def _write_what_follows(self, end: Ack | Bury | Reported, now: float, beside: Mapping[str, Messages]) -> None:
        for message in end.follow_ups:
            self._of(message, beside).write(message, now)
        for arrival in end.arrivals:
            there = self._of(arrival.then, beside)
            if there.groups.note(arrival, now):
                there.write(arrival.then, now)

    def _of(self, message: Message, beside: Mapping[str, Messages]) -> Messages:
        return self if message.queue is None else beside.get(message.queue, self)

    def _holder(self, message: Message, now: float) -> str | None:
        return None if message.unique_key is None else self._holders.get(message.unique_key, now)

    def _place(self, record: _Entry, eta: float | None, now: float) -> None:
        # Written so that NaN, which no heap can order, is no time to wait for.
        if eta is None or not eta > now:
            self._move(record, State.READY)
        else:
            self._move(record, State.SCHEDULED, eta)

    def _move(self, record: _Entry, state: State, due: float | None = None, key: Key | None = None) -> None:
        name = record.message.message_id
        self._shelves[record.state].discard(name)
        if record.waits_for is not None:
            self._end_wait(record, record.waits_for)
        record.state, record.due, record.receipt = state, due, ""
        self._shelves[state].add(name, key or (record.rank if due is None else (due, record.rank[1])))

    def _wait_for(self, record: _Entry, key: WakeKey) -> None:
        self._waiting.setdefault(key, Shelf()).add(record.message.message_id, record.rank)
        record.waits_for = key

    def _end_wait(self, record: _Entry, key: WakeKey) -> None:
        waiting = self._waiting[key]
        waiting.discard(record.message.message_id)
        if not waiting:
            del self._waiting[key]
        record.waits_for = None

    def _bury(self, record: _Entry, reason: str, detail: str, now: float) -> None:
        self._move(record, State.DEAD, due=now, key=(-now, -next(self._serial)))
        record.reason, record.detail = reason, detail
        self._free_key(record.message, now)

    def _forget(self, record: _Entry, now: float) -> None:
        name = record.message.message_id
        self._shelves[record.state].discard(name)
        if record.waits_for is not None:
            self._end_wait(record, record.waits_for)
        self._unreported.discard(name)
        del self._records[name]
        self._free_key(record.message, now)

    def _free_key(self, message: Message, now: float) -> None:
        if message.unique_key is None or message.unique_for is not None:
            return
        if self._holders.get(message.unique_key, now) == message.message_id:
            self._holders.discard(message.unique_key)

    def _exported(self, record: _Entry, now: float) -> Record:
        message = record.message
        key, unique_for = message.unique_key, None
        if key is not None and message.unique_for is not None:
            until = self._holders.until(key) if self._holder(message, now) == message.message_id else None
            unique_for = 0.0 if until is None else until - now
        return Record(
            **dataclasses.asdict(_shown(record)),
            rank=record.rank[0] * _RANK_OF_PRIORITY + record.rank[1],
            unique_key=key,
            unique_for=unique_for,
        )


def _shown(record: _Entry) -> StoredMessage:
    return StoredMessage(
        message_id=record.message.message_id,
        data=record.message.data,
        state=record.state,
        priority=record.message.priority,
        attempt=record.attempt,
        due=record.due,
        reason=record.reason,
        detail=record.detail,
    )
