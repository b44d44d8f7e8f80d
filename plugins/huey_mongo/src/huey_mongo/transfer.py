"""Whole records: read page by page in the order of their ids, imported, and due at another time.

The index of the ids is the one order in which a message keeps its place, whatever becomes of it, and in which no two
have the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bson import Int64, ObjectId

from huey_core.backends import Message, Page, Record, State, StoredMessage
from huey_mongo.claiming import SERVER_MILLIS
from huey_mongo.clock import millis
from huey_mongo.cursors import read_cursor, write_cursor
from huey_mongo.documents import Document, burial, message_document, record_of, stored_message
from huey_mongo.writing import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends import Written
    from huey_mongo.cluster import Cluster

__all__ = ["export", "import_many", "pages", "reschedule"]

WINDOW: Final = 5000
"""The most messages of other states that are passed over for one page."""

PORTION: Final = 1000
"""The most messages of one update by id."""

CURSOR: Final = "messages"


def pages(cluster: Cluster, queue: str, state: State, cursor: str | None, limit: int) -> Page[StoredMessage]:
    """List messages in one state; see :meth:`huey_core.backends.LeasedQueue.pages`.

    Raises:
        ConfigurationError: The cursor is not one of this method, or of :func:`export`.
    """
    collection, wanted = cluster.collection, _after(queue, cursor)
    last = next(collection.find(wanted, {"id": 1, "_id": 0}).sort("id", 1).skip(WINDOW - 1).limit(1), None)
    if last is not None:
        wanted["id"]["$lte"] = last["id"]
    found = list(collection.find({**wanted, "state": state.value}).sort("id", 1).limit(limit + 1))
    if len(found) > limit:
        last = found[limit - 1]
    items = [stored_message(document) for document in found[:limit]]
    return Page(items, None if last is None else write_cursor(CURSOR, last["id"]))


def export(cluster: Cluster, queue: str, cursor: str | None, limit: int) -> Page[Record]:
    """List all messages; see :meth:`huey_core.backends.LeasedQueue.export`.

    Raises:
        ConfigurationError: The cursor is not one of this function, or of :func:`pages`.
    """
    found = list(cluster.collection.find(_after(queue, cursor)).sort("id", 1).limit(limit + 1))
    now = cluster.estimate()
    page = found[:limit]
    more = write_cursor(CURSOR, page[-1]["id"]) if len(found) > limit else None
    return Page([record_of(document, now) for document in page], more)


def import_many(cluster: Cluster, queue: str, records: Sequence[Record]) -> list[Written]:
    """Write messages as another queue knew them; see :meth:`huey_core.backends.LeasedQueue.import_many`.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or refused a write.
    """
    if not records:
        return []
    now = cluster.estimate()
    first = cluster.micros(len(records))
    return insert(cluster, queue, [_imported(queue, record, first + n, now) for n, record in enumerate(records)])


def reschedule(cluster: Cluster, queue: str, message_ids: Sequence[str], eta: float) -> list[str]:
    """Make ready or scheduled messages due at another time; see :meth:`huey_core.backends.LeasedQueue.reschedule`."""
    mark, at = ObjectId(), Int64(millis(eta))
    later = {"$gt": [at, SERVER_MILLIS]}
    changes = {
        "state": {"$cond": [later, State.SCHEDULED.value, State.READY.value]},
        "at": {"$cond": [later, at, "$rank"]},
        "mark": mark,
    }
    collection, moved = cluster.collection, set()
    for start in range(0, len(message_ids), PORTION):
        asked: Document = {"queue": queue, "id": {"$in": list(message_ids[start : start + PORTION])}}
        waiting = {**asked, "state": {"$in": [State.READY.value, State.SCHEDULED.value]}}
        if collection.update_many(waiting, [{"$set": changes}]).modified_count:
            moved |= {each["id"] for each in collection.find({**asked, "mark": mark}, {"id": 1})}
    return [message_id for message_id in dict.fromkeys(message_ids) if message_id in moved]


def _after(queue: str, cursor: str | None) -> dict[str, Any]:
    return {"queue": queue, "id": {"$exists": True} if cursor is None else {"$gt": read_cursor(CURSOR, cursor)}}


def _imported(queue: str, record: Record, micros: int, now: float) -> Document:
    eta = record.due if record.state == State.SCHEDULED else None
    message = Message(record.data, record.message_id, record.priority, eta, record.unique_key, record.unique_for)
    document = message_document(queue, message, micros, now)
    document["attempt"] = record.attempt
    if record.state == State.DEAD:
        document |= burial(int((now if record.due is None else record.due) * 1e6), record.reason, record.detail)
        del document["at"]
    holds = record.state != State.DEAD if record.unique_for is None else record.unique_for > 0
    if record.unique_key is not None and not holds:
        del document["unique"], document["holder"]
    return document
