"""How dead letters leave the list of those that nobody has reported yet, each with what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bson import ObjectId
from pymongo import UpdateOne

from huey_core.exceptions import MessageTooLarge
from huey_mongo.documents import MAX_MESSAGE_SIZE
from huey_mongo.outbox import FIELDS, dispatch_or_leave, due_outbox, follow_ups_of, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends import Reported
    from huey_mongo.cluster import Cluster
    from huey_mongo.documents import Document

__all__ = ["report_done"]

PORTION: Final = 1000
"""The most dead letters that one update takes off the list."""


def report_done(cluster: Cluster, queue: str, reports: Sequence[Reported]) -> None:
    """Take dead letters off the list; see :meth:`huey_core.backends.LeasedQueue.report_done`.

    Raises:
        MessageTooLarge: What follows one does not fit into its document; nothing was done.
        pymongo.errors.PyMongoError: The server could not be reached, or refused a write.
    """
    followed = [report for report in reports if _is_followed(report)]
    if followed:
        _check_sizes(cluster, queue, followed)
    last = [report.message_id for report in reports if not _is_followed(report)]
    for start in range(0, len(last), PORTION):
        listed = {**_listed(queue), "id": {"$in": last[start : start + PORTION]}}
        cluster.collection.update_many(listed, {"$unset": {"at": "", "unreported": ""}})
    if followed:
        _report_with_outboxes(cluster, queue, followed)


def _report_with_outboxes(cluster: Cluster, queue: str, reports: Sequence[Reported]) -> None:
    mark = ObjectId()
    changes = []
    for report in reports:
        outbox = {**follow_ups_of(cluster, queue, report), "at": due_outbox(cluster), "mark": mark}
        listed = {**_listed(queue), "id": report.message_id}
        changes.append(UpdateOne(listed, {"$set": outbox, "$unset": {"unreported": ""}}))
    if not cluster.collection.bulk_write(changes, ordered=False).matched_count:
        return
    ids = [report.message_id for report in reports]
    fields = dict.fromkeys(("id", "state", "mark", *FIELDS), 1)
    marked = cluster.collection.find({"queue": queue, "id": {"$in": ids}, "mark": mark}, fields)
    documents = {each["id"]: each for each in marked}
    dispatch_or_leave(cluster, queue, [documents[each] for each in dict.fromkeys(ids) if each in documents])


def _check_sizes(cluster: Cluster, queue: str, reports: Sequence[Reported]) -> None:
    listed = {**_listed(queue), "id": {"$in": [report.message_id for report in reports]}}
    sizes = cluster.collection.aggregate([{"$match": listed}, {"$project": {"id": 1, "size": {"$bsonSize": "$$ROOT"}}}])
    here = {each["id"]: each["size"] for each in sizes}
    for report in reports:
        size = size_of(report) + here.get(report.message_id, 0)
        if size > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(size, MAX_MESSAGE_SIZE, "huey-mongo")


def _listed(queue: str) -> Document:
    return {"queue": queue, "unreported": {"$exists": True}}


def _is_followed(report: Reported) -> bool:
    return bool(report.follow_ups or report.arrivals)
