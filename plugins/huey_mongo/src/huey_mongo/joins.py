"""Groups of messages: who has arrived, and that what follows a group is written once.

A group is one document, and each member that has arrived is another, whose ``_id`` holds the group's and the member's:
to note a member twice is refused by the index that every collection has. The group counts them. Whoever was killed
between the two writes lets the member be counted twice when its outbox is dispatched again, so the count may be too
high, and never too low; one that is high enough is compared with the members themselves before anything follows.

The update that makes the group complete puts what follows into its document, as an outbox: only one can do that, and
what is in an outbox is written exactly once. An arrival at a group that is complete does nothing, so the members can be
removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bson import Int64, MaxKey, MinKey, ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from huey_mongo.documents import COMPLETE, OPEN, Document
from huey_mongo.indexes import GROUP
from huey_mongo.writing import raise_unless_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymongo.collection import Collection

    from huey_mongo.cluster import Cluster

__all__ = ["DUE", "GRACE", "arrive", "forget", "members_of"]

DUE: Final = Int64(1)
"""``at`` of a group whose members, or which itself, can be removed: at once."""

GRACE: Final = 60_000
"""Milliseconds after its end for which a group's document is kept, for arrivals of before that are noted later."""

ATTEMPTS: Final = 20
"""How often groups are looked up that others begin or forget at the same time."""


def arrive(cluster: Cluster, outboxes: Iterable[Document], at: Int64) -> list[Any]:
    """Note the arrivals of outboxes, each in the queue of what follows its group. To do so again changes nothing.

    Args:
        cluster: The connection.
        outboxes: Documents with an outbox; those without ``arrivals`` are passed over.
        at: The millisecond from which a claim looks after the outbox of a group that becomes complete.

    Returns:
        The ``_id`` of groups that are complete by that, whose outboxes are to be dispatched.
    """
    by_queue: dict[str, dict[tuple[str, str], Document]] = {}
    for outbox in outboxes:
        for arrival in outbox.get("arrivals", ()):
            arrivals = by_queue.setdefault(arrival["then"]["queue"], {})
            arrivals.setdefault((arrival["group"], arrival["member"]), arrival | {"mark": outbox["mark"]})
    return [
        complete
        for queue, arrivals in by_queue.items()
        for complete in _arrive_in(cluster, queue, list(arrivals.values()), at)
    ]


def _arrive_in(cluster: Cluster, queue: str, arrivals: Sequence[Document], at: Int64) -> list[Any]:
    """Note arrivals in the queue that keeps their groups; see :func:`arrive`."""
    groups = _look_up(cluster, queue, arrivals)
    awaited = [each for each in arrivals if groups[each["group"]]["state"] == OPEN]
    noted: dict[str, list[Document]] = {}
    for arrival in _note(cluster.collection, groups, awaited):
        noted.setdefault(arrival["group"], []).append(arrival)
    if not noted:
        return []
    new = {groups[name]["_id"]: _News(groups[name]["arrived"], these) for name, these in noted.items()}
    return _complete(cluster.collection, new, _count(cluster.collection, new), at)


class _News:
    """The arrivals at one group that are to be counted, at least one.

    Args:
        before: How many were there.
        arrivals: Those that have come, in their order.
    """

    def __init__(self, before: int, arrivals: Sequence[Document]) -> None:
        numbered = enumerate(arrivals, 1)
        awaited = next((arrivals[:n] for n, each in numbered if before + n >= each["of"]), arrivals)
        self.arrivals = arrivals
        self.last = awaited[-1]
        """The one that completes the group, if they do."""
        self.ends = Int64(max(each["at"] + each["ttl"] for each in awaited))


def forget(collection: Collection[Document], groups: Sequence[Document]) -> None:
    """Let groups have been, unless a member has arrived since they were read; their name is free again.

    Args:
        collection: The collection.
        groups: Documents of groups, with ``ends``.
    """
    same = [{"_id": group["_id"], "ends": group["ends"]} for group in groups]
    collection.update_many({"$or": same, "group": {"$exists": True}}, {"$unset": {"group": ""}, "$set": {"at": DUE}})


def members_of(group: Any) -> Document:
    """Filter the documents of a group's members."""
    return {"_id": {"$gte": _member_id(group, MinKey()), "$lte": _member_id(group, MaxKey())}}


def _member_id(group: Any, member: Any) -> Document:
    return {"group": group, "member": member}


