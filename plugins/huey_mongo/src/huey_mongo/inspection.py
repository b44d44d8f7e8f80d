"""What an operator may ask and do: count, list, find, requeue and delete messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bson import ObjectId
from pymongo import DeleteMany, UpdateOne
from pymongo.errors import BulkWriteError

from huey_core.backends import Counts, State, StoredMessage
from huey_mongo.documents import COMPLETE, DONE, OPEN, PAUSED, PAUSED_AT, Document, pause_id, stored_message
from huey_mongo.groups import flush_groups
from huey_mongo.indexes import DUPLICATE_KEY
from huey_mongo.outbox import HAS_NONE, dispatch
from huey_mongo.writing import free_ended_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from huey_mongo.cluster import Cluster

__all__ = ["Inspection"]

PORTION: Final = 1000
"""The most messages of one query by id."""

CONTENT: Final = ("id", "at", "rank", "data", "attempt", "token", "key", "buried", "reason", "detail", "unreported")
"""What only a live or dead message has."""

WAITING: Final = (State.DEAD.value, State.SCHEDULED.value)
"""The states from which a message can be requeued."""


class Inspection:
    """The messages of one queue.

    Args:
        cluster: The connection.
        queue: The queue's name.
    """

    def __init__(self, cluster: Cluster, queue: str) -> None:
        self._cluster = cluster
        self._queue = queue
        self._mine = {"queue": queue}
        self._ready = {"queue": queue, "at": {"$lt": PAUSED_AT}}
        self._pause = {"queue": queue, "at": PAUSED_AT}

    def counts(self) -> Counts:
        """Count the messages in each state; what changes meanwhile may be counted twice or not at all."""
        count = self._cluster.collection.count_documents
        return Counts(
            ready=count(self._ready),
            scheduled=count(self._at_work(State.SCHEDULED)),
            running=count(self._at_work(State.RUNNING)),
            dead=count({**self._mine, "buried": {"$exists": True}}),
            paused=self.is_paused(),
        )

    def ready(self) -> int:
        """Count the messages that are ready."""
        return self._cluster.collection.count_documents(self._ready)

    def peek(self, state: State, offset: int, limit: int) -> list[StoredMessage]:
        """List messages in one state, the next to come first (the last buried, for dead)."""
        match State(state):
            case State.READY:
                wanted, order = self._ready, ("at", -1)
            case State.DEAD:
                wanted, order = {**self._mine, "buried": {"$exists": True}}, ("buried", -1)
            case _:
                wanted, order = self._at_work(State(state)), ("at", 1)
        if limit <= 0:
            return []
        found = self._cluster.collection.find(wanted).sort([order]).skip(offset).limit(limit)
        return [stored_message(document) for document in found]

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead, in the order asked for."""
        found = {document["id"]: document for document in self._by_id(list(message_ids))}
        return [stored_message(found[message_id]) for message_id in message_ids if message_id in found]

    def find_beside(self, message_id: str, other: Document) -> tuple[StoredMessage | None, Document | None]:
        """Return a message, and a document of another kind that a filter describes, in one query."""
        message = found = None
        for document in self._cluster.collection.find({"$or": [{**self._mine, "id": message_id}, other]}):
            if "id" in document:
                message = stored_message(document)
            else:
                found = document
        return message, found

    def requeue(self, message_ids: Sequence[str]) -> list[str]:
        """Make dead or scheduled messages ready, at the head of their priority."""
        fields = {"id": 1, "rank": 1, "key": 1, "state": 1}
        candidates = [each for each in self._by_id(message_ids, fields) if each["state"] in WAITING]
        self._dispatch_outboxes(candidates)
        requeued, taken = self._make_ready(candidates)
        if taken:
            free_ended_keys(self._cluster.collection, self._queue, [document["key"] for document in taken])
            requeued |= self._make_ready(taken)[0]
        return [message_id for message_id in dict.fromkeys(message_ids) if message_id in requeued]

    def delete(self, message_ids: Sequence[str]) -> list[str]:
        """Forget messages in whatever state; a unique key that was taken for a time stays taken."""
        found = list(self._by_id(message_ids, {"id": 1, "state": 1}))
        self._dispatch_outboxes(found)
        deleted = self._forget({each["_id"]: each["id"] for each in found}) if found else set()
        return [message_id for message_id in dict.fromkeys(message_ids) if message_id in deleted]

    def flush(self) -> None:
        """Remove every message, every unique key and every group. A pause stays."""
        # One for each index that can find some of them. Groups have members elsewhere.
        kinds: list[Document] = [
            {"at": {"$lt": PAUSED_AT}},
            {"at": {"$gt": PAUSED_AT}, "state": {"$nin": [OPEN, COMPLETE]}},
            {"buried": {"$exists": True}},
            {"unique": {"$exists": True}},
        ]
        self._cluster.collection.bulk_write([DeleteMany({**self._mine, **kind}) for kind in kinds], ordered=False)
        flush_groups(self._cluster, self._queue)

    def pause(self) -> None:
        """Put the document there that stands before all ready messages."""
        fields = {**self._pause, "state": PAUSED, "token": PAUSED}
        self._cluster.collection.update_one({"_id": pause_id(self._queue)}, {"$set": fields}, upsert=True)

    def resume(self) -> None:
        """Take it away again."""
        self._cluster.collection.delete_many(self._pause)

    def is_paused(self) -> bool:
        """Whether it is there."""
        return self._cluster.collection.find_one(self._pause, {"_id": 1}) is not None

    def _at_work(self, state: State) -> Document:
        return {"queue": self._queue, "at": {"$gt": PAUSED_AT}, "state": state.value}

    def _by_id(self, message_ids: Sequence[str], projection: Document | None = None) -> Iterator[Document]:
        for start in range(0, len(message_ids), PORTION):
            portion = list(message_ids[start : start + PORTION])
            yield from self._cluster.collection.find({**self._mine, "id": {"$in": portion}}, projection)

    def _dispatch_outboxes(self, found: Sequence[Document]) -> None:
        """Write what follows dead letters, before they are something else, or gone."""
        dead = [document["_id"] for document in found if document["state"] == State.DEAD]
        if dead:
            dispatch(self._cluster, self._queue, dead)

    def _forget(self, found: Mapping[ObjectId, str]) -> set[str]:
        """Forget messages, and return the ids of those that were messages until then, and not settled meanwhile.

        Args:
            found: The ids of the messages by the ``_id`` of their documents.
        """
        collection, mark = self._cluster.collection, ObjectId()
        # What was acked has no id any more: it is a result, or has follow-ups to be written. Nor is what follows a
        # message that was buried a moment ago thrown away with it.
        still = {"id": {"$exists": True}, **HAS_NONE}
        changes: list[Document] = [
            {
                "$set": {
                    "state": DONE,
                    "mark": mark,
                    "unique": {"$cond": [{"$gt": ["$until", None]}, "$unique", "$$REMOVE"]},
                    # The server removes them, should this process be killed before it does.
                    "expires": {"$ifNull": ["$until", "$$NOW"]},
                }
            },
            {"$unset": list(CONTENT)},
        ]
        changed = collection.update_many({"_id": {"$in": list(found)}, **still}, changes).modified_count
        marked = {"_id": {"$in": list(found)}, "mark": mark}
        forgotten = (
            set(found) if changed == len(found) else {each["_id"] for each in collection.find(marked, {"_id": 1})}
        )
        collection.delete_many({**marked, "unique": {"$exists": False}})
        return {found[each] for each in forgotten}

    def _make_ready(self, documents: Sequence[Document]) -> tuple[set[str], list[Document]]:
        """Make messages ready; return the ids of those that are, and the documents whose unique key is taken."""
        if not documents:
            return set(), []
        mark = ObjectId()
        # What was buried a moment ago, and has an outbox, is left alone until that is dispatched.
        still = {"state": {"$in": list(WAITING)}, **HAS_NONE}
        changes = [UpdateOne({"_id": each["_id"], **still}, _readiness(each, mark)) for each in documents]
        try:
            result = self._cluster.collection.bulk_write(changes, ordered=False)
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in refused):
                raise
            matched, places = error.details["nMatched"], {each["index"] for each in refused}
        else:
            matched, places = result.matched_count, set()
        free = [document for place, document in enumerate(documents) if place not in places]
        if matched < len(free):
            ids = [document["_id"] for document in free]
            marked = {each["_id"] for each in self._cluster.collection.find({"_id": {"$in": ids}, "mark": mark})}
            free = [document for document in free if document["_id"] in marked]
        return {document["id"] for document in free}, [documents[place] for place in sorted(places)]


def _readiness(document: Document, mark: ObjectId) -> Document:
    changes = {"state": State.READY.value, "at": document["rank"], "attempt": 0, "mark": mark}
    if "key" in document:
        changes |= {"unique": document["key"], "holder": document["id"]}
    return {"$set": changes, "$unset": dict.fromkeys(("buried", "reason", "detail", "unreported"), "")}
