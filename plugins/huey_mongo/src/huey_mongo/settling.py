"""How deliveries end: each in one change of its one document, all in one round trip, and the exact account of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, assert_never

from bson import ObjectId
from pymongo import DeleteOne, UpdateOne
from pymongo.errors import BulkWriteError

from huey_core.backends import Ack, Bury, Delivery, Outcome, Release, ResultWrite, Retry, State
from huey_core.exceptions import MessageTooLarge, Unsupported
from huey_core.safe_logging import get_logger
from huey_mongo.claiming import SERVER_MILLIS
from huey_mongo.clock import millis
from huey_mongo.data_store import MongoDataStore
from huey_mongo.documents import DONE, MAX_MESSAGE_SIZE, Document, Receipt, burial, receipt_of
from huey_mongo.indexes import DUPLICATE_KEY
from huey_mongo.outbox import dispatch_or_leave, due_outbox, follow_ups_of, put, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_mongo.cluster import Cluster

__all__ = ["Settlement", "extend"]

logger = get_logger(__name__)

CONTENT: Final = dict.fromkeys(("id", "data", "token", "attempt", "key"), "")
"""What a message no longer needs once it is done."""

KEY: Final = dict.fromkeys(("unique", "holder"), "")
PLACE: Final = dict.fromkeys(("queue", "state", "at", "rank"), "")

UNFULFILLED: Final = frozenset({64, 79, 100})
"""WriteConcernFailed (too few members have it in time), UnknownReplWriteConcern and UnsatisfiableWriteConcern.

