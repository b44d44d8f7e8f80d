"""What the entry points name: ``mongodb://`` and ``mongodb+srv://`` URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from pymongo.errors import OperationFailure

from huey_core.backends import DEFAULT_MAX_DELIVERIES, Backend
from huey_core.exceptions import ConfigurationError
from huey_mongo.cluster import Cluster
from huey_mongo.data_store import MongoDataStore
from huey_mongo.documents import MAX_MESSAGE_SIZE, Document
from huey_mongo.indexes import NAMES, missing_indexes
from huey_mongo.limits import limited
from huey_mongo.options import OPTIONS
from huey_mongo.queue import MongoQueue
from huey_mongo.queue_names import queue_names
from huey_mongo.settings import Settings

if TYPE_CHECKING:
    from pymongo.write_concern import WriteConcern

    from huey_core.backends import BackendURL, Capability, Option

__all__ = ["MongoBackend"]

OLDEST: Final = [4, 4]
"""The oldest version of MongoDB that this backend is made for."""


class MongoBackend(Backend):
    """A database of a MongoDB server, replica set or sharded cluster; its queues and stores share one client.

    Args:
        url: ``mongodb://[user:password@]host[:port][,host…]/[database][?option=value…]`` or ``mongodb+srv://``.

    Raises:
        ConfigurationError: The URL has a part that cannot be used.
    """

    schemes: ClassVar[tuple[str, ...]] = ("mongodb", "mongodb+srv")
    api_version: ClassVar[int] = 1
    capabilities: ClassVar[frozenset[Capability]] = MongoQueue.capabilities | MongoDataStore.capabilities
    options: ClassVar[tuple[Option, ...]] = OPTIONS

    def __init__(self, url: BackendURL) -> None:
        super().__init__(url)
        self.settings = Settings.of(url)
        self._cluster = Cluster(self.settings)

    def queue(self, name: str) -> MongoQueue:
        """Return a queue of this name."""
        return MongoQueue(
            name,
            cluster=self._cluster,
            max_deliveries=self.url.options.get("max_deliveries", DEFAULT_MAX_DELIVERIES),
            max_message_size=self.url.options.get("max_message_size", MAX_MESSAGE_SIZE),
        )

    def data_store(self, name: str) -> MongoDataStore:
        """Return a data store of this name."""
        return MongoDataStore(name, cluster=self._cluster)

    @limited
    def ping(self) -> None:
        """Ask the primary whether it answers.

        Raises:
            pymongo.errors.PyMongoError: There is none, or the password is wrong.
        """
        self._cluster.ping()

    @limited
    def describe(self) -> dict[str, str]:
        """Return the server's version and deployment, the durability of a write, and whether indexes are missing."""
        hello = self._cluster.hello()
        return {
            "product": "mongodb",
            "version": self._version(),
            "deployment": _deployment(hello),
            "write concern": _described(self._cluster.client.write_concern),
            "collection": f"{self.settings.database}.{self.settings.collection}",
            "indexes": _completeness(missing_indexes(self._cluster.collection)),
            "waiting": "change stream" if _has_streams(hello) else f"looks, up to {self.settings.poll:g} s apart",
        }

    @limited
    def warnings(self) -> list[str]:
        """Return a sentence for each setting that endangers messages."""
        warnings = []
        concern = self._cluster.client.write_concern.document
        version = self._version()
        if [int(part) for part in version.split(".")[:2]] < OLDEST:
            warnings.append(f"The server is MongoDB {version}, and huey-mongo needs 4.4 or newer.")
        hello = self._cluster.hello()
        if "setName" in hello and concern.get("w") != "majority":
            warnings.append(
                f"The write concern is w={concern.get('w')}, so a failover can lose messages that were accepted, and "
                "give out messages that are running; leave w at majority."
            )
        if "setName" not in hello and "msg" not in hello and not concern.get("j"):
            warnings.append(
                "A write does not wait for the journal, so a crash of the server loses about the last tenth of a "
                "second; add journal=true."
            )
        missing = missing_indexes(self._cluster.collection)
        if missing:
            warnings.append(
                f"The collection {self.settings.database}.{self.settings.collection} lacks "
                f"{'indexes' if len(missing) > 1 else 'the index'} {', '.join(missing)}, so claims are slow and ids "
                "may not be unique; let a user who may create indexes start a consumer once."
            )
        return warnings

    def set_up(self) -> list[str]:
        """Make the collection and its indexes, unless they are there.

        Raises:
            ConfigurationError: An index cannot be made, or this user may not.
            QueueException: The server did not make them for another reason, which may pass.
            pymongo.errors.PyMongoError: No server could be reached.
        """
        where = f"{self.settings.database}.{self.settings.collection}"
        if not self._cluster.create_indexes():
            raise ConfigurationError(
                f"this user may not make the indexes of {where}; give the URL of one who may (the role readWrite is "
                "enough)"
            )
        return [f"collection: {where}", f"indexes: {', '.join(NAMES)}"]

    @limited
    def queue_names(self) -> list[str]:
        """The names of the queues that have messages, or are paused, sorted."""
        return queue_names(self._cluster)

    def close(self) -> None:
        """Close the connections."""
        self._cluster.close()

    def _version(self) -> str:
        try:
            return str(self._cluster.client.admin.command("buildInfo")["version"])
        except OperationFailure:
            # A server may be told to keep that from strangers.
            return "unknown"


def _has_streams(hello: Document) -> bool:
    return "setName" in hello or hello.get("msg") == "isdbgrid"


def _deployment(hello: Document) -> str:
    if hello.get("msg") == "isdbgrid":
        return "sharded cluster"
    if "setName" in hello:
        return f"replica set {hello['setName']} of {len(hello.get('hosts', ()))}, primary {hello.get('primary', '?')}"
    return "standalone server"


def _completeness(missing: list[str] | None) -> str:
    if missing is None:
        return "unknown: this user may not list them"
    return f"missing: {', '.join(missing)}" if missing else "complete"


def _described(concern: WriteConcern) -> str:
    settings = concern.document
    return ", ".join(f"{name}={settings[name]}" for name in ("w", "j", "wtimeout") if name in settings)
