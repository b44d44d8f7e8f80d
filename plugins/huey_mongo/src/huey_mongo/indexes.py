"""The indexes of the collection: made once, by name, by whoever comes first.

Each serves one kind of question and contains only the documents that can answer it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from huey_core.exceptions import ConfigurationError, QueueException
from huey_mongo.login import LoginRefused, naming_the_login

if TYPE_CHECKING:
    from pymongo.collection import Collection

    from huey_mongo.documents import Document
    from huey_mongo.settings import Settings

__all__ = ["INDEXES", "create_indexes", "missing_indexes"]

UNAUTHORIZED: Final = 13
CONFLICTS: Final = frozenset({85, 86})
"""IndexOptionsConflict and IndexKeySpecsConflict."""


def _index(name: str, *fields: tuple[str, int], when: str, **options: Any) -> IndexModel:
    return IndexModel(fields, name=name, partialFilterExpression={when: {"$exists": True}}, **options)


INDEXES: Final = (
    _index("huey_claim", ("queue", ASCENDING), ("at", DESCENDING), ("state", ASCENDING), when="at"),
    _index("huey_id", ("queue", ASCENDING), ("id", ASCENDING), when="id", unique=True),
    _index("huey_unique", ("queue", ASCENDING), ("unique", ASCENDING), when="unique", unique=True),
    _index("huey_dead", ("queue", ASCENDING), ("buried", DESCENDING), when="buried"),
    _index("huey_value", ("store", ASCENDING), ("name", ASCENDING), when="store", unique=True),
    _index("huey_expiry", ("expires", ASCENDING), when="expires", expireAfterSeconds=0),
)
"""Every index that this backend needs, beside that of ``_id``."""


def create_indexes(collection: Collection[Document], settings: Settings) -> None:
    """Make the indexes that are not there yet. Any number of processes may do so at the same time.

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
            # A user without the right to make indexes works all the same when somebody else has made them.
            return
        raise _explained(collection, error) from error


def missing_indexes(collection: Collection[Document]) -> list[str] | None:
    """Return the names of the indexes that are not there; ``None`` for a user who may not ask which there are."""
    try:
        present = {index["name"] for index in collection.list_indexes()}
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            return None
        raise
    return [name for name in _names() if name not in present]


def _names() -> list[str]:
    return [index.document["name"] for index in INDEXES]


def _explained(collection: Collection[Document], error: OperationFailure) -> QueueException:
    where = f"{collection.database.name}.{collection.name}"
    said = str((error.details or {}).get("errmsg", error))
    if error.code in CONFLICTS:
        differing = next((name for name in _names() if name in said), "one of huey's")
        return ConfigurationError(
            f"the index {differing} of {where} exists with other options than huey-mongo needs; while no consumer "
            f"runs, remove it with db.getCollection({collection.name!r}).dropIndex(...), and it is made anew at the "
            f"next start, or use another collection (?collection=...). The server says: {said}"
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