The primary has made the change and goes on to be the primary.
"""

Change = UpdateOne | DeleteOne


@dataclass
class Settlement:
    """The outcomes of one call.

    Args:
        cluster: The connection.
        queue: The queue's name.
    """

    cluster: Cluster
    queue: str
    _mark: ObjectId = field(default_factory=ObjectId)
    _outboxes: dict[Receipt, Document] = field(default_factory=dict)
    _stored_later: set[tuple[str, str]] = field(default_factory=set)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries; see :meth:`huey_core.backends.LeasedQueue.settle`.

        Raises:
            Unsupported: A result is for a store elsewhere; nothing was settled.
            MessageTooLarge: A result and what goes with it do not fit into a document; nothing was settled.
        """
        changes = {index: self._change(outcome) for index, outcome in self._first_of_each(outcomes)}
        if len(changes) > 1:
            # A number of changes that came to nothing would not tell which.
            current = self._current(outcomes[index].delivery for index in changes)
            changes = {at: change for at, change in changes.items() if receipt_of(outcomes[at].delivery) in current}
        settled = self._apply(outcomes, changes)
        receipts = [receipt_of(outcomes[index].delivery) for index in sorted(settled)] if self._outboxes else []
        outboxes = [self._outboxes[each] for each in receipts if each in self._outboxes]
        if outboxes:
            dispatch_or_leave(self.cluster, self.queue, outboxes)
        return [index in settled for index in range(len(outcomes))]

    @staticmethod
    def _first_of_each(outcomes: Sequence[Outcome]) -> Iterable[tuple[int, Outcome]]:
        seen: set[Receipt] = set()
        for index, outcome in enumerate(outcomes):
            receipt = receipt_of(outcome.delivery)
            if receipt not in seen:
                seen.add(receipt)
                yield index, outcome

    def _current(self, deliveries: Iterable[Delivery]) -> set[Receipt]:
        """Return those of the receipts that are valid at this moment."""
        receipts = [receipt_of(delivery) for delivery in deliveries]
        ids = [receipt.document for receipt in receipts]
        tokens = {
            each["_id"]: each.get("token") for each in self.cluster.collection.find({"_id": {"$in": ids}}, {"token": 1})
        }
        return {receipt for receipt in receipts if tokens.get(receipt.document) == receipt.token}

    def _apply(self, outcomes: Sequence[Outcome], changes: dict[int, Change]) -> set[int]:
        """Make the changes and return the places of those that were made."""
        if not changes:
            return set()
        order = list(changes)
        settled, key_was_there = self._write([changes[index] for index in order])
        if key_was_there:
            # A document cannot become the value of a key that another has; the outbox replaces that one.
            again = [self._through_outbox(outcomes[order[place]]) for place in key_was_there]
            settled += self._write(again)[0]
        if settled == len(changes):
            return set(changes)
        if not settled:
            return set()
        ids = [receipt_of(outcomes[index].delivery).document for index in order]
        marked = {
            each["_id"] for each in self.cluster.collection.find({"_id": {"$in": ids}, "mark": self._mark}, {"_id": 1})
        }
        # Somebody settled or deleted one of them between the two looks, a matter of a millisecond. A message that is
        # gone altogether cannot tell any more who ended it.
        return {index for index, document in zip(order, ids, strict=True) if document in marked}

    def _write(self, changes: Sequence[Change]) -> tuple[int, list[int]]:
        """Return how many documents were changed, and the places of results whose key was there before.

        A change that the primary has made counts, though too few members have it: the caller can do no more for it, and
        would be told that its receipt is stale if it tried again. When a failover undoes it, the message is running
        again, its lease ends, and it is delivered once more.
        """
        try:
            result = self.cluster.collection.bulk_write(changes, ordered=False)
        except BulkWriteError as error:
            details = error.details
            unfulfilled = details["writeConcernErrors"]
            if any(each["code"] not in UNFULFILLED for each in unfulfilled):
                raise
            if any(each["code"] != DUPLICATE_KEY for each in details["writeErrors"]):
                raise
            if unfulfilled:
                logger.warning(
                    "outcomes of %r are written, but a failover may undo them: %s", self.queue, unfulfilled[0]["errmsg"]
                )
            return details["nMatched"] + details["nRemoved"], [each["index"] for each in details["writeErrors"]]
        return result.matched_count + result.deleted_count, []

    def _change(self, outcome: Outcome) -> Change:
        receipt = receipt_of(outcome.delivery)
        match outcome:
            case Ack():
                return self._ack(receipt, outcome)
            case Retry():
                attempt = outcome.delivery.attempt if outcome.keep_attempts else 0
                return self._put_back(receipt, outcome.delay, {"data": outcome.data, "attempt": attempt})
            case Release():
                return self._put_back(receipt, outcome.delay, {"attempt": outcome.delivery.attempt - 1})
            case Bury():
                return self._bury(receipt, outcome)
            case _:
                assert_never(outcome)

    def _ack(self, receipt: Receipt, outcome: Ack) -> Change:
        result = outcome.result
        if outcome.follow_ups or outcome.arrivals:
            return self._through_outbox(outcome)
        if receipt.until is not None:
            if result is not None:
                return self._through_outbox(outcome)
            return self._update(receipt, {"state": DONE, "expires": receipt.until}, {**CONTENT, "at": "", "rank": ""})
        if result is None:
            return DeleteOne(_mine(receipt))
        if (result.store.name, result.key) in self._stored_later:
            # A result of an outcome before this one would otherwise come after it.
            return self._through_outbox(outcome)
        return self._update(receipt, self._value(result), {**CONTENT, **KEY, **PLACE})

    def _put_back(self, receipt: Receipt, seconds: float, changes: Document) -> Change:
        """Make the message ready in its old place, or due after some seconds of the server's clock."""
        delay = millis(seconds)
        if delay <= 0:
            return self._update(receipt, {"state": State.READY.value, "at": receipt.rank, **changes}, {"token": ""})
        due = {"state": State.SCHEDULED.value, "at": {"$add": [SERVER_MILLIS, delay]}, "mark": self._mark, **changes}
        return UpdateOne(_mine(receipt), [{"$set": {**due, "token": "$$REMOVE"}}])

    def _bury(self, receipt: Receipt, outcome: Bury) -> Change:
        changes = burial(self.cluster.micros(), outcome.reason, outcome.detail)
        removed = {"token": ""} | (KEY if receipt.until is None else {})
        beside = len(outcome.delivery.data)
        outbox: Document = {}
        if outcome.follow_ups or outcome.arrivals:
            beside += size_of(outcome)
            if beside > MAX_MESSAGE_SIZE:
                raise MessageTooLarge(beside, MAX_MESSAGE_SIZE, "huey-mongo")
            outbox = follow_ups_of(self.cluster, self.queue, outcome)
        if outcome.result is not None and self._fits_beside(outcome.delivery, outcome.result, beside):
            outbox["outcome"] = self._value_later(outcome.result, beside)
        if not outbox:
            return self._update(receipt, changes, {**removed, "at": ""})
        return self._update(receipt, self._keep_outbox(receipt, {**changes, **outbox}), removed)

    def _fits_beside(self, delivery: Delivery, result: ResultWrite, beside: int) -> bool:
        """Whether a result fits into the document of a message; one that does not is written here, before the burial.

        So it is where the result store is elsewhere: being killed in between costs a second run, and no result.
        """
        if beside + len(result.value) <= MAX_MESSAGE_SIZE:
            return True
        value = self._value(result)
        if self._current([delivery]):
            put(self.cluster, [value])
        return False

    def _through_outbox(self, outcome: Outcome) -> Change:
        """Settle an ack whose result or follow-ups need documents of their own."""
        assert isinstance(outcome, Ack)  # noqa: S101 - nothing else has follow-ups, or becomes a value
        receipt = receipt_of(outcome.delivery)
        size = size_of(outcome)
        if size > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(size, MAX_MESSAGE_SIZE, "huey-mongo")
        changes = {"state": DONE, **follow_ups_of(self.cluster, self.queue, outcome)}
        if outcome.result is not None:
            changes["outcome"] = self._value_later(outcome.result, beside=size)
        removed = {**CONTENT, **(KEY if receipt.until is None else {})}
        return self._update(receipt, self._keep_outbox(receipt, changes), removed)

    def _keep_outbox(self, receipt: Receipt, changes: Document) -> Document:
        """Add to changes when their outbox falls due, and remember the document that they make, to dispatch it."""
        changes = {**changes, "at": due_outbox(self.cluster)}
        key = {} if receipt.until is None else {"unique": True, "until": receipt.until}
        self._outboxes[receipt] = {**changes, **key, "_id": receipt.document, "mark": self._mark}
        return changes

    def _value_later(self, result: ResultWrite, beside: int) -> Document:
        self._stored_later.add((result.store.name, result.key))
        return self._value(result, beside)

    def _value(self, result: ResultWrite, beside: int = 0) -> Document:
        if not isinstance(result.store, MongoDataStore) or result.store.settings.place != self.cluster.settings.place:
            raise Unsupported(f"huey-mongo cannot write a result into {result.store!r} together with an outcome")
        size = len(result.value) + beside
        if size > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(size, MAX_MESSAGE_SIZE, "huey-mongo")
        return result.store.document(result.key, result.value, result.ttl)

    def _update(self, receipt: Receipt, changes: Document, removed: Document) -> UpdateOne:
        return UpdateOne(_mine(receipt), {"$set": {**changes, "mark": self._mark}, "$unset": removed})


def extend(cluster: Cluster, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
    """Renew leases; see :meth:`huey_core.backends.LeasedQueue.extend`."""
    if not deliveries:
        return []
    receipts = [receipt_of(delivery) for delivery in deliveries]
    by_token: dict[str, list[Any]] = {}
    for receipt in receipts:
        by_token.setdefault(receipt.token, []).append(receipt.document)
    ours = {"$or": [{"_id": {"$in": ids}, "token": token} for token, ids in by_token.items()]}
    renewed = cluster.collection.update_many(ours, [{"$set": {"at": {"$add": [SERVER_MILLIS, millis(lease)]}}}])
    if renewed.matched_count == len(receipts):
        return [True] * len(receipts)
    tokens = {each["_id"]: each["token"] for each in cluster.collection.find(ours, {"token": 1})}
    return [tokens.get(receipt.document) == receipt.token for receipt in receipts]


def _mine(receipt: Receipt) -> Document:
    return {"_id": receipt.document, "token": receipt.token}
