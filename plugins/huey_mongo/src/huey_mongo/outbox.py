"""What a settlement left to be done: follow-up messages to write and results to store, kept in the message's document.

They are put there in the one update that settles the message, so a crash loses none of them. Who settled does the rest
at once; when it cannot, the document falls due like a message, and a later claim does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bson import Int64
from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, InvalidOperation, PyMongoError, WriteConcernError
from pymongo.write_concern import WriteConcern

from huey_core.backends import State
from huey_core.exceptions import QueueException
from huey_core.safe_logging import get_logger
from huey_mongo.clock import millis
from huey_mongo.documents import PREPARED
from huey_mongo.indexes import DUPLICATE_KEY, VALUE
from huey_mongo.prepared import commit, prepare, publish
from huey_mongo.writing import new_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo.collection import Collection

    from huey_core.backends import Message
    from huey_mongo.cluster import Cluster
    from huey_mongo.documents import Document

__all__ = [
    "HAS_NONE",
    "PATIENCE",
    "clear",
    "clear_prepared",
    "dispatch",
    "dispatch_or_leave",
    "due_outbox",
    "follow_up_documents",
    "put",
    "size_of",
]

logger = get_logger(__name__)

PATIENCE: Final = 10.0
"""Seconds after which another consumer takes care of an outbox."""

FOLLOW_UP_OVERHEAD: Final = 1024
"""Bytes that a follow-up takes in an outbox beside its data, at most, with ordinary ids and keys."""

LONG_PATIENCE: Final = 60.0
"""Seconds after which an outbox that could not be cleared is tried again."""

FIELDS: Final = ("next", "outcome", "committed")
HAS_OUTBOX: Final[Document] = {"$or": [{field: {"$exists": True}} for field in FIELDS]}
HAS_NONE: Final[Document] = {field: {"$exists": False} for field in FIELDS}


def size_of(messages: Sequence[Message]) -> int:
    """Return how many bytes messages take in an outbox at most."""
    return sum(len(message.data) + FOLLOW_UP_OVERHEAD for message in messages)


def follow_up_documents(cluster: Cluster, queue: str, messages: Sequence[Message]) -> list[Document]:
    """Make the documents of follow-ups as an outbox keeps them: each gets its ``_id`` when it is prepared."""
    documents = new_documents(cluster, queue, messages)
    for document in documents:
        del document["_id"]
    return documents


def due_outbox(cluster: Cluster) -> Int64:
    """Return the millisecond from which other consumers take care of an outbox that is made now."""
    return Int64(millis(cluster.estimate() + PATIENCE))


def dispatch_or_leave(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Dispatch what has just been settled; an error is logged, and the outboxes fall due for another claim.

    The settlement itself has taken effect, and an error would say that it had not.
    """
    try:
        dispatch(cluster, queue, documents)
    except Exception as error:  # noqa: BLE001 - whatever it is, the outboxes are kept
        logger.warning("follow-ups and results of %r are written later: %.300s", queue, error)