def _look_up(cluster: Cluster, queue: str, arrivals: Sequence[Document]) -> dict[str, Document]:
    """Return the groups by name; those are begun that are not there, or had ended before the arrival."""
    # The earliest arrival at each.
    first: dict[str, Document] = {}
    for arrival in sorted(arrivals, key=lambda each: each["at"]):
        first.setdefault(arrival["group"], arrival)
    wanted, fields = {"queue": queue, "group": {"$in": list(first)}}, {"group": 1, "state": 1, "ends": 1, "arrived": 1}
    for _ in range(ATTEMPTS):
        found = {group["group"]: group for group in cluster.collection.find(wanted, fields)}
        ended = [group for name, group in found.items() if group["ends"] <= first[name]["at"]]
        if ended:
            forget(cluster.collection, ended)
            continue
        missing = [arrival for name, arrival in first.items() if name not in found]
        if not missing:
            return found
        _begin(cluster, queue, missing)
    raise RuntimeError(f"a group of {sorted(first)!r:.200} was begun and forgotten at every one of {ATTEMPTS} attempts")


def _begin(cluster: Cluster, queue: str, arrivals: Sequence[Document]) -> None:
    def insert(collection: Collection[Document], hint: str | None) -> None:
        changes = [
            UpdateOne({"queue": queue, "group": each["group"]}, {"$setOnInsert": _new(each)}, upsert=True, hint=hint)
            for each in arrivals
        ]
        collection.bulk_write(changes, ordered=False)

    try:
        cluster.with_index(GROUP, insert)
    except BulkWriteError as error:
        # Others begin them at the same moment.
        raise_unless_duplicates(error)


def _new(arrival: Document) -> Document:
    ends = Int64(arrival["at"] + arrival["ttl"])
    return {"state": OPEN, "of": arrival["of"], "arrived": 0, "ends": ends, "at": Int64(ends + GRACE)}


def _note(
    collection: Collection[Document], groups: dict[str, Document], arrivals: Sequence[Document]
) -> list[Document]:
    """Insert the documents of members, and return the arrivals that are to be counted.

    Those are also the ones that were there by an earlier dispatch of the same outbox, which may have ended before it
    counted them.
    """
    if not arrivals:
        return []
    ids = [_member_id(groups[each["group"]]["_id"], each["member"]) for each in arrivals]
    members = [{"_id": member, "mark": each["mark"]} for member, each in zip(ids, arrivals, strict=True)]
    try:
        collection.insert_many(members, ordered=False)
    except BulkWriteError as error:
        raise_unless_duplicates(error)
        there = [each["index"] for each in error.details["writeErrors"]]
    else:
        return list(arrivals)
    found = {
        (each["_id"]["group"], each["_id"]["member"]): each["mark"]
        for each in collection.find({"_id": {"$in": [ids[place] for place in there]}}, {"mark": 1})
    }
    others = {
        place for place in there if found.get((ids[place]["group"], ids[place]["member"])) != arrivals[place]["mark"]
    }
    return [each for place, each in enumerate(arrivals) if place not in others]


def _count(collection: Collection[Document], new: dict[Any, _News]) -> dict[Any, Document]:
    """Count the arrivals, and return for each open group how many members it seems to have, and by which count."""
    changes = []
    for group, news in new.items():
        counted = {
            "$inc": {"arrived": len(news.arrivals)},
            "$max": {"ends": news.ends},
            "$set": {"of": news.last["of"], "mark": ObjectId()},
        }
        changes.append(UpdateOne({"_id": group, **_STILL_OPEN}, counted))
    collection.bulk_write(changes, ordered=False)
    found = collection.find({"_id": {"$in": list(new)}, **_STILL_OPEN}, {"arrived": 1, "mark": 1})
    arrived = {group["_id"]: group for group in found}
    # Their group was completed or forgotten meanwhile, and its members removed before these were there.
    late = [
        _member_id(group, each["member"])
        for group, news in new.items()
        if group not in arrived
        for each in news.arrivals
    ]
    if late:
        collection.delete_many({"_id": {"$in": late}})
    return arrived


def _complete(
    collection: Collection[Document], new: dict[Any, _News], arrived: dict[Any, Document], at: Int64
) -> list[Any]:
    """Complete the groups whose members are all there, and return their ``_id``."""
    changes, complete = [], []
    for group, seen in arrived.items():
        last = new[group].last
        if seen["arrived"] < last["of"]:
            continue
        there = collection.count_documents(members_of(group), limit=last["of"], hint="_id_")
        if there < last["of"]:
            # Who has counted others since then may have come too late for this look.
            changes.append(UpdateOne({"_id": group, "mark": seen["mark"]}, {"$set": {"arrived": there}}))
            continue
        complete.append(group)
        outbox = {"next": [last["then"]], "mark": ObjectId(), "at": at}
        state = {"state": COMPLETE, "of": last["of"], "arrived": last["of"]}
        changes.append(UpdateOne({"_id": group, **_STILL_OPEN}, {"$set": {**state, **outbox}}))
    if changes:
        collection.bulk_write(changes, ordered=False)
    return complete


_STILL_OPEN: Final[Document] = {"state": OPEN, "group": {"$exists": True}}
