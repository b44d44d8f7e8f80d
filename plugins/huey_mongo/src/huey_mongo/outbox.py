"""What a settlement left to be done: follow-up messages to write and results to store, kept in the message's document.

They are put there in the one update that settles the message, so a crash loses none of them. Who settled does the rest
at once; when it cannot, the document falls due like a message, and the next claim does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from huey_core.backends.leased import State
from huey_mongo.documents import Document, unpacked
from huey_mongo.writing import DUPLICATE_KEY, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_mongo.cluster import Cluster

__all__ = ["PATIENCE", "dispatch"]

PATIENCE: Final = 10.0
"""Seconds after which another consumer takes care of an outbox."""


HAS_OUTBOX: Final[Document] = {"$or": [{"next": {"$exists": True}}, {"outcome": {"$exists": True}}]}


def dispatch(cluster: Cluster, queue: str, documents: Sequence[Any]) -> None:
    """Write the follow-ups and results of settled messages, and forget them.

    Two may do it at the same time, for a follow-up has its id and a result its key. Only a process that froze in the
    middle for so long that the follow-ups were done meanwhile would write them again, and they would run twice.

    Args:
        cluster: The connection.
        queue: The queue's name.
        documents: The ``_id`` of the settled messages; those without an outbox are passed over.
    """
    found = list(cluster.collection.find({"_id": {"$in": list(documents)}, **HAS_OUTBOX}))
    if not found:
        return
    write(cluster, queue, [unpacked(message) for document in found for message in document.get("next", ())])
    results = [document["outcome"] for document in found if "outcome" in document]
    if results:
        _store(cluster, results)
    cluster.collection.bulk_write([_ending(document) for document in found], ordered=False)


def _store(cluster: Cluster, results: Sequence[Document]) -> None:
    puts = [ReplaceOne({"store": each["store"], "name": each["name"]}, each, upsert=True) for each in results]
    try:
        cluster.collection.bulk_write(puts, ordered=False)
    except BulkWriteError as error:
        if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise
        # Two put a new key at the same moment; there is something to replace now.
        again = [puts[each["index"]] for each in error.details["writeErrors"]]
        cluster.collection.bulk_write(again, ordered=False)


def _ending(document: Document) -> UpdateOne | DeleteOne:
    same = {"_id": document["_id"], "state": document["state"]}
    if document["state"] == State.DEAD:
        return UpdateOne(same, {"$unset": {"at": "", "outcome": ""}})
    if "unique" in document:
        # The key stays taken for a time, and the document with it.
        emptied = {"at": "", "rank": "", "next": "", "outcome": ""}
        return UpdateOne(same, {"$set": {"expires": document["until"]}, "$unset": emptied})
    return DeleteOne(same)
