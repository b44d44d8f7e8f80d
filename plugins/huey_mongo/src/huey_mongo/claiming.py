"""How messages are claimed: three round trips for any number of them, and two more when something fell due.

A claim reads the identifiers of the most urgent messages, takes them all in one update under a token of its own, and
reads back what it got. When several consumers claim at the same time, one of them wins and the others come away with
little; who lost then chooses at random among more messages of the same priority than it wants, so that all get some the
next time. It does so less and less as soon as it gets what it chose.

What was taken but could not be read, or could not be written as safely as was asked for, nobody receives. It is given
back as if it had not been taken, at once or else by the next claim, so that its deliveries are not counted. So is what
was taken when the queue was paused meanwhile, which the claim sees when it reads back what it got.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import AutoReconnect, PyMongoError
from pymongo.write_concern import WriteConcern

from huey_core.backends import Claim, Delivery, State, abandoned_reason, randomness
from huey_mongo.clock import millis
from huey_mongo.documents import (
    COMPLETE,
    OPEN,
    PAUSED,
    PAUSED_AT,
    PREPARED,
    Document,
    Receipt,
    burial,
    pause_id,
    priority_of,
)
from huey_mongo.groups import purge
from huey_mongo.indexes import CLAIM
from huey_mongo.limits import limited
from huey_mongo.outbox import clear, clear_prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        self._unreceived: dict[str, Sequence[Any]] = {}

    @limited
    def claim(self, limit: int, lease: float) -> Claim:
        """Take up to ``limit`` messages for ``lease`` seconds, or none when none is there or the queue is paused.

        For as long, dead letters that nobody has reported are the caller's to report.

        Raises:
            pymongo.errors.PyMongoError: The server could not be reached, or the write concern was not fulfilled.
        """
        self._give_back()
        upper = int(self._cluster.estimate() * 1000)
        nothing = Claim([], [])
        for _ in range(ATTEMPTS):
            found = self._most_urgent(limit * self._spread, upper)
            if found and found[0]["at"] > PAUSED_AT:
                buried = self._bring_back(upper, lease)
                if buried is None:
                    return nothing
                nothing = Claim([], buried)
                upper = PAUSED_AT
                found = self._most_urgent(limit * self._spread, upper)
            if not found or found[0]["at"] == PAUSED_AT:
                return nothing
            chosen = self._choose(found, limit)
            try:
                deliveries = self._take(chosen, lease)
            except PyMongoError as error:
                self._give_back()
                if not isinstance(error, AutoReconnect):
                    raise
                # The driver does not repeat an update of many.
                continue
            self._learn(len(deliveries), len(chosen))
            if deliveries:
                return Claim(deliveries, nothing.buried)
        return nothing

    @limited
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
        return self._cluster.with_index(
            CLAIM,
            lambda collection, hint: list(collection.find(wanted, {"at": 1}, hint=hint).sort("at", -1).limit(limit)),
        )

    def _choose(self, found: Sequence[Document], limit: int) -> list[Any]:
        """Choose the most urgent documents; while others claim too, by chance among those of the lowest priority."""
        if len(found) <= limit:
            return [document["_id"] for document in found]
        lowest = priority_of(found[limit - 1]["at"])
        urgent = [document["_id"] for document in found[:limit] if priority_of(document["at"]) > lowest]
        alike = [document["_id"] for document in found if priority_of(document["at"]) == lowest]
        return urgent + randomness().sample(alike, limit - len(urgent))

    def _take(self, ids: Sequence[Any], lease: float) -> list[Delivery]:
        token = secrets.token_hex(8)
        update = {
            "state": State.RUNNING.value,
            "at": {"$add": [SERVER_MILLIS, millis(lease)]},
            "token": token,
            "attempt": {"$add": ["$attempt", 1]},
        }
        collection, pause = self._cluster.collection, pause_id(self._queue)
        got = {"_id": {"$in": [*ids, pause]}, "token": {"$in": [token, PAUSED]}}
        try:
            taken = collection.update_many({"_id": {"$in": ids}, "at": {"$lt": PAUSED_AT}}, [{"$set": update}])
            documents = list(collection.find(got)) if taken.modified_count else []
        except PyMongoError:
            self._unreceived[token] = ids
            raise
        if any(document["_id"] == pause for document in documents):
            self._unreceived[token] = ids
            self._give_back()
            return []
        documents.sort(key=lambda document: -document["rank"])
        return [_delivery(document, token) for document in documents]

    def _give_back(self) -> None:
        """Make ready what was taken for nobody, as if that had not been.

        This needs no more members than the primary: if it is lost in a failover, the lease ends later.
        """
        returned = {
            "state": State.READY.value,
            "at": "$rank",
            "token": "$$REMOVE",
            "attempt": {"$subtract": ["$attempt", 1]},
        }
        for token, ids in list(self._unreceived.items()):
            collection = self._cluster.collection.with_options(write_concern=WriteConcern(w=1))
            collection.update_many({"_id": {"$in": ids}, "token": token}, [{"$set": returned}])
            self._unreceived.pop(token, None)

    def _learn(self, won: int, wanted: int) -> None:
        self._spread = min(self._spread * 2, WIDEST) if won < wanted else max(self._spread // 2, 1)

    def _bring_back(self, upper: int, lease: float) -> list[str] | None:
        """Make a portion of the messages ready that are due or whose lease has ended, and finish what was left over.

        Returns:
            The ids of dead letters to be reported, for ``lease`` seconds by nobody else; ``None`` in a paused queue,
            where nothing is done.
        """
        due = {"queue": self._queue, "at": {"$gte": PAUSED_AT, "$lte": upper}}
        fields = {"at": 1, "state": 1, "attempt": 1, "unreported": 1}
        found = list(self._cluster.collection.find(due, fields).sort("at", 1).limit(PORTION))
        if found and found[0]["at"] == PAUSED_AT:
            return None
        ready, spent, unreported, outboxes, prepared, groups = [], [], [], [], [], []
        for document in found:
            if "unreported" in document:
                unreported.append(document)
            elif document["state"] == PREPARED:
                prepared.append(document["_id"])
            elif document["state"] in {OPEN, COMPLETE}:
                groups.append(document["_id"])
            elif document["state"] not in {State.SCHEDULED, State.RUNNING}:
                outboxes.append(document["_id"])
            elif document["state"] == State.RUNNING and document["attempt"] >= self._max_deliveries:
                spent.append(document)
            else:
                ready.append(document["_id"])
        buried = self._bury(spent, unreported, lease) if spent or unreported else []
        if ready:
            changes = {"state": State.READY.value, "at": "$rank", "token": "$$REMOVE"}
            at_work = {"state": {"$in": [State.SCHEDULED.value, State.RUNNING.value]}}
            self._cluster.collection.update_many({**_really_due(ready), **at_work}, [{"$set": changes}])
        if outboxes:
            clear(self._cluster, self._queue, outboxes)
        if prepared:
            clear_prepared(self._cluster, prepared)
        if groups:
            purge(self._cluster, self._queue, groups)
        return buried

    def _bury(self, spent: Sequence[Document], unreported: Sequence[Document], lease: float) -> list[str]:
        """Bury what has spent its deliveries, and take on to report these and those that were buried before.

        Returns:
            The ids of those that we have got. Other consumers may have been faster with some of them.
        """
        collection, token = self._cluster.collection, secrets.token_hex(8)
        ours = {"at": {"$add": [SERVER_MILLIS, millis(lease)]}, "unreported": token}
        by_attempt: dict[int, list[Any]] = {}
        for document in spent:
            by_attempt.setdefault(document["attempt"], []).append(document["_id"])
        for attempt, ids in by_attempt.items():
            fields = burial(self._cluster.micros(), abandoned_reason(attempt), "")
            # A key that was taken for a time stays taken.
            keeps = {"$cond": [{"$gt": ["$until", None]}, "$unique", "$$REMOVE"]}
            changes = {name: {"$literal": value} for name, value in fields.items()}
            removed = {"token": "$$REMOVE", "unique": keeps}
            running = {**_really_due(ids), "state": State.RUNNING.value}
            collection.update_many(running, [{"$set": changes | removed | ours}])
        if unreported:
            still = {**_really_due([each["_id"] for each in unreported]), "unreported": {"$exists": True}}
            collection.update_many(still, [{"$set": ours}])
        ids = [document["_id"] for document in (*spent, *unreported)]
        found = collection.find({"_id": {"$in": ids}, "unreported": token}, {"id": 1}).sort("buried", 1)
        return [document["id"] for document in found]


def _really_due(ids: Sequence[Any]) -> Document:
    """Filter documents by the server's own clock: ours may be wrong, and a lease may have been renewed meanwhile."""
    return {"_id": {"$in": ids}, "at": {"$gt": PAUSED_AT}, "$expr": {"$lte": ["$at", SERVER_MILLIS]}}


def _delivery(document: Document, token: str) -> Delivery:
    receipt = Receipt(document["_id"], token, document["rank"], document.get("until"))
    return Delivery(document["data"], document["id"], f"{token}-{document['_id']}", document["attempt"], receipt)
