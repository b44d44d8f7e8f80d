"""The statements of groups of messages: who has arrived, within a transaction of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends import Page, StoredGroup
from huey_sqlite.pages import bad_cursor

if TYPE_CHECKING:
    import sqlite3

    from huey_core.backends import Arrival

__all__ = ["Groups"]

_PURGED: Final = 20
"""Rows of forgotten groups that go with each arrival: far more than come, so that they do not pile up."""

_LIST: Final = "SELECT id, arrived, of, expires FROM arrival_group WHERE queue = :queue AND expires > :now AND"

_OF_QUEUE: Final = "SELECT seq FROM arrival_group WHERE queue = ? AND id IS NOT NULL LIMIT ?"

_FORGET: Final = "UPDATE arrival_group SET id = NULL, expires = 0"


class Groups:
    """The groups of one queue, over one connection, at one moment.

    Args:
        connection: Within a transaction for whatever writes.
        queue: The queue's name.
        now: The time in seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, queue: str, now: float) -> None:
        self._execute = connection.execute
        self._queue = queue
        self._now = now

    def note(self, arrival: Arrival) -> bool:
        """Note that a member has arrived, and say whether it was the last of its group."""
        found = self._execute(
            "SELECT seq, arrived, of FROM arrival_group WHERE queue = ? AND id = ? AND expires > ?",
            (self._queue, arrival.group, self._now),
        ).fetchone()
        expires = self._now + arrival.ttl
        if found is None:
            seq, arrived = self._begin(arrival, 0, expires), 0
        else:
            seq, arrived, of = found
            if arrived >= of:
                return False
        member = self._execute(
            "INSERT INTO arrival (group_seq, member) VALUES (?, ?) ON CONFLICT DO NOTHING", (seq, arrival.member)
        )
        if member.rowcount == 0:
            return False
        arrived += 1
        is_last: bool = arrived >= arrival.of
        if is_last:
            # Nobody asks for its members any more.
            self._begin(arrival, arrived, expires)
        else:
            self._execute(
                "UPDATE arrival_group SET arrived = ?, of = ?, expires = ? WHERE seq = ?",
                (arrived, arrival.of, expires, seq),
            )
        self.purge(_PURGED)
        return is_last

    def _begin(self, arrival: Arrival, arrived: int, expires: float) -> int | None:
        """Begin a group without members in the place of one that is there, and return its number."""
        self._execute(f"{_FORGET} WHERE queue = ? AND id = ?", (self._queue, arrival.group))
        return self._execute(
            "INSERT INTO arrival_group (queue, id, arrived, of, expires) VALUES (?, ?, ?, ?, ?)",
            (self._queue, arrival.group, arrived, arrival.of, expires),
        ).lastrowid

    def page(self, cursor: str | None, limit: int) -> Page[StoredGroup]:
        """List groups by their ids.

        Raises:
            ConfigurationError: The cursor is not one of these pages.
        """
        which = "id IS NOT NULL" if cursor is None else "id > :after"
        rows = self._execute(
            f"{_LIST} {which} ORDER BY id LIMIT :limit",
            {
                "queue": self._queue,
                "after": None if cursor is None else _id_in(cursor),
                "now": self._now,
                "limit": limit + 1,
            },
        ).fetchall()
        groups = [StoredGroup(*row) for row in rows[:limit]]
        return Page(groups, _cursor_of(groups[-1]) if len(rows) > limit else None)

    def forget(self, group: str) -> bool:
        """Forget a group, complete or not, and say whether it was there."""
        cursor = self._execute(f"{_FORGET} WHERE queue = ? AND id = ? AND expires > ?", (self._queue, group, self._now))
        return cursor.rowcount == 1

    def clear(self, limit: int) -> bool:
        """Forget up to ``limit`` groups, and say whether there may be more."""
        cursor = self._execute(f"{_FORGET} WHERE seq IN ({_OF_QUEUE})", (self._queue, limit))
        return cursor.rowcount == limit

    def purge(self, limit: int) -> bool:
        """Delete up to ``limit`` rows of what any queue has forgotten, and say whether there may be more."""
        while limit > 0:
            found = self._execute(
                "SELECT seq, id FROM arrival_group WHERE expires <= ? ORDER BY expires LIMIT 1", (self._now,)
            ).fetchone()
            if found is None:
                return False
            seq, name = found
            if name is not None:
                # So that it stays forgotten, though the clock be set back before all its rows are deleted.
                self._execute(f"{_FORGET} WHERE seq = ?", (seq,))
            limit -= self._execute(
                "DELETE FROM arrival WHERE group_seq = ? AND member IN"
                " (SELECT member FROM arrival WHERE group_seq = ? LIMIT ?)",
                (seq, seq, limit),
            ).rowcount
            if limit > 0:
                limit -= self._execute("DELETE FROM arrival_group WHERE seq = ?", (seq,)).rowcount
        return True


def _cursor_of(group: StoredGroup) -> str:
    return f"group:{group.group.encode().hex()}"


def _id_in(cursor: str) -> str:
    kind, colon, digits = cursor.partition(":")
    try:
        name = bytes.fromhex(digits).decode()
    except ValueError:
        raise bad_cursor(cursor) from None
    if kind + colon != "group:":
        raise bad_cursor(cursor)
    return name
