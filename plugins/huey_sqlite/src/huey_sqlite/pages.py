"""The messages of a queue page by page, by keys that do not change as long as a message stays in its state.

What is ready goes by its place in the order and what is dead by the time of its burial, both by an index. The due times
of what is scheduled or running may change, so these go by the order of writing: each page takes a walk through the
index of their due times, some 15 ms for 100,000 messages, which holds nobody up.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from huey_core.backends import MAX_PRIORITY, Page, Record, State, StoredMessage
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["Pages", "bad_cursor"]

_SELECT: Final = (
    "SELECT m.seq, m.id, m.data, m.state, m.priority, m.attempt, m.due, m.reason, m.detail, m.unique_key,"
    " CASE WHEN m.unique_for IS NOT NULL THEN max(0, ifnull(u.expires - :now, 0)) END"
    " FROM message AS m LEFT JOIN unique_key AS u ON u.queue = m.queue AND u.key = m.unique_key"
    " AND u.message_id = m.id"
    " WHERE m.queue = :queue AND"
)

_WRITTEN_LATER: Final = (
    "SELECT seq FROM message WHERE queue = :queue AND state = :state AND due IS NOT NULL AND seq > :seq"
    " ORDER BY seq LIMIT :limit"
)

_RANKS: Final = 2**41
"""Messages that a priority has room for in a rank, which is still an exact float with the highest of them."""

_LAST_SEQ: Final = 2**63 - 1
"""The largest number of a row."""

_LIFE: Final = (State.SCHEDULED, State.READY, State.RUNNING, State.DEAD)
"""The states in the order of a message's life: one that changes its state meanwhile is rather listed twice than not."""


class _Row(NamedTuple):
    seq: int
    message_id: str
    data: bytes
    state: str
    priority: int
    attempt: int
    due: float | None
    reason: str
    detail: str
    unique_key: str | None
    unique_for: float | None


class _Position(NamedTuple):
    """Where a page begins: behind the message of this number, or at the beginning of the state.

    Attributes:
        state: The state that is listed.
        key: What its messages are sorted by, before their numbers.
        seq: The number.
    """

    state: State
    key: float
    seq: int

    @classmethod
    def start(cls, state: State) -> Self:
        return cls(state, MAX_PRIORITY + 1 if state == State.READY else -sys.float_info.max, 0)

    @classmethod
    def behind(cls, row: _Row) -> Self:
        state = State(row.state)
        key = row.priority if state == State.READY else row.due
        return cls(state, key or 0, row.seq)

    @classmethod
    def parse(cls, cursor: str) -> Self:
        try:
            state, key, seq = cursor.split(":")
            position = cls(State(state), float(key), int(seq))
        except ValueError:
            raise bad_cursor(cursor) from None
        if math.isnan(position.key) or not 0 <= position.seq <= _LAST_SEQ:
            raise bad_cursor(cursor)
        return position

    def __str__(self) -> str:
        return f"{self.state}:{float(self.key)!r}:{self.seq}"


class Pages:
    """The pages of one queue, over one connection, at one moment.

    Args:
        connection: The connection.
        queue: The queue's name.
        now: The time in seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, queue: str, now: float) -> None:
        self._execute = connection.execute
        self._queue = queue
        self._now = now

    def stored(self, state: State, cursor: str | None, limit: int) -> Page[StoredMessage]:
        """List the messages in a state.

        Raises:
            ConfigurationError: The cursor is not one of these pages.
        """
        start = _Position.start(state) if cursor is None else _Position.parse(cursor)
        if cursor is not None and start.state != state:
            raise bad_cursor(cursor)
        rows = self._rows(start, limit + 1)
        return Page([StoredMessage(*_shown(row)) for row in rows[:limit]], _next(rows, limit))

    def records(self, cursor: str | None, limit: int) -> Page[Record]:
        """List all that is known of the messages in every state.

        Raises:
            ConfigurationError: The cursor is not one of these pages.
        """
        start = _Position.start(_LIFE[0]) if cursor is None else _Position.parse(cursor)
        rows = self._rows(start, limit + 1)
        for state in _LIFE[_LIFE.index(start.state) + 1 :]:
            if len(rows) <= limit:
                rows += self._rows(_Position.start(state), limit + 1 - len(rows))
        return Page([self._record(row) for row in rows[:limit]], _next(rows, limit))

    def _rows(self, start: _Position, limit: int) -> list[_Row]:
        # Only in these words does SQLite see that a partial index has every message that is asked for.
        match start.state:
            case State.READY:
                rows = self._select(
                    "m.state = 'ready' AND m.priority = :key AND m.seq > :seq ORDER BY m.seq", start, limit
                )
                if len(rows) == limit:
                    return rows
                lower = "m.state = 'ready' AND m.priority < :key ORDER BY m.priority DESC, m.seq"
                return rows + self._select(lower, start, limit - len(rows))
            case State.DEAD:
                later = "m.state = 'dead' AND m.due IS NOT NULL AND (m.due, m.seq) > (:key, :seq) ORDER BY m.due, m.seq"
                return self._select(later, start, limit)
            case _:
                return self._select(f"m.seq IN ({_WRITTEN_LATER}) ORDER BY m.seq", start, limit)

    def _select(self, which: str, start: _Position, limit: int) -> list[_Row]:
        values = {
            "queue": self._queue,
            "now": self._now,
            "state": start.state,
            "key": start.key,
            "seq": start.seq,
            "limit": limit,
        }
        return [_Row(*row) for row in self._execute(f"{_SELECT} {which} LIMIT :limit", values)]

    def _record(self, row: _Row) -> Record:
        return Record(
            *_shown(row),
            rank=row.seq - row.priority * _RANKS,
            unique_key=row.unique_key,
            unique_for=row.unique_for,
        )


def _shown(row: _Row) -> tuple[str, bytes, State, int, int, float | None, str, str]:
    return row.message_id, row.data, State(row.state), row.priority, row.attempt, row.due, row.reason, row.detail


def _next(rows: Sequence[_Row], limit: int) -> str | None:
    """The cursor of the page after this one, of which more rows than ``limit`` were looked for."""
    return str(_Position.behind(rows[limit - 1])) if len(rows) > limit else None


def bad_cursor(cursor: str) -> ConfigurationError:
    """Say that a cursor was not made by this list."""
    return ConfigurationError(
        f"{cursor!r} is not a cursor of this list; begin without one, and go on with that of the page before"
    )
