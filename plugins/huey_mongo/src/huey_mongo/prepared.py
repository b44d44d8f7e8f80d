"""How follow-ups are written exactly once, though no transaction joins their documents to that of their outbox.

A commit in two phases, of which each is one write. Whoever dispatches an outbox inserts the follow-ups as documents
that are *prepared*: no claim hands them out, and they hold neither an id nor a unique key. Then one update of the
outbox *commits* them: it puts their ``_id`` in the place of the follow-ups. Of any number who dispatch one outbox a
single one can do that. Then they are *published*, which turns each into a message. That changes only what is prepared
still, so it may be repeated at any time: a follow-up that has run since is not written again.

What was prepared for an outbox that committed others is of no use to anybody, and is removed: by who prepared it, or by
a claim, when it falls due.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from huey_mongo.documents import PREPARED, Document
from huey_mongo.indexes import DUPLICATE_KEY, ID
from huey_mongo.writing import explain, free_ended_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bson import Int64

    from huey_mongo.cluster import Cluster

__all__ = ["commit", "prepare", "publish"]

ATTEMPTS: Final = 20
"""How often a follow-up is tried whose unique key was held each time by a message that was gone at the next look."""


def prepare(cluster: Cluster, queue: str, outboxes: Sequence[Document], at: Int64) -> dict[Any, list[ObjectId]]:
    """Insert the follow-ups of outboxes as prepared documents.

    Args:
        cluster: The connection.
        queue: The queue's name.
        outboxes: Documents that have ``next``.
        at: The millisecond at which a claim looks after them.

    Returns:
        Their ``_id`` by that of the outbox.
    """
    if not outboxes:
        return {}
    prepared = [
        {
            "_id": ObjectId(),
            "queue": queue,
            "state": PREPARED,
            "at": at,
            "source": outbox["_id"],
            "message": follow_up,
        }
        for outbox in outboxes
        for follow_up in outbox["next"]
    ]
    cluster.collection.insert_many(prepared, ordered=False)
    by_outbox: dict[Any, list[ObjectId]] = {outbox["_id"]: [] for outbox in outboxes}
    for document in prepared:
        by_outbox[document["source"]].append(document["_id"])
    return by_outbox


def commit(cluster: Cluster, outboxes: Sequence[Document], prepared: Mapping[Any, list[ObjectId]]) -> list[Document]:
    """Let each outbox have what was prepared for it, and return those that have; what else was prepared is removed.

    Args:
        cluster: The connection.
        outboxes: Documents that had ``next`` when they were read.
        prepared: What :func:`prepare` has returned for them.
    """
    if not outboxes:
        return []
    collection = cluster.collection
    changes = [
        UpdateOne(
            {"_id": outbox["_id"], "mark": outbox["mark"], "next": {"$exists": True}},
            {"$set": {"committed": prepared[outbox["_id"]]}, "$unset": {"next": "", "outcome": "", "arrivals": ""}},
        )
        for outbox in outboxes
    ]
    if collection.bulk_write(changes, ordered=False).matched_count == len(changes):
        return list(outboxes)
    # Somebody else has dispatched some of them meanwhile.
    ids = [outbox["_id"] for outbox in outboxes]
    found = {each["_id"]: each.get("committed") for each in collection.find({"_id": {"$in": ids}}, {"committed": 1})}
    ours = [outbox for outbox in outboxes if found.get(outbox["_id"]) == prepared[outbox["_id"]]]
    theirs = set(ids) - {outbox["_id"] for outbox in ours}
    aborted = [each for outbox in theirs for each in prepared[outbox]]
    collection.delete_many({"_id": {"$in": aborted}, "state": PREPARED})
    return ours


def publish(cluster: Cluster, queue: str, committed: Sequence[ObjectId]) -> None:
    """Turn prepared documents into messages; where one with its id or its unique key is there, it is removed.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or refused a write.
    """
    left = list(committed)
    if not left:
        return
    _meet_indexes(cluster, queue)
    for _ in range(ATTEMPTS):
        left = _publish(cluster, left)
        if not left:
            return
        for of_queue, keys in _remove_duplicates(cluster, left).items():
            free_ended_keys(cluster.collection, of_queue, keys)
    raise RuntimeError(f"the unique keys of {len(left)} follow-ups changed hands at every one of {ATTEMPTS} attempts")


def _meet_indexes(cluster: Cluster, queue: str) -> None:
    """Make sure that the index is there which keeps ids unique: an update by ``_id`` cannot have it as its hint."""
    if not cluster.may_do_without_index(is_unique=True):
        one = {"queue": queue, "id": ""}
        cluster.with_index(ID, lambda collection, hint: collection.find_one(one, {"_id": 1}, hint=hint))


def _publish(cluster: Cluster, prepared: Sequence[ObjectId]) -> list[ObjectId]:
    """Return those that were refused as duplicates."""
    message = [{"$replaceWith": {"$mergeObjects": ["$message", {"_id": "$_id"}]}}]
    with suppress(DuplicateKeyError):
        cluster.collection.update_many({"_id": {"$in": list(prepared)}, "state": PREPARED}, message)
        return []
    # One refusal ends the update of many, and does not say whose it was.
    changes = [UpdateOne({"_id": each, "state": PREPARED}, message) for each in prepared]
    try:
        cluster.collection.bulk_write(changes, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in refused):
            raise
        return [prepared[each["index"]] for each in refused]
    return []


def _remove_duplicates(cluster: Cluster, refused: Sequence[ObjectId]) -> dict[str, list[str]]:
    """Remove those whose id or unique key a message of their queue has; return the others' unique keys, by queue."""
    fields = {"message.queue": 1, "message.id": 1, "message.unique": 1}
    found = list(cluster.collection.find({"_id": {"$in": list(refused)}, "state": PREPARED}, fields))
    by_queue: dict[str, list[Document]] = {}
    for each in found:
        by_queue.setdefault(each["message"]["queue"], []).append(each["message"] | {"_id": each["_id"]})
    keys = {}
    for queue, messages in by_queue.items():
        duplicates = explain(cluster.collection, queue, messages, range(len(messages)))
        ids = [messages[place]["_id"] for place in duplicates]
        cluster.collection.delete_many({"_id": {"$in": ids}, "state": PREPARED})
        left = [each for place, each in enumerate(messages) if place not in duplicates]
        keys[queue] = [each["unique"] for each in left if "unique" in each]
    return keys