def dispatch(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Write the follow-ups and results of settled messages, and forget them.

    Any number may do it at the same time, and die at any point: see :mod:`huey_mongo.prepared`.

    Args:
        cluster: The connection.
        queue: The queue's name.
        documents: The ``_id`` of the settled messages in the order of their settlement; those without an outbox are
            passed over.
    """
    by_id = {each["_id"]: each for each in cluster.collection.find({"_id": {"$in": list(documents)}, **HAS_OUTBOX})}
    found = [by_id[each] for each in dict.fromkeys(documents) if each in by_id]
    if not found:
        return
    with_follow_ups = [document for document in found if "next" in document]
    prepared = prepare(cluster, queue, with_follow_ups, due_outbox(cluster))
    # Of several results for one key the last one stands.
    results = {(each["store"], each["name"]): each for each in (one["outcome"] for one in found if "outcome" in one)}
    if results:
        put(cluster, list(results.values()))
    ours = commit(cluster, with_follow_ups, prepared)
    before = [document for document in found if "committed" in document]
    publish(
        cluster,
        queue,
        [each for document in before for each in document["committed"]]
        + [each for document in ours for each in prepared[document["_id"]]],
    )
    _end(cluster, [*ours, *(document for document in found if "next" not in document)])


def clear_prepared(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Look after prepared follow-ups that fell due: who dispatched their outbox was killed, or is slow.

    Args:
        cluster: The connection.
        queue: The queue's name.
        documents: Their ``_id``.

    Raises:
        pymongo.errors.PyMongoError: As for :func:`clear`.
    """
    collection = cluster.collection
    still = {"_id": {"$in": list(documents)}, "state": PREPARED}
    sources = {each["_id"]: each["source"] for each in collection.find(still, {"source": 1})}
    clear(cluster, queue, list(dict.fromkeys(sources.values())))
    pending = collection.find({"_id": {"$in": list(sources.values())}, **HAS_OUTBOX}, {"_id": 1})
    kept = {each["_id"] for each in pending}
    # An outbox that is gone has published what it had committed; others can never be committed any more.
    aborted = [document for document, source in sources.items() if source not in kept]
    collection.delete_many({"_id": {"$in": aborted}, "state": PREPARED})
    if len(aborted) < len(sources):
        collection.update_many(still, {"$set": {"at": due_outbox(cluster)}})


def clear(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Dispatch what others left; what cannot be written is put off, so that it does not keep a claim from messages.

    Args:
        cluster: The connection.
        queue: The queue's name.
        documents: As for :func:`dispatch`.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or the write concern was not fulfilled.
    """
    try:
        dispatch(cluster, queue, documents)
    except Exception as error:
        if _is_server_error(error):
            raise
        if len(documents) > 1:
            for document in documents:
                clear(cluster, queue, [document])
            return
        later = millis(cluster.estimate() + LONG_PATIENCE)
        cluster.collection.update_one({"_id": documents[0], **HAS_OUTBOX}, {"$set": {"at": later}})
        # The driver's text repeats the whole document, which may be large.
        logger.error(
            "follow-ups or a result of %r could not be written, retrying in %g s: %.300s",
            queue,
            LONG_PATIENCE,
            error,
        )


def _is_server_error(error: Exception) -> bool:
    if isinstance(error, BulkWriteError):
        return bool(error.details["writeConcernErrors"])
    if isinstance(error, PyMongoError) and error.timeout:
        return True
    # The two others are what a closed connection raises.
    return isinstance(error, ConnectionFailure | WriteConcernError | InvalidOperation | QueueException)


def put(cluster: Cluster, results: Sequence[Document]) -> None:
    """Store the documents of results, replacing earlier ones."""

    def replace(collection: Collection[Document], hint: str | None) -> None:
        puts = (({"store": each["store"], "name": each["name"]}, each) for each in results)
        collection.bulk_write([ReplaceOne(*each, upsert=True, hint=hint) for each in puts], ordered=False)

    try:
        cluster.with_index(VALUE, replace)
    except BulkWriteError as error:
        details = error.details
        if details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in details["writeErrors"]):
            raise
        # Two put a new key at the same moment; there is something to replace now.
        put(cluster, [results[each["index"]] for each in details["writeErrors"]])


def _end(cluster: Cluster, documents: Sequence[Document]) -> None:
    """Forget outboxes. Nobody waits for that to be safe: if a failover undoes it, it is done once more."""
    if documents:
        collection = cluster.collection.with_options(write_concern=WriteConcern(w=1))
        collection.bulk_write([_ending(document) for document in documents], ordered=False)


def _ending(document: Document) -> UpdateOne | DeleteOne:
    same = {"_id": document["_id"], "mark": document["mark"]}
    emptied = dict.fromkeys((*FIELDS, "at"), "")
    if document["state"] == State.DEAD:
        return UpdateOne(same, {"$unset": emptied})
    if "unique" in document:
        # The key stays taken for a time, and the document with it.
        return UpdateOne(same, {"$set": {"expires": document["until"]}, "$unset": {**emptied, "rank": ""}})
    return DeleteOne(same)
