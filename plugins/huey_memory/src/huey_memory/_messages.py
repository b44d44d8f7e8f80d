"""The messages of one queue: what a write, a claim and an outcome change, with no lock, no wait and no clock.

The caller holds the space's lock and says what time it is, so every method here is one atomic step. Whoever writes a
backend for a server has to make the same steps atomic in that server's way.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from huey_core.backends import (
    Ack,
    Bury,
    Counts,
    Delivery,
    Message,
    Outcome,
    Release,
    Reported,
    Retry,
    State,
    StoredMessage,
    Written,
    abandoned_reason,
)
from huey_memory._collections import ExpiringDict, Key, Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Messages"]


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


class Messages:
    """Every message of one queue, on one shelf per state: ready by rank, scheduled and running by time, dead by burial.

    Attributes:
        paused: While true, :meth:`take` gives nothing out.
    """

    portion: Final = 1000
    """The most messages that one :meth:`surface` moves, so that a flood of due messages does not hold the lock."""

    def __init__(self) -> None:
        self.paused = False
        self._records: dict[str, _Entry] = {}
        self._shelves = {state: Shelf() for state in State}
        # Dead letters by the time from which a claim may name them.
        self._unreported = Shelf()
        self._holders: ExpiringDict[str] = ExpiringDict()
        self._serial = itertools.count(1)

    def write(self, message: Message, now: float) -> Written:
        """Add a message, unless its id is known or its unique key is taken."""
        if message.message_id in self._records:
            return Written(created=False, message_id=message.message_id)
        holder = self._holder(message, now)
        if holder is not None:
            return Written(created=False, message_id=holder)
        if message.unique_key is not None:
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

    def report_done(self, report: Reported, now: float) -> None:
        """Write what follows a dead letter that is to be reported, and let no claim name it again."""
        if self._unreported.get(report.message_id) is not None:
            self._unreported.discard(report.message_id)
            self._write_what_follows(report, now)

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

    def settle(self, outcome: Outcome, now: float) -> bool:
        """End a delivery and write what follows it; a stale receipt changes nothing and returns ``False``."""
        record = self._running(outcome.delivery)
        if record is None:
            return False
        match outcome:
            case Ack():
                self._forget(record, now)
                self._write_what_follows(outcome, now)
            case Retry():
                record.message = dataclasses.replace(record.message, data=outcome.data)
                if not outcome.keep_attempts:
                    record.attempt = 0
                self._place(record, now + outcome.delay, now)
            case Release():
                record.attempt -= 1
                self._place(record, now + outcome.delay, now)
            case Bury():
                self._bury(record, outcome.reason, outcome.detail, now)
                self._write_what_follows(outcome, now)
            case _:
                assert_never(outcome)
        return True

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
        self._holders.clear()
        for shelf in (*self._shelves.values(), self._unreported):
            shelf.clear()

    def _running(self, delivery: Delivery) -> _Entry | None:
        record = self._records.get(delivery.message_id)
        return record if record is not None and record.receipt == delivery.receipt else None

    def _write_what_follows(self, end: Ack | Bury | Reported, now: float) -> None:
        for message in end.follow_ups:
            self.write(message, now)

    def _holder(self, message: Message, now: float) -> str | None:
        return None if message.unique_key is None else self._holders.get(message.unique_key, now)

    def _place(self, record: _Entry, eta: float | None, now: float) -> None:
        if eta is None or eta <= now:
            self._move(record, State.READY)
        else:
            self._move(record, State.SCHEDULED, eta)

    def _move(self, record: _Entry, state: State, due: float | None = None, key: Key | None = None) -> None:
        name = record.message.message_id
        self._shelves[record.state].discard(name)
        record.state, record.due, record.receipt = state, due, ""
        self._shelves[state].add(name, key or (record.rank if due is None else (due, record.rank[1])))

    def _bury(self, record: _Entry, reason: str, detail: str, now: float) -> None:
        self._move(record, State.DEAD, due=now, key=(-next(self._serial), 0))
        record.reason, record.detail = reason, detail
        self._free_key(record.message, now)

    def _forget(self, record: _Entry, now: float) -> None:
        name = record.message.message_id
        self._shelves[record.state].discard(name)
        self._unreported.discard(name)
        del self._records[name]
        self._free_key(record.message, now)

    def _free_key(self, message: Message, now: float) -> None:
        if message.unique_key is None or message.unique_for is not None:
            return
        if self._holders.get(message.unique_key, now) == message.message_id:
            self._holders.discard(message.unique_key)


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
