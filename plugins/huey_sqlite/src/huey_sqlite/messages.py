"""The statements of the queues: each step of the contract, within a transaction of the caller's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from huey_core.backends import Counts, Delivery, Message, State, StoredMessage, Written, abandoned_reason

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from huey_core.backends import Record, Wake

__all__ = ["PORTION", "Messages", "Outlook", "queue_names"]

PORTION: Final = 500
"""Messages that one claim brings back, or buries, at most: a few milliseconds under the write lock."""

_STORED: Final = "SELECT id, data, state, priority, attempt, due, reason, detail FROM message WHERE queue = ?"

_ORDER: Final = {
    State.READY: "priority DESC, seq",
    State.SCHEDULED: "due, priority DESC, seq",
    State.RUNNING: "due, priority DESC, seq",
    State.DEAD: "due DESC, seq DESC",
}


_MAKE_READY: Final = "UPDATE message SET state = 'ready', due = NULL, wake_store = NULL, wake_key = NULL"


class Outlook(NamedTuple):
    """What a claim would find.

    Attributes:
        is_paused: Whether the queue is paused.
        has_ready: Whether a message is ready.
        next_due: When the next delayed message falls due, the next lease ends or a dead letter is to be named, in
            seconds since the epoch.
    """

    is_paused: bool
    has_ready: bool
    next_due: float | None

    def is_overdue(self, now: float) -> bool:
        """Whether something waits for a claim to bring it back, or to name it."""
        return self.next_due is not None and self.next_due <= now


class Messages:
    """The messages of one queue, over one connection.

    Args:
        connection: Within a transaction for whatever writes.
        queue: The queue's name.
    """

    def __init__(self, connection: sqlite3.Connection, queue: str) -> None:
        self._execute = connection.execute
        self._execute_many = connection.executemany
        self._queue = queue

    def outlook(self) -> Outlook:
        """Look at what a claim would find."""
        paused, ready, *dues = self._execute(
            "SELECT EXISTS (SELECT 1 FROM paused WHERE queue = :queue),"
            " EXISTS (SELECT 1 FROM message WHERE queue = :queue AND state = 'ready'),"
            " (SELECT min(due) FROM message WHERE queue = :queue AND state = 'scheduled' AND due IS NOT NULL),"
            " (SELECT min(due) FROM message WHERE queue = :queue AND state = 'running' AND due IS NOT NULL),"
            " (SELECT min(report_at) FROM message WHERE queue = :queue AND report_at IS NOT NULL)",
            {"queue": self._queue},
        ).fetchone()
        return Outlook(bool(paused), bool(ready), min((due for due in dues if due is not None), default=None))

    def bring_back(self, max_deliveries: int, now: float) -> None:
        """Make ready what fell due, and what has a lease that ended, or bury it when that was its last delivery.

        Each in a bounded portion, the oldest first.
        """
        scheduled = self._execute(
            "SELECT seq FROM message WHERE queue = ? AND state = 'scheduled' AND due <= ? ORDER BY due LIMIT ?",
            (self._queue, now, PORTION),
        ).fetchall()
        self._execute_many(f"{_MAKE_READY} WHERE seq = ?", scheduled)
        abandoned = self._execute(
            "SELECT seq, attempt FROM message WHERE queue = ? AND state = 'running' AND due <= ? ORDER BY due LIMIT ?",
            (self._queue, now, PORTION),
        ).fetchall()
        self._execute_many(
            "UPDATE message SET state = 'ready', due = NULL, receipt = NULL WHERE seq = ?",
            [(seq,) for seq, attempt in abandoned if attempt < max_deliveries],
        )
        self._execute_many(
            "UPDATE message SET state = 'dead', due = ?, report_at = ?, receipt = NULL, reason = ? WHERE seq = ?",
            [(now, now, abandoned_reason(attempt), seq) for seq, attempt in abandoned if attempt >= max_deliveries],
        )

    def unreported(self, now: float, until: float) -> list[str]:
        """Return the ids of a portion of the dead letters to be reported, each of them next after ``until``."""
        found = self._execute(
            "SELECT seq, id FROM message WHERE queue = ? AND report_at <= ? ORDER BY report_at, seq LIMIT ?",
            (self._queue, now, PORTION),
        ).fetchall()
        self._execute_many("UPDATE message SET report_at = ? WHERE seq = ?", [(until, seq) for seq, _ in found])
        return [name for _, name in found]

    def report_done(self, message_id: str) -> bool:
        """Note that a dead letter was reported, and say whether it was to be."""
        cursor = self._execute(
            "UPDATE message SET report_at = NULL WHERE queue = ? AND id = ? AND report_at IS NOT NULL",
            (self._queue, message_id),
        )
        return cursor.rowcount == 1

    def claim(self, limit: int, until: float) -> list[Delivery]:
        """Take the most urgent messages that are ready, under leases that end at ``until``."""
        # One UPDATE with RETURNING would do, and takes far longer for a few messages: its subquery needs a table.
        rows = self._execute(
            "SELECT seq, id, attempt, data FROM message WHERE queue = ? AND state = 'ready' "
            "ORDER BY priority DESC, seq LIMIT ?",
            (self._queue, limit),
        ).fetchall()
        token = os.urandom(8).hex()
        deliveries = [Delivery(data, name, f"{token}-{seq}", attempt + 1, seq) for seq, name, attempt, data in rows]
        self._execute_many(
            "UPDATE message SET state = 'running', due = ?, receipt = ?, attempt = ? WHERE seq = ?",
            [(until, each.receipt, each.attempt, each.private) for each in deliveries],
        )
        return deliveries

    def write_all(self, messages: Iterable[Message], now: float) -> list[Written]:
        """Write those of the messages that are no duplicates, in order."""
        return [self._write(message, now) for message in messages]

    def _write(self, message: Message, now: float, holds_key: bool = True) -> Written:
        """Write a message that is no duplicate, with its unique key or without taking that."""
        if message.unique_key is not None and holds_key:
            if self._execute(
                "SELECT 1 FROM message WHERE queue = ? AND id = ?", (self._queue, message.message_id)
            ).fetchone():
                return Written(False, message.message_id)
            expires = None
            if message.unique_for is not None:
                expires = now + message.unique_for
                self._forget_expired_keys(now)
            holder = self._take_key(message.unique_key, message.message_id, expires, now)
            if holder is not None:
                return Written(False, holder)
        # Written so that NaN, which SQLite would keep as NULL for ever, is no time to wait for.
        is_due = message.eta is None or not message.eta > now
        cursor = self._execute(
            "INSERT INTO message (queue, id, state, priority, due, unique_key, unique_for, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (queue, id) DO NOTHING",
            (
                self._queue,
                message.message_id,
                State.READY if is_due else State.SCHEDULED,
                message.priority,
                None if is_due else message.eta,
                message.unique_key,
                message.unique_for,
                message.data,
            ),
        )
        return Written(cursor.rowcount == 1, message.message_id)

    def write_record(self, record: Record, now: float) -> Written:
        """Write a message as another queue knew it, unless it is a duplicate."""
        is_dead = record.state == State.DEAD
        eta = record.due if record.state == State.SCHEDULED else None
        message = Message(record.data, record.message_id, record.priority, eta, record.unique_key, record.unique_for)
        holds_key = not is_dead if record.unique_for is None else record.unique_for > 0
        written = self._write(message, now, holds_key)
        if written.created:
            self._execute(
                "UPDATE message SET attempt = ? WHERE queue = ? AND id = ?",
                (record.attempt, self._queue, record.message_id),
            )
        if written.created and is_dead:
            buried = now if record.due is None else record.due
            self._execute(
                "UPDATE message SET state = 'dead', due = ?, reason = ?, detail = ? WHERE queue = ? AND id = ?",
                (buried, record.reason, record.detail, self._queue, record.message_id),
            )
        return written

    def _take_key(self, key: str, message_id: str, expires: float | None, now: float) -> str | None:
        """Take a unique key and return ``None``, or return the id of the message that has it."""
        taken = self._execute(
            "INSERT INTO unique_key (queue, key, message_id, expires) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (queue, key) DO UPDATE SET message_id = excluded.message_id, expires = excluded.expires"
            " WHERE unique_key.expires <= ?",
            (self._queue, key, message_id, expires, now),
        )
        return None if taken.rowcount == 1 else self._holder(key, now)

    def _holder(self, key: str, now: float) -> str | None:
        row = self._execute(
            "SELECT message_id FROM unique_key WHERE queue = ? AND key = ? AND (expires IS NULL OR expires > ?)",
            (self._queue, key, now),
        ).fetchone()
        return None if row is None else row[0]

    def _forget_expired_keys(self, now: float) -> None:
        # Called for each key that will expire: twice as many go as come, so they do not pile up.
        expired = "SELECT queue, key FROM unique_key WHERE expires <= ? ORDER BY expires LIMIT 2"
        self._execute_many(
            "DELETE FROM unique_key WHERE queue = ? AND key = ?", self._execute(expired, (now,)).fetchall()
        )

    def ack(self, delivery: Delivery) -> bool:
        """Forget a message that is still held."""
        return self._end("DELETE FROM message", delivery)

    def retry(self, delivery: Delivery, data: bytes, due: float | None, keep_attempts: bool) -> bool:
        """Replace the bytes of a message that is still held, and let it wait until it is due."""
        state = State.READY if due is None else State.SCHEDULED
        change = (
            "UPDATE message SET data = ?, state = ?, due = ?, receipt = NULL,"
            " attempt = CASE WHEN ? THEN attempt ELSE 0 END"
        )
        return self._end(change, delivery, data, state, due, keep_attempts)

    def release(self, delivery: Delivery, due: float | None, wake: Wake | None = None) -> bool:
        """Let a message that is still held wait until it is due, or is woken, as if it had not been delivered."""
        if due is None:
            change = "UPDATE message SET state = 'ready', due = NULL, receipt = NULL, attempt = attempt - 1"
            return self._end(change, delivery)
        change = (
            "UPDATE message SET state = 'scheduled', due = ?, receipt = NULL, attempt = attempt - 1,"
            " wake_store = ?, wake_key = ?"
        )
        return self._end(change, delivery, due, *((None, None) if wake is None else (wake.store.name, wake.key)))

    def wake(self, wake: Wake, limit: int) -> int:
        """Make ready the first messages that wait for a key, and say how many."""
        first = self._execute(
            "SELECT seq FROM message WHERE queue = ? AND wake_store = ? AND wake_key = ? AND wake_key IS NOT NULL"
            " ORDER BY priority DESC, seq LIMIT ?",
            (self._queue, wake.store.name, wake.key, max(limit, 0)),
        ).fetchall()
        self._execute_many(f"{_MAKE_READY} WHERE seq = ?", first)
        return len(first)

    def bury(self, delivery: Delivery, reason: str, detail: str, now: float) -> bool:
        """Make a dead letter of a message that is still held."""
        change = "UPDATE message SET state = 'dead', due = ?, receipt = NULL, reason = ?, detail = ?"
        return self._end(change, delivery, now, reason, detail)

    def extend(self, delivery: Delivery, until: float) -> bool:
        """Move the end of the lease of a message that is still held."""
        return self._end("UPDATE message SET due = ?", delivery, until)

    def _end(self, change: str, delivery: Delivery, *values: object) -> bool:
        # A receipt is given once, so it fits this delivery only, whatever message has the row's number by now.
        cursor = self._execute(f"{change} WHERE seq = ? AND receipt = ?", (*values, delivery.private, delivery.receipt))
        return cursor.rowcount == 1

    def count(self) -> Counts:
        """Count the messages in each state, by a walk through an index."""
        ready, scheduled, running, dead, paused = self._execute(
            "SELECT (SELECT count(*) FROM message WHERE queue = :queue AND state = 'ready'),"
            " (SELECT count(*) FROM message WHERE queue = :queue AND state = 'scheduled' AND due IS NOT NULL),"
            " (SELECT count(*) FROM message WHERE queue = :queue AND state = 'running' AND due IS NOT NULL),"
            " (SELECT count(*) FROM message WHERE queue = :queue AND state = 'dead' AND due IS NOT NULL),"
            " EXISTS (SELECT 1 FROM paused WHERE queue = :queue)",
            {"queue": self._queue},
        ).fetchone()
        return Counts(ready, scheduled, running, dead, paused=bool(paused))

    def peek(self, state: State, offset: int, limit: int) -> list[StoredMessage]:
        """List the messages in a state."""
        # Only in these words does SQLite see that a partial index has every message that is asked for.
        which = "state = 'ready'" if state == State.READY else f"state = '{state}' AND due IS NOT NULL"
        rows = self._execute(
            f"{_STORED} AND {which} ORDER BY {_ORDER[state]} LIMIT ? OFFSET ?", (self._queue, limit, offset)
        )
        return [_stored(row) for row in rows]

    def find(self, message_id: str) -> StoredMessage | None:
        """Return a message that is there."""
        row = self._execute(f"{_STORED} AND id = ?", (self._queue, message_id)).fetchone()
        return None if row is None else _stored(row)

    def requeue(self, message_id: str, now: float) -> bool:
        """Make a dead or scheduled message ready, unless another message has its unique key."""
        row = self._execute(
            "SELECT seq, unique_key, unique_for FROM message "
            "WHERE queue = ? AND id = ? AND state IN ('dead', 'scheduled')",
            (self._queue, message_id),
        ).fetchone()
        if row is None:
            return False
        seq, key, unique_for = row
        if key is not None:
            # A key that was taken for a time is not taken again: its time began with the write.
            ask = self._holder(key, now) if unique_for is not None else self._take_key(key, message_id, None, now)
            if ask not in {None, message_id}:
                return False
        self._execute(
            f"{_MAKE_READY}, report_at = NULL, attempt = 0, reason = '', detail = '' WHERE seq = ?",
            (seq,),
        )
        return True

    def reschedule(self, message_id: str, eta: float, now: float) -> bool:
        """Let a ready or scheduled message be due at another time."""
        due = eta if eta > now else None
        cursor = self._execute(
            "UPDATE message SET state = ?, due = ?, wake_store = NULL, wake_key = NULL"
            " WHERE queue = ? AND id = ? AND state IN ('ready', 'scheduled')",
            (State.READY if due is None else State.SCHEDULED, due, self._queue, message_id),
        )
        return cursor.rowcount == 1

    def delete(self, message_id: str) -> bool:
        """Forget a message in whatever state."""
        cursor = self._execute("DELETE FROM message WHERE queue = ? AND id = ?", (self._queue, message_id))
        return cursor.rowcount == 1

    def clear(self, limit: int) -> bool:
        """Forget up to ``limit`` messages and as many unique keys, and say whether there may be more."""
        messages = self._execute(
            "DELETE FROM message WHERE seq IN (SELECT seq FROM message WHERE queue = ? LIMIT ?)", (self._queue, limit)
        ).rowcount
        keys = self._execute(
            "DELETE FROM unique_key WHERE (queue, key) IN (SELECT queue, key FROM unique_key WHERE queue = ? LIMIT ?)",
            (self._queue, limit),
        ).rowcount
        return limit in {messages, keys}

    def pause(self) -> None:
        """Pause the queue."""
        self._execute("INSERT INTO paused (queue) VALUES (?) ON CONFLICT (queue) DO NOTHING", (self._queue,))

    def resume(self) -> None:
        """End a pause."""
        self._execute("DELETE FROM paused WHERE queue = ?", (self._queue,))


def _stored(row: tuple[str, bytes, str, int, int, float | None, str, str]) -> StoredMessage:
    message_id, data, state, priority, attempt, due, reason, detail = row
    return StoredMessage(message_id, data, State(state), priority, attempt, due, reason, detail)


def queue_names(connection: sqlite3.Connection) -> list[str]:
    """Name the queues that have messages, or are paused, from one to the next in an index."""
    rows = connection.execute(
        "WITH RECURSIVE named (queue) AS ("
        " SELECT min(queue) FROM message UNION ALL"
        " SELECT (SELECT min(queue) FROM message WHERE queue > named.queue) FROM named WHERE named.queue IS NOT NULL"
        ") SELECT queue FROM named WHERE queue IS NOT NULL UNION SELECT queue FROM paused ORDER BY queue"
    )
    return [name for (name,) in rows]
