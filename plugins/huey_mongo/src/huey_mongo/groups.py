"""What an operator may ask of groups, and how those that are forgotten are removed, a portion at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bson import Int64
from pymongo import DeleteOne, UpdateOne

from huey_core.backends import Page, StoredGroup
from huey_mongo.clock import from_millis
from huey_mongo.cursors import read_cursor, write_cursor
from huey_mongo.documents import COMPLETE, OPEN, PAUSED_AT, Document
from huey_mongo.joins import DUE, GRACE, forget, members_of
from huey_mongo.outbox import FIELDS, HAS_NONE, LONG_PATIENCE, clear

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_mongo.cluster import Cluster

__all__ = ["delete_groups", "flush_groups", "list_groups", "purge"]

PORTION: Final = 1000
"""The most members that are removed at a time, and the most groups of one query by name."""

GROUPS: Final = 100
"""The most groups of which members are removed at a time."""

CURSOR: Final = "groups"


def list_groups(cluster: Cluster, queue: str, cursor: str | None, limit: int) -> Page[StoredGroup]:
    """List groups by name; see :meth:`huey_core.backends.LeasedQueue.groups`.

    Raises:
        ConfigurationError: The cursor is not one of this method.
    """
    named: Document = {"$exists": True} if cursor is None else {"$gt": read_cursor(CURSOR, cursor)}
    found = list(cluster.collection.find({"queue": queue, "group": named}).sort("group", 1).limit(limit + 1))
    page, now = found[:limit], _now(cluster)
    return Page(
        [_stored(group) for group in page if group["ends"] > now and group["arrived"]],
        write_cursor(CURSOR, page[-1]["group"]) if len(found) > limit else None,
    )


def delete_groups(cluster: Cluster, queue: str, names: Iterable[str]) -> list[str]:
    """Forget groups; see :meth:`huey_core.backends.LeasedQueue.delete_groups`."""
    asked = list(dict.fromkeys(names))
    deleted: set[str] = set()
    for start in range(0, len(asked), PORTION):
        portion = asked[start : start + PORTION]
        _note_what_waits(cluster, queue, portion)
        wanted = {"queue": queue, "group": {"$in": portion}, "ends": {"$gt": _now(cluster)}}
        found = list(cluster.collection.find(wanted, {"group": 1, "ends": 1}))
        if found:
            forget(cluster.collection, found)
            deleted.update(group["group"] for group in found)
    return [name for name in asked if name in deleted]


def _note_what_waits(cluster: Cluster, queue: str, names: Sequence[str]) -> None:
    """Dispatch the outboxes with arrivals at groups: one that were noted later would begin its group anew."""
    # Twice as long as any is put off, because clocks differ.
    soon = {"$gt": PAUSED_AT, "$lte": int((cluster.estimate() + 2 * LONG_PATIENCE) * 1000)}
    waiting = cluster.collection.find({"queue": queue, "at": soon, "arrivals.group": {"$in": names}}, {"_id": 1})
    clear(cluster, queue, [each["_id"] for each in waiting.sort("at", 1)])


def flush_groups(cluster: Cluster, queue: str) -> None:
    """Forget all groups of a queue, and what was to follow them, and remove them."""
    collection = cluster.collection
    outboxes = dict.fromkeys((*FIELDS, "group"), "")
    groups = {"queue": queue, "at": {"$gt": PAUSED_AT}, "state": {"$in": [OPEN, COMPLETE]}}
    collection.update_many(groups, {"$unset": outboxes, "$set": {"at": DUE}})
    while ids := [each["_id"] for each in collection.find(_forgotten(cluster, queue), {"_id": 1}).limit(GROUPS)]:
        purge(cluster, queue, ids)


def purge(cluster: Cluster, queue: str, groups: Sequence[Any]) -> None:
    """Look after groups that fell due: remove a portion of what is needed no more, and put off what is not due yet.

    Args:
        cluster: The connection.
        queue: The queue's name.
        groups: Their ``_id``, at most :data:`GROUPS`.

    Raises:
        pymongo.errors.PyMongoError: The server could not be reached, or the write concern was not fulfilled.
    """
    clear(cluster, queue, groups)
    collection, now = cluster.collection, _now(cluster)
    wanted: Document = {"_id": {"$in": list(groups)}, **HAS_NONE}
    fields = {"group": 1, "state": 1, "ends": 1}
    ended = [each for each in collection.find(wanted, fields) if "group" in each and each["ends"] + GRACE <= now]
    if ended:
        forget(collection, ended)
    found = list(collection.find(wanted, fields))
    emptied = [each for each in found if each["state"] == COMPLETE or "group" not in each]
    if emptied and not _remove_members(cluster, ids := [each["_id"] for each in emptied]):
        # The next portion is due at once, but behind what fell due before: no message waits for members.
        collection.update_many({"_id": {"$in": ids}, **HAS_NONE}, {"$set": {"at": Int64(now)}})
        found = [each for each in found if each not in emptied]
    changes = [_next_step(each) for each in found]
    if changes:
        collection.bulk_write(changes, ordered=False)


def _remove_members(cluster: Cluster, groups: Sequence[Any]) -> bool:
    """Remove a portion of the members of groups, and say whether those were the last."""
    members = cluster.collection.find({"$or": [members_of(group) for group in groups]}, {"_id": 1}).limit(PORTION)
    ids = [member["_id"] for member in members]
    if ids:
        cluster.collection.delete_many({"_id": {"$in": ids}})
    return len(ids) < PORTION


def _next_step(group: Document) -> UpdateOne | DeleteOne:
    if "group" not in group:
        return DeleteOne({"_id": group["_id"], **HAS_NONE})
    later = {"at": Int64(group["ends"] + GRACE)}
    return UpdateOne({"_id": group["_id"], "state": group["state"], "group": {"$exists": True}}, {"$set": later})


def _stored(group: Document) -> StoredGroup:
    complete = group["state"] == COMPLETE
    # Who was killed may have let a member be counted twice.
    arrived = group["of"] if complete else min(group["arrived"], group["of"] - 1)
    return StoredGroup(group["group"], arrived, group["of"], from_millis(group["ends"]))


def _forgotten(cluster: Cluster, queue: str) -> Document:
    due = {"$gt": PAUSED_AT, "$lte": _now(cluster)}
    return {"queue": queue, "at": due, "state": {"$in": [OPEN, COMPLETE]}, "group": {"$exists": False}}


def _now(cluster: Cluster) -> int:
    return int(cluster.estimate() * 1000)
