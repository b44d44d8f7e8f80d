"""How messages are written: one insertion for all, and a second look only at those that were there before."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pymongo import UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError, DuplicateKeyError, OperationFailure

from huey_core.backends import Written
from huey_mongo.documents import Document, message_document
from huey_mongo.indexes import DUPLICATE_KEY, ID
from huey_mongo.limits import raise_if_broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo.collection import Collection

    from huey_core.backends import Message
    from huey_mongo.cluster import Cluster

__all__ = ["explain", "free_ended_keys", "insert", "new_documents", "raise_unless_duplicates", "write"]

ATTEMPTS: Final = 20
"""How often a message is tried whose unique key was held each time by a message that was gone at the next look."""


def write(cluster: Cluster, queue: str, messages: Sequence[Message]) -> list[Written]:
    """Write messages in their order; see :meth:`huey_core.backends.LeasedQueue.write_many`.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or refused a write.
    """
    if not messages:
        return []
    return insert(cluster, queue, new_documents(cluster, queue, messages))


def new_documents(cluster: Cluster, queue: str, messages: Sequence[Message]) -> list[Document]:
    """Make the documents of new messages, which take their places in the order by that."""
    now = cluster.estimate()
    first = cluster.micros(len(messages))
    return [message_document(queue, message, first + n, now) for n, message in enumerate(messages)]


def insert(cluster: Cluster, queue: str, documents: Sequence[Document]) -> list[Written]:
    """Insert documents of new messages, and say what became of each.

    Messages with unique keys are never written without the index that keeps them unique. Others may be within a second
    after it has gone: an insertion cannot ask for an index, and an update that inserts takes half as long again.

    When the connection breaks before the reply, they are inserted once more: their ``_id`` tells those that had
    arrived.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or refused a write.
    """
    written: dict[int, Written] = {}
    left = list(range(len(documents)))
    for _ in range(ATTEMPTS):
        refused = _insert(cluster, [documents[index] for index in left])
        written |= {
            index: Written(True, documents[index]["id"]) for place, index in enumerate(left) if place not in refused
        }
        left = [left[place] for place in sorted(refused)]
        if not left:
            break
        written |= explain(cluster.collection, queue, documents, left)
        left = [index for index in left if index not in written]
        if not left:
            break
        free_ended_keys(cluster.collection, queue, [documents[index]["unique"] for index in left])
    else:
        raise RuntimeError(f"the unique keys of {len(left)} messages changed hands at every one of {ATTEMPTS} attempts")
    return [written[index] for index in range(len(documents))]


def free_ended_keys(collection: Collection[Document], queue: str, keys: Sequence[str]) -> None:
    """Take unique keys from documents that hold them for a time which is over."""
    collection.update_many(
        {
            "queue": queue,
            "unique": {"$in": list(keys)},
            "until": {"$type": "date"},
            "$expr": {"$lte": ["$until", "$$NOW"]},
        },
        {"$unset": {"unique": "", "holder": ""}},
    )


def _insert(cluster: Cluster, documents: Sequence[Document]) -> set[int]:
    """Insert documents and return the places of those that were refused as duplicates."""
    try:
        return _insert_once(cluster, documents)
    except AutoReconnect as error:
        if error.timeout:
            # It is the server that does not answer, and not this connection that broke.
            raise
        return _insert_once(cluster, documents)


def _insert_once(cluster: Cluster, documents: Sequence[Document]) -> set[int]:
    collection = cluster.collection
    try:
        if cluster.may_do_without_index(any("unique" in document for document in documents)):
            return _insert_anywhere(collection, documents)
        refused = cluster.with_index(ID, lambda collection, hint: _insert_beside_index(collection, documents, hint))
    except OperationFailure as error:
        raise_if_broken(error)
        raise
    cluster.met_indexes()
    return refused


def _insert_anywhere(collection: Collection[Document], documents: Sequence[Document]) -> set[int]:
    try:
        if len(documents) == 1:
            # For a list of one the driver takes some 15 microseconds more.
            with suppress(DuplicateKeyError):
                collection.insert_one(documents[0])
                return set()
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        raise_unless_duplicates(error)
        return {each["index"] for each in error.details["writeErrors"]}
    return set()


def _insert_beside_index(collection: Collection[Document], documents: Sequence[Document], hint: str | None) -> set[int]:
    """Insert documents where an index is there; elsewhere nothing is inserted, and it is an error."""
    writes = [
        UpdateOne({"queue": each["queue"], "id": each["id"]}, {"$setOnInsert": each}, upsert=True, hint=hint)
        for each in documents
    ]
    try:
        inserted = set(collection.bulk_write(writes, ordered=False).upserted_ids or {})
    except BulkWriteError as error:
        raise_unless_duplicates(error)
        inserted = {each["index"] for each in error.details["upserted"]}
    return set(range(len(documents))) - inserted


def raise_unless_duplicates(error: BulkWriteError) -> None:
    """Raise the error again, unless all that a server has refused are documents that were there."""
    details = error.details
    if details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in details["writeErrors"]):
        raise error


def explain(
    collection: Collection[Document], queue: str, documents: Sequence[Document], places: Sequence[int]
) -> dict[int, Written]:
    """Find out for which message each of these documents was refused; what has no answer may be tried again."""
    ids = [documents[place]["id"] for place in places]
    keys = [documents[place]["unique"] for place in places if "unique" in documents[place]]
    live = {each["id"]: each["_id"] for each in collection.find({"queue": queue, "id": {"$in": ids}}, {"id": 1})}
    holders: dict[str, str] = {}
    if keys:
        taken = {
            "queue": queue,
            "unique": {"$in": keys},
            "$or": [{"until": {"$exists": False}}, {"$expr": {"$gt": ["$until", "$$NOW"]}}],
        }
        holders = {each["unique"]: each["holder"] for each in collection.find(taken, {"unique": 1, "holder": 1})}
    explained = {}
    for place in places:
        document = documents[place]
        if document["id"] in live:
            # Only a repeated insertion meets its own document.
            explained[place] = Written(live[document["id"]] == document["_id"], document["id"])
        elif document.get("unique") in holders:
            explained[place] = Written(False, holders[document["unique"]])
    return explained
