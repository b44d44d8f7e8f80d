"""How messages are claimed: three round trips for any number of them, and two more when something fell due.

A claim reads the identifiers of the most urgent messages, takes them all in one update under a token of its own, and
reads back what it got. When several consumers claim at the same time, one of them wins and the others come away with
little; who lost then chooses at random among more messages than it wants, so that all get some the next time.
"""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import AutoReconnect
from pymongo.read_concern import ReadConcern

from huey_core.backends.leased import Delivery, State, abandoned_reason
from huey_mongo.clock import millis
from huey_mongo.documents import PAUSED_AT, Document, Held, burial
from huey_mongo.outbox import dispatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_mongo.cluster import Cluster

__all__ = ["Claims"]

PORTION: Final = 100
"""The most messages that one claim moves by the clock."""

ATTEMPTS: Final = 5
"""How often a claim tries again when other consumers were faster each time."""

WIDEST: Final = 8
"""The most times as many messages that a claim chooses from as it wants."""

SERVER_MILLIS: Final = {"$toLong": "$$NOW"}


class Claims:
    """The claims of one queue object.

    Args:
        cluster: The connection.
        queue: The queue's name.
        max_deliveries: After this many deliveries without an outcome, a message is buried.
    """

    def __init__(self, cluster: Cluster, queue: str, max_deliveries: int) -> None:
        self._cluster = cluster
        self._queue = queue
        self._max_deliveries = max_deliveries
        self._spread = 1

    def claim(self, limit: int, lease: float) -> list[Delivery]:
        """Take up to ``limit`` messages for ``lease`` seconds, or none when none is there or the queue is paused."""
        upper = int(self._cluster.estimate() * 1000)
        for _ in range(ATTEMPTS):
            found = self._most_urgent(limit * self._spread, upper)
            if found and found[0]["at"] > PAUSED_AT:
                self._bring_back(upper)
                upper = PAUSED_AT
                found = self._most_urgent(limit * self._spread, upper)
            if not found or found[0]["at"] == PAUSED_AT:
                return []
            ids = [document["_id"] for document in found]
            chosen = ids if len(ids) <= limit else random.sample(ids, limit) if self._spread > 1 else ids[:limit]
            deliveries = self._take(chosen, lease)
            self._learn(len(deliveries), len(chosen))
            if deliveries:
                return deliveries
        return []

    def next_at(self, horizon: float) -> int | None:
        """Look when there is something to claim: a negative number for now, ``PAUSED_AT`` in a paused queue.

        Args:
            horizon: Seconds from now after which it does not matter.

        Returns:
            Else the millisecond by the server's clock when something falls due, or ``None``.
        """
        end = int((self._cluster.estimate() + horizon) * 1000)
        first = self._cluster.collection.find_one(
            {"queue": self._queue, "at": {"$lte": end}}, {"at": 1}, sort=[("at", 1)]
        )
        return None if first is None else int(first["at"])

    def _most_urgent(self, limit: int, upper: int) -> list[Document]:
        wanted = {"queue": self._queue, "at": {"$lte": upper}}
        return list(self._cluster.collection.find(wanted, {"at": 1}).sort("at", -1).limit(limit))

    def _take(self, ids: Sequence[Any], lease: float) -> list[Delivery]:
        token = secrets.token_hex(8)
        update = {
            "state": State.RUNNING.value,
            "at": {"$add": [SERVER_MILLIS, millis(lease)]},
            "token": token,
            "attempt": {"$add": ["$attempt", 1]},
        }
        collection = self._cluster.collection
        try:
            taken = collection.update_many({"_id": {"$in": ids}, "at": {"$lt": PAUSED_AT}}, [{"$set": update}])
            if not taken.modified_count:
                return []
        except AutoReconnect:
            # The driver does not repeat an update of many. If this one arrived and will last, the token tells.
            collection = collection.with_options(read_concern=ReadConcern("majority"))
        documents = list(collection.find({"_id": {"$in": ids}, "token": token}))
        documents.sort(key=lambda document: -document["rank"])
        return [_delivery(document, token) for document in documents]

    def _learn(self, won: int, wanted: int) -> None:
        if won < wanted:
            self._spread = min(self._spread * 2, WIDEST)
        elif self._spread > 1 and random.random() < 0.1:  # noqa: S311 - a guess, not a secret
            self._spread -= 1

    def _bring_back(self, upper: int) -> None:
        """Make a portion of the messages ready that are due or whose lease has ended, and finish what was left over."""
        due = {"queue": self._queue, "at": {"$gt": PAUSED_AT, "$lte": upper}}
        found = list(self._cluster.collection.find(due, {"state": 1, "attempt": 1}).sort("at", 1).limit(PORTION))
        ready, spent, outboxes = [], [], []
        for document in found:
            if document["state"] not in {State.SCHEDULED, State.RUNNING}:
                outboxes.append(document["_id"])
            elif document["state"] == State.RUNNING and document["attempt"] >= self._max_deliveries:
                spent.append(document)
            else:
                ready.append(document["_id"])
        if spent:
            self._bury(spent)
        if ready:
            changes = {"state": State.READY.value, "at": "$rank", "token": "$$REMOVE"}
            self._cluster.collection.update_many(_really_due(ready), [{"$set": changes}])
        if outboxes:
            dispatch(self._cluster, self._queue, outboxes)

    def _bury(self, spent: Iterable[Document]) -> None:
        by_attempt: dict[int, list[Any]] = {}
        for document in spent:
            by_attempt.setdefault(document["attempt"], []).append(document["_id"])
        for attempt, ids in by_attempt.items():
            fields = burial(self._cluster.micros(), abandoned_reason(attempt), "")
            # A key that was taken for a time stays taken.
            keeps = {"$cond": [{"$gt": ["$until", None]}, "$unique", "$$REMOVE"]}
            changes = {name: {"$literal": value} for name, value in fields.items()}
            removed = {"at": "$$REMOVE", "token": "$$REMOVE", "unique": keeps}
            self._cluster.collection.update_many(_really_due(ids), [{"$set": changes | removed}])


def _really_due(ids: Sequence[Any]) -> Document:
    """Filter documents by the server's own clock: ours may be wrong, and a lease may have been renewed meanwhile."""
    return {"_id": {"$in": ids}, "at": {"$gt": PAUSED_AT}, "$expr": {"$lte": ["$at", SERVER_MILLIS]}}


def _delivery(document: Document, token: str) -> Delivery:
    held = Held(document["_id"], token, document["rank"], document.get("until"))
    return Delivery(document["data"], document["id"], f"{token}-{document['_id']}", document["attempt"], held)
