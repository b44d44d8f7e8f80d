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
from huey_mongo.documents import COMPLETE, PREPARED
from huey_mongo.indexes import DUPLICATE_KEY, VALUE
from huey_mongo.joins import DUE, arrive
from huey_mongo.prepared import commit, prepare, publish
from huey_mongo.writing import new_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo.collection import Collection

    from huey_core.backends import Ack, Bury, Message, Reported
    from huey_mongo.cluster import Cluster
    from huey_mongo.documents import Document

__all__ = [
    "FIELDS",
    "HAS_NONE",
    "LONG_PATIENCE",
    "PATIENCE",
    "clear",
    "clear_prepared",
    "dispatch",
    "dispatch_or_leave",
    "due_outbox",
    "follow_ups_of",
    "put",
    "size_of",
]

logger = get_logger(__name__)

PATIENCE: Final = 10.0
"""Seconds after which another consumer takes care of an outbox."""

FOLLOW_UP_OVERHEAD: Final = 1024
"""Bytes that a follow-up takes in an outbox at most, beside its data, its id and its unique key."""

LONG_PATIENCE: Final = 60.0
"""Seconds after which an outbox that could not be cleared is tried again."""

FIELDS: Final = ("next", "outcome", "arrivals", "committed")
"""What a document with an outbox has at least one of."""

HAS_OUTBOX: Final[Document] = {"$or": [{field: {"$exists": True}} for field in FIELDS]}
HAS_NONE: Final[Document] = {field: {"$exists": False} for field in FIELDS}


def size_of(outcome: Ack | Bury | Reported) -> int:
    """Return how many bytes what follows an outcome takes in an outbox at most."""
    names = sum(len(each.group.encode()) + len(each.member.encode()) for each in outcome.arrivals)
    messages = (*outcome.follow_ups, *(arrival.then for arrival in outcome.arrivals))
    return names + sum(_size_of_message(message) for message in messages)


def _size_of_message(message: Message) -> int:
    # Who takes a unique key is written beside it, and the key twice.
    names = f"{message.message_id}{message.unique_key or ''}{message.queue or ''}"
    return len(message.data) + 2 * len(names.encode()) + FOLLOW_UP_OVERHEAD


def follow_ups_of(cluster: Cluster, queue: str, outcome: Ack | Bury | Reported) -> Document:
    """Return the fields of an outbox with what follows an outcome."""
    fields: Document = {}
    if outcome.follow_ups:
        fields["next"] = _embedded(cluster, queue, outcome.follow_ups)
    if outcome.arrivals:
        now = Int64(millis(cluster.estimate()))
        messages = _embedded(cluster, queue, [arrival.then for arrival in outcome.arrivals])
        fields["arrivals"] = [
            {
                "group": arrival.group,
                "member": arrival.member,
                "of": arrival.of,
                "then": then,
                "at": now,
                "ttl": Int64(millis(arrival.ttl)),
            }
            for arrival, then in zip(outcome.arrivals, messages, strict=True)
        ]
    return fields


def _embedded(cluster: Cluster, queue: str, messages: Sequence[Message]) -> list[Document]:
    # Each gets its own _id when it is prepared.
    return [
        {**{name: value for name, value in document.items() if name != "_id"}, "queue": message.queue or queue}
        for message, document in zip(messages, new_documents(cluster, queue, messages), strict=True)
    ]


def due_outbox(cluster: Cluster) -> Int64:
    """Return the millisecond from which other consumers take care of an outbox that is made now."""
    return Int64(millis(cluster.estimate() + PATIENCE))


def dispatch_or_leave(cluster: Cluster, queue: str, outboxes: Sequence[Document]) -> None:
    """Dispatch what has just been settled; an error is logged, and the outboxes fall due for another claim.

    The settlement itself has taken effect, and an error would say that it had not.

    Args:
        cluster: The connection.
        queue: The queue's name.
        outboxes: The documents as they were written, in the order of their settlement.
    """
    try:
        _dispatch(cluster, queue, outboxes)
    except Exception as error:  # noqa: BLE001 - whatever it is, the outboxes are kept
        logger.warning("follow-ups and results of %r are written later: %.300s", queue, error)


def dispatch(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Write the follow-ups and results of settled messages, note where they arrive, and forget them.

    Any number may do it at the same time, and die at any point: see :mod:`huey_mongo.prepared`.

    Args:
        cluster: The connection.
        queue: The name of the queue whose claims look after what is prepared.
        documents: The ``_id`` of the settled messages in the order of their settlement; those without an outbox are
            passed over.
    """
    by_id = {each["_id"]: each for each in cluster.collection.find({"_id": {"$in": list(documents)}, **HAS_OUTBOX})}
    found = [by_id[each] for each in dict.fromkeys(documents) if each in by_id]
    if found:
        _dispatch(cluster, queue, found)


def _dispatch(cluster: Cluster, queue: str, found: Sequence[Document]) -> None:
    # Of several results for one key the last one stands.
    results = {(each["store"], each["name"]): each for each in (one["outcome"] for one in found if "outcome" in one)}
    if results:
        put(cluster, list(results.values()))
    with_follow_ups = [document for document in found if "next" in document]
    prepared = prepare(cluster, queue, with_follow_ups, due_outbox(cluster))
    complete = arrive(cluster, found, due_outbox(cluster))
    ours = commit(cluster, with_follow_ups, prepared)
    before = [document for document in found if "committed" in document]
    publish(
        cluster,
        queue,
        [each for document in before for each in document["committed"]]
        + [each for document in ours for each in prepared[document["_id"]]],
    )
    _end(cluster, [*ours, *(document for document in found if "next" not in document)])
    if complete:
        dispatch(cluster, queue, complete)


def clear_prepared(cluster: Cluster, documents: Sequence[Any]) -> None:
    """Remove prepared follow-ups that fell due and can never be committed: their outbox is gone.

    It has published what it had committed before. The others wait for their outbox, which falls due by itself.

    Args:
        cluster: The connection.
        documents: Their ``_id``.
    """
    collection = cluster.collection
    still = {"_id": {"$in": list(documents)}, "state": PREPARED}
    sources = {each["_id"]: each["source"] for each in collection.find(still, {"source": 1})}
    outboxes = collection.find({"_id": {"$in": list(sources.values())}, **HAS_OUTBOX}, {"_id": 1})
    there = {each["_id"] for each in outboxes}
    aborted = [document for document, source in sources.items() if source not in there]
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
    if document["state"] == COMPLETE:
        return UpdateOne(same, {"$unset": dict.fromkeys(FIELDS, ""), "$set": {"at": DUE}})
    if "unique" in document:
        # The key stays taken for a time, and the document with it.
        return UpdateOne(same, {"$set": {"expires": document["until"]}, "$unset": {**emptied, "rank": ""}})
    return DeleteOne(same)
