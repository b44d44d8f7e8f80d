"""The indexes of the collection: made by name, by whoever comes first, and again by whoever notices that they are gone.

Each serves one kind of question and contains only the documents that can answer it.

A collection that somebody drops comes back with the next insertion, without indexes, and says nothing. So whatever
needs an index to be right names it as its hint: a server without it refuses the operation, and nothing was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError, OperationFailure

from huey_core.exceptions import ConfigurationError, QueueException
from huey_core.safe_logging import get_logger
from huey_mongo.login import LoginRefused, naming_the_login

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from huey_mongo.documents import Document
    from huey_mongo.settings import Settings

__all__ = [
    "CLAIM",
    "DEAD",
    "GROUP",
    "ID",
    "INDEXES",
    "NAMES",
    "VALUE",
    "create_indexes",
    "make_missing_indexes",
    "missing_indexes",
    "tells_of_none",
]

logger = get_logger(__name__)

BAD_VALUE: Final = 2
UNAUTHORIZED: Final = 13
DUPLICATE_KEY: Final = 11000
CONFLICTS: Final = frozenset({85, 86})
"""IndexOptionsConflict and IndexKeySpecsConflict."""


def _index(name: str, *fields: tuple[str, int], when: str, **options: Any) -> IndexModel:
    return IndexModel(fields, name=name, partialFilterExpression={when: {"$exists": True}}, **options)


CLAIM: Final = "huey_claim"
DEAD: Final = "huey_dead"
GROUP: Final = "huey_group"
ID: Final = "huey_id"
VALUE: Final = "huey_value"

INDEXES: Final = (
    _index(CLAIM, ("queue", ASCENDING), ("at", DESCENDING), ("state", ASCENDING), when="at"),
    _index(ID, ("queue", ASCENDING), ("id", ASCENDING), when="id", unique=True),
    _index("huey_unique", ("queue", ASCENDING), ("unique", ASCENDING), when="unique", unique=True),
    _index(DEAD, ("queue", ASCENDING), ("buried", DESCENDING), when="buried"),
    _index(VALUE, ("store", ASCENDING), ("name", ASCENDING), when="store", unique=True),
    _index(GROUP, ("queue", ASCENDING), ("group", ASCENDING), when="group", unique=True),
    _index("huey_expiry", ("expires", ASCENDING), when="expires", expireAfterSeconds=0),
)
"""Every index that this backend needs, beside that of ``_id``."""

NAMES: Final = tuple(index.document["name"] for index in INDEXES)


def create_indexes(collection: Collection[Document], settings: Settings) -> bool:
    """Make the indexes that are not there yet. Any number of processes may do so at the same time.

    Returns:
        Whether they are there. A user without the right to make indexes works with those that somebody else has made,
        and does without where nobody has.

    Raises:
        LoginRefused: The server asks for a login, or refuses the one of the settings.
        ConfigurationError: An index cannot be made: one of its name or of its fields is there and different, or the
            collection is sharded.
        QueueException: The server did not make them for another reason, which may pass.
    """
    try:
        with naming_the_login(settings):
            collection.create_indexes(list(INDEXES))
    except LoginRefused:
        raise
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            return missing_indexes(collection) == []
        raise _explained(collection, error) from error
    return True


def missing_indexes(collection: Collection[Document]) -> list[str] | None:
    """Return the names of the indexes that are not there; ``None`` for a user who may not ask which there are."""
    try:
        present = {index["name"] for index in collection.list_indexes()}
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            return None
        raise
    return [name for name in NAMES if name not in present]


def tells_of_none(error: OperationFailure) -> bool:
    """Whether a server may have refused an operation because there is no index of the name that it has as its hint."""
    if isinstance(error, BulkWriteError):
        return any(each["code"] == BAD_VALUE for each in error.details["writeErrors"])
    return error.code == BAD_VALUE


def make_missing_indexes(collection: Collection[Document], settings: Settings) -> bool:
    """Make the indexes anew that are gone, and say whether any was.

    Raises:
        ConfigurationError: As for :func:`create_indexes`.
        QueueException: As for :func:`create_indexes`, and when this user may not make them.
    """
    missing = missing_indexes(collection)
    if not missing:
        return False
    where, names = f"{collection.database.name}.{collection.name}", ", ".join(missing)
    if not create_indexes(collection, settings):
        raise QueueException(
            f"{where} has lost its indexes {names}, without which ids and unique keys are not kept unique, and "
            "this user may not make them; let one who may (the role readWrite is enough) start a consumer once"
        )
    logger.warning(
        "the indexes %s of %s were gone, and are made again; was the collection dropped or renamed?", names, where
    )
    return True


def _explained(collection: Collection[Document], error: OperationFailure) -> QueueException:
    where = f"{collection.database.name}.{collection.name}"
    said = str((error.details or {}).get("errmsg", error))
    if error.code in CONFLICTS:
        differing = next((name for name in NAMES if name in said), "one of huey's")
        return ConfigurationError(
            f"the index {differing} of {where} exists with other options than huey-mongo needs; while no consumer "
            f"runs, remove it with db.getCollection({collection.name!r}).dropIndex(...), and it is made anew at the "
            f"next start, or use another collection (?collection=...). The server says: {said}"
        )
    if error.code == DUPLICATE_KEY:
        return ConfigurationError(
            f"{where} has documents that must not be there twice, written while its indexes were missing; while "
            f"nothing uses it, remove all but one of them, db.getCollection({collection.name!r}).deleteOne(...), or "
            f"take another collection (?collection=...). The server says: {said}"
        )
    if _is_sharded(collection):
        return ConfigurationError(
            f"{where} is sharded, and then neither message ids nor unique keys can be kept unique; "
            "use a collection that is not sharded (?collection=...), in a sharded cluster too"
        )
    return QueueException(f"the indexes of {where} are not known to be made: {said}")


def _is_sharded(collection: Collection[Document]) -> bool:
    try:
        return bool(collection.database.command("collStats", collection.name).get("sharded"))
    except OperationFailure:
        return False
