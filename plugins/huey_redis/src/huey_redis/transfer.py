"""The messages of a queue in every state, page by page, and messages that come from another queue."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from huey_core.backends import Message, Page, State, Written
from huey_redis import scripts
from huey_redis.durations import LONGEST
from huey_redis.inspection import describe_death, record, stored_message
from huey_redis.paging import Place
from huey_redis.portions import PORTION, portions
from huey_redis.settling import message_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends import Record, StoredMessage
    from huey_redis.connection import Argument, Connections

__all__ = ["Transfer"]

EXPORTED: Final = (State.RUNNING, State.READY, State.SCHEDULED, State.DEAD)
"""The states in the order in which they are exported: so what runs stands before what was written later."""

SCAN_COUNT: Final = 1000
"""Running messages that one script call looks at."""


class Transfer:
    """Whole records of one queue's messages.

    Args:
        keys: The queue's keys.
        connections: The connections to use.
    """

    def __init__(self, keys: Sequence[bytes], connections: Connections) -> None:
        self._keys = keys
        self._connections = connections

    def page(self, state: State, cursor: str | None, limit: int) -> Page[StoredMessage]:
        """List messages in one state.

        Raises:
            ConfigurationError: The cursor is not one of that state.
        """
        place: Place | None = Place.of(cursor, (state,))
        rows: list[list[bytes]] = []
        while place is not None and len(rows) < limit:
            found, place = self._rows(place, limit - len(rows))
            rows += found
        return Page([stored_message(row) for row in rows], place and place.cursor)

    def export(self, cursor: str | None, limit: int) -> Page[Record]:
        """List records of all messages, state by state.

        Raises:
            ConfigurationError: The cursor is not one of an export.
        """
        place = Place.of(cursor, EXPORTED)
        rows: list[list[bytes]] = []
        while len(rows) < limit:
            found, behind = self._rows(place, limit - len(rows))
            rows += found
            if behind is None:
                if place.list == EXPORTED[-1]:
                    return Page([record(row) for row in rows], None)
                behind = Place(EXPORTED[EXPORTED.index(State(place.list)) + 1])
            place = behind
        return Page([record(row) for row in rows], place.cursor)

    def import_many(self, records: Sequence[Record]) -> list[Written]:
        """Write messages as another queue knew them, up to 100 in one step."""
        calls = [
            (self._keys, [argument for record in portion for argument in _record_arguments(record)])
            for portion in portions(records, lambda record: len(record.data) + len(record.detail))
        ]
        found = [live.decode() for reply in self._connections.run_many(scripts.IMPORT, calls) for live in reply]
        return [Written(not live, live or record.message_id) for record, live in zip(records, found, strict=True)]

    def _rows(self, place: Place, limit: int) -> tuple[list[list[bytes]], Place | None]:
        """Return some of the rows from a place on, and the place behind the last of them if there are more."""
        if place.list == State.RUNNING:
            return self._running_rows(place, limit)
        arguments = (place.list, place.score, place.member, min(limit, PORTION))
        rows, *last = self._connections.run(scripts.PAGES, self._keys, *arguments)
        return rows, place.behind(*last)

    def _running_rows(self, place: Place, limit: int) -> tuple[list[list[bytes]], Place | None]:
        """Do what :meth:`_rows` does for running messages.

        They are kept by the ends of their leases, which change all the time, and so are listed by their ranks, in which
        the server keeps no list. Each page looks at all of them, in small steps.
        """
        behind = (float(place.score), place.member) if place.score else None
        first: list[tuple[int, bytes]] = []
        cursor: bytes | int = 0
        while cursor != b"0":
            cursor, *entries = self._connections.run(scripts.RUNNING, self._keys, cursor, SCAN_COUNT, place.score)
            seen = {(int(rank), message_id) for message_id, rank in zip(entries[::2], entries[1::2], strict=True)}
            # A scan may come across an entry twice.
            candidates = seen.union(first)
            first = heapq.nsmallest(limit + 1, (entry for entry in candidates if behind is None or entry > behind))
        listed = first[:limit]
        calls = [(self._keys, portion) for portion in portions([message_id for _, message_id in listed])]
        found = self._connections.run_many(scripts.FIND, calls)
        running = [row for rows in found for row in rows if row[1] == State.RUNNING.encode()]
        if len(first) == len(listed):
            return running, None
        rank, message_id = listed[-1]
        return running, place.behind(b"%d" % rank, message_id)


def _record_arguments(record: Record) -> tuple[Argument, ...]:
    """Return what ``import.lua`` takes."""
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
    claim = "" if record.unique_key is None else ("u" if record.unique_for is None else "t") + record.unique_key
    buried = repr(LONGEST if record.due is None else record.due * 1000) if dead else ""
    why = describe_death(record.reason, record.detail) if dead else ""
    return (*message_arguments(message), claim, record.attempt, buried, why)
