"""A data store in MongoDB: each value is a document, and the result of a command is the document of its message."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bson import Int64, ObjectId
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from huey_core.backends import BaseDataStore, Capability, EmptyData
from huey_core.exceptions import ConfigurationError, MessageTooLarge
from huey_core.secret import hidden, with_secrets_hidden
from huey_mongo.clock import millis, to_date
from huey_mongo.cluster import Cluster
from huey_mongo.documents import MAX_MESSAGE_SIZE, Document, new_value, value_bytes
from huey_mongo.indexes import DUPLICATE_KEY, VALUE
from huey_mongo.limits import limited, within
from huey_mongo.settings import DEFAULT_URL, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pymongo.collection import Collection

    from huey_core.backends import EmptyDataType

__all__ = ["MongoDataStore"]

NOT_A_NUMBER: Final = frozenset({14, 16554})
"""What a server answers when ``$add`` meets bytes; which of the two depends on its version."""

NO_ID: Final[Document] = {"_id": []}
"""What no document can have as its ``_id``, so that an insertion is refused."""

REFUSED: Final = frozenset({DUPLICATE_KEY, 53})
"""What a server says to a key that is there, and to :data:`NO_ID`."""

SOON: Final = 5.0
"""Seconds in which a counter may end while it is added to."""

PORTION: Final = 1000
"""The most values that one query reads, and the most counters that one update adds to."""

# A date is compared in an expression, where the server knows its own time; one that is missing never ends.
_HAS_ENDED: Final[Document] = {
    "expires": {"$type": "date"},
    "$expr": {"$lte": ["$expires", "$$NOW"]},
}
_GOES_ON: Final[Document] = {"$or": [{"expires": {"$exists": False}}, {"$expr": {"$gt": ["$expires", "$$NOW"]}}]}


class MongoDataStore(BaseDataStore):
    """Bytes by key in MongoDB, shared by any number of processes.

    Args:
        name: The store's name.
        cluster: The connection to use, shared with others; by default the store has its own.
        connection: ``url``, a ``mongodb://`` or ``mongodb+srv://`` URL.

    Raises:
        ConfigurationError: ``connection`` has another name, or a URL that cannot be used.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.TTL, Capability.NOTIFY, Capability.LOCKS, Capability.PERSISTENT}
    )

    def __init__(self, name: str, *, cluster: Cluster | None = None, **connection: Any) -> None:
        connection = with_secrets_hidden(connection)
        super().__init__(name)
        self._owns_cluster = cluster is None
        self._cluster = cluster or own_cluster(**connection)

    @property
    def settings(self) -> Settings:
        """The servers and the collection of this store."""
        return self._cluster.settings

    def named(self, key: str | Document) -> Document:
        """A filter for the document of a key, or of several."""
        return {"store": self.name, "name": key}

    def value_in(self, document: Document | None) -> bytes | EmptyDataType:
        """The value that a document holds, unless its time to live has ended."""
        if document is None:
            return EmptyData
        # The server removes what has ended about once a minute.
        expires = document.get("expires")
        if expires is not None and expires.timestamp() <= self._cluster.estimate():
            return EmptyData
        return value_bytes(document)

    @limited
    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Store a value, replacing an earlier one.

        Raises:
            MessageTooLarge: The value does not fit into a document.
        """
        document = self.document(key, value, ttl)
        while True:
            try:
                self._cluster.with_index(
                    VALUE,
                    lambda collection, hint: collection.replace_one(self.named(key), document, upsert=True, hint=hint),
                )
            except DuplicateKeyError:
                # Two put a new key at the same moment; there is something to replace now.
                continue
            return

    @limited
    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bool:
        """Store a value only if the key is absent, and say whether it was stored.

        Raises:
            MessageTooLarge: The value does not fit into a document.
        """
        document = self.document(key, value, ttl)
        # An insertion would succeed without the index that keeps keys unique.
        with suppress(DuplicateKeyError):
            written = self._cluster.with_index(
                VALUE,
                lambda collection, hint: collection.update_one(
                    self.named(key), {"$setOnInsert": document}, upsert=True, hint=hint
                ),
            )
            if written.upserted_id is not None:
                return True
        ended = {**self.named(key), **_HAS_ENDED}
        return self._cluster.collection.replace_one(ended, document).matched_count == 1

    @limited
    def get(self, key: str) -> bytes | EmptyDataType:
        """Remove a value and return it, or return ``EmptyData``."""
        return self.value_in(self._cluster.collection.find_one_and_delete(self.named(key)))

    @limited
    def peek(self, key: str) -> bytes | EmptyDataType:
        """Return a value and leave it in place, or ``EmptyData``."""
        return self.value_in(self._cluster.collection.find_one(self.named(key)))

    @limited
    def peek_many(self, keys: list[str]) -> list[bytes | EmptyDataType]:
        """Return the values of several keys in their order."""
        found: dict[str, bytes | EmptyDataType] = {}
        for start in range(0, len(keys), PORTION):
            names = keys[start : start + PORTION]
            for document in self._cluster.collection.find({"store": self.name, "name": {"$in": names}}):
                found[document["name"]] = self.value_in(document)
        return [found.get(key, EmptyData) for key in keys]

    def delete(self, key: str) -> bool:
        """Remove a key and say whether it was there."""
        return self.get(key) is not EmptyData

    @limited
    def replace_if_equal(self, key: str, old: bytes, new: bytes, ttl: float | None = None) -> bool:
        """Replace a value only if it still equals ``old``, and say whether it was replaced.

        Raises:
            MessageTooLarge: The value does not fit into a document.
        """
        same: list[bytes | Int64] = [old]
        if old.removeprefix(b"-").isdigit() and b"%d" % int(old) == old:
            same.append(Int64(int(old)))
        known = {**self.named(key), "value": {"$in": same}, **_GOES_ON}
        return self._cluster.collection.replace_one(known, self.document(key, new, ttl)).matched_count == 1

    @limited
    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a counter that starts at 0, and return its new value.

        Raises:
            ValueError: The value is not a number.
        """
        while True:
            try:
                return self._add(key, amount, ttl)
            except DuplicateKeyError:
                # Two began the counter at the same moment; it is there now.
                continue
            except OperationFailure as error:
                if error.code not in NOT_A_NUMBER:
                    raise
                self._make_counter(key)

    @limited
    def increment_many(self, amounts: Mapping[str, int], ttl: float | None = None) -> dict[str, int]:
        """Add to several counters, and return their new values.

        It takes two round trips for a thousand counters, and one more for each to which somebody else adds meanwhile.

        Raises:
            ValueError: A value is not a number; other counters may have been added to.
        """
        values: dict[str, int] = {}
        keys = list(amounts)
        for start in range(0, len(keys), PORTION):
            portion = {key: amounts[key] for key in keys[start : start + PORTION]}
            added = self._add_unless_changed(portion, ttl)
            values |= {key: added[key] if key in added else self.increment(key, portion[key], ttl) for key in portion}
        return values

    def watch(self, key: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` in a thread of the store when the key may have been written; return what ends the watch.

        On a replica set the server reports it. On a standalone server one thread for the whole process looks at all
        watched keys, at most 200 times a second at first and four times a second after a while.
        """
        with within(self.settings.time_limit):
            collection = self._cluster.collection
        return self._cluster.hints.watch(collection, self.name, key, callback)

    def flush(self) -> None:
        """Remove every key of this store."""
        self._cluster.collection.delete_many({"store": self.name})

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        if self._owns_cluster:
            self._cluster.close()

    def document(self, key: str, value: bytes, ttl: float | None) -> Document:
        """Make the document of a value, without its ``_id``.

        Raises:
            MessageTooLarge: The value does not fit into a document.
        """
        if len(value) > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(len(value), MAX_MESSAGE_SIZE, "huey-mongo")
        return new_value(self.name, key, value, self._end(ttl))

    def _end(self, ttl: float | None) -> datetime | None:
        return None if ttl is None else to_date(millis(self._cluster.estimate() + ttl))

    def _add(self, key: str, amount: int, ttl: float | None) -> int:
        ended = {"$lte": [{"$ifNull": ["$expires", {"$add": ["$$NOW", 1]}]}, "$$NOW"]}
        lifetime: Any = {"$cond": [ended, "$$REMOVE", "$expires"]}
        if ttl is not None:
            lifetime = {"$add": ["$$NOW", millis(ttl)]}
        changes = {
            "value": {"$add": [{"$cond": [ended, Int64(0), {"$ifNull": ["$value", Int64(0)]}]}, Int64(amount)]},
            "expires": lifetime,
            "told": {"$literal": self._told(key)},
        }
        # There is always a document afterwards, which the driver's types do not say.
        document: Any = self._cluster.with_index(
            VALUE,
            lambda collection, hint: collection.find_one_and_update(
                self.named(key), [{"$set": changes}], upsert=True, return_document=ReturnDocument.AFTER, hint=hint
            ),
        )
        return int(document["value"])

    def _add_unless_changed(self, amounts: Mapping[str, int], ttl: float | None) -> dict[str, int]:
        """Add to those counters that nobody changes between a look at them and the addition, and return their values.

        A server does not say which documents an update of many has found, but which of its insertions it refused. So
        where a counter is not as it was seen, an insertion is tried, and is one that must be refused.
        """
        found = {each["name"]: each for each in self._cluster.collection.find(self.named({"$in": list(amounts)}))}
        soon = self._end(SOON)
        lifetime = {} if ttl is None else {"expires": self._end(ttl)}
        values: dict[str, int] = {}
        changes: list[tuple[Document, Document]] = []
        for key, amount in amounts.items():
            document = found.get(key, {})
            before, expires = document.get("value", 0), document.get("expires")
            if not isinstance(before, int) or (expires is not None and expires < soon):
                continue
            values[key] = before + amount
            seen = {name: document.get(name, {"$exists": False}) for name in ("value", "expires")}
            change: Document = {"$set": {"value": Int64(values[key]), "told": self._told(key), **lifetime}}
            if document:
                change["$setOnInsert"] = NO_ID
            changes.append(({**self.named(key), **seen}, change))
        if not changes:
            return {}

        def add(collection: Collection[Document], hint: str | None) -> None:
            updates = [UpdateOne(*each, upsert=True, hint=hint) for each in changes]
            collection.bulk_write(updates, ordered=False)

        keys = list(values)
        try:
            self._cluster.with_index(VALUE, add)
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] not in REFUSED for each in refused):
                raise
            for each in refused:
                del values[keys[each["index"]]]
        return values

    def _told(self, key: str) -> str:
        # An update tells those who read a change stream what it changed, but not of which key.
        return json.dumps([str(ObjectId()), self.name, key])

    def _make_counter(self, key: str) -> None:
        """Turn the digits that were put into a number, if they are still there."""
        document = self._cluster.collection.find_one(self.named(key)) or {}
        value = document.get("value")
        if isinstance(value, bytes):
            same = {**self.named(key), "value": value}
            self._cluster.collection.update_one(same, {"$set": {"value": Int64(int(value))}})


def own_cluster(**connection: Any) -> Cluster:
    """Make the connection of a queue or a store that was made without a backend.

    Raises:
        ConfigurationError: There is another argument than ``url``, or the URL cannot be used.
    """
    url = hidden(connection.pop("url", DEFAULT_URL))
    if connection:
        raise ConfigurationError(f"huey-mongo has no setting {min(connection)!r}; it has url")
    return Cluster(Settings.of_text(url))
