"""The names of the queues of a collection, from one to the next by index: no other query reads so little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huey_core.backends import State
from huey_mongo.documents import PAUSED_AT
from huey_mongo.indexes import CLAIM, DEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_mongo.cluster import Cluster
    from huey_mongo.documents import Document

__all__ = ["queue_names"]


def queue_names(cluster: Cluster) -> list[str]:
    """Return the names of the queues that have messages, or are paused, sorted."""
    at_work = {state.value for state in (State.SCHEDULED, State.RUNNING)}
    # A group, or what is left of a message, makes no queue.
    is_used = {"$or": [{"at": {"$lte": PAUSED_AT}}, {"state": {"$in": sorted(at_work)}}]}
    names = set(_names(cluster, DEAD, "buried"))
    for name in _names(cluster, CLAIM, "at"):
        if name not in names and _first(cluster, CLAIM, {"queue": name, "at": {"$exists": True}, **is_used}):
            names.add(name)
    return sorted(names)


def _names(cluster: Cluster, index: str, field: str) -> Iterator[str]:
    """Go through the names of the queues that have a document in an index of a field."""
    wanted: dict[str, Any] = {"queue": {"$type": "string"}, field: {"$exists": True}}
    while document := _first(cluster, index, wanted):
        yield document["queue"]
        wanted["queue"] = {"$gt": document["queue"]}


def _first(cluster: Cluster, index: str, wanted: Document) -> Document | None:
    return cluster.with_index(
        index,
        lambda collection, hint: collection.find_one(wanted, {"queue": 1}, sort=[("queue", 1)], hint=hint),
    )
