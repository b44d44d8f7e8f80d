"""The connection to one server or cluster, shared by queues and data stores: made late, and anew after a fork."""

from __future__ import annotations

import os
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pymongo
from pymongo import MongoClient, ReadPreference
from pymongo.driver_info import DriverInfo
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidURI, OperationFailure
from pymongo.read_concern import ReadConcern

from huey_core.backends import PerProcess, time_left
from huey_core.exceptions import ConfigurationError, QueueException
from huey_mongo._version import __version__
from huey_mongo.clock import clock_of
from huey_mongo.hints import Hints
from huey_mongo.indexes import create_indexes, make_missing_indexes, tells_of_none
from huey_mongo.limits import PatientWriteConcern
from huey_mongo.login import naming_the_login

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymongo.collection import Collection
    from pymongo.write_concern import WriteConcern

    from huey_mongo.documents import Document
    from huey_mongo.settings import Settings

__all__ = ["Cluster"]

T = TypeVar("T")

LOOK: Final = 60.0
"""Seconds between two looks whether all indexes are there: one that only removes what has ended is nobody's hint."""

FRESH: Final = 1.0
"""Seconds for which indexes that were there are taken to be there, by writes that are hardly worse off without."""

CLOSING: Final = 0.5
"""Seconds in which the server is told that its sessions are over. It finds out by itself otherwise."""

DRIVER: Final = DriverInfo("huey-mongo", __version__)


class _Open:
    """What one process has opened."""

    def __init__(self, settings: Settings) -> None:
        self.hints = Hints(settings.poll)
        self.lock = threading.Lock()
        self.client: MongoClient[Document] | None = None
        self.closing: weakref.finalize[..., Any] | None = None
        self.collection: Collection[Document] | None = None
        self.has_indexes = False
        self.look_at = 0.0
        self.met_at = float("-inf")


class Cluster:
    """The servers, the collection and the clock.

    Args:
        settings: Where the servers are. Nothing connects before the first use.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clock = clock_of(settings.hosts)
        self._closed = False
        # A child neither uses nor closes the client of its parent, whose sockets they are.
        self._open = PerProcess(partial(_Open, settings))

    @property
    def hints(self) -> Hints:
        """Tells those who wait in this process that something may have come."""
        return self._open().hints

    @property
    def client(self) -> MongoClient[Document]:
        """The driver's client.

        Raises:
            ConfigurationError: The driver cannot use the settings.
            QueueException: The connections were closed.
        """
        own = self._open()
        with own.lock:
            if self._closed:
                raise QueueException("the connections to MongoDB were closed by this program, and are of no more use")
            if own.client is None:
                own.client = self._connect()
                own.closing = weakref.finalize(self, _close, own.hints, own.client, os.getpid())
            return own.client

    @property
    def collection(self) -> Collection[Document]:
        """The collection, with its indexes. Whether they are still there is looked at once a minute.

        Raises:
            ConfigurationError: An index cannot be made.
            QueueException: The indexes are not known to be made.
            pymongo.errors.PyMongoError: No server could be reached.
        """
        own = self._open()
        collection = own.collection
        now = time.monotonic()
        if collection is not None and now < own.look_at:
            return collection
        own.look_at = now + LOOK
        if collection is None:
            own.has_indexes = self.create_indexes()
            own.collection = collection = self.bare_collection
        elif own.has_indexes:
            make_missing_indexes(collection, self.settings)
        return collection

    def create_indexes(self) -> bool:
        """Make the indexes that are not there yet; see :func:`huey_mongo.indexes.create_indexes`."""
        # To build an index may take longer than a call may; so this first asks whether there is a server at all.
        self.hello()
        with pymongo.timeout(None):
            return create_indexes(self.bare_collection, self.settings)

    def with_index(self, name: str, use: Callable[[Collection[Document], str | None], T]) -> T:
        """Use the collection with the name of an index as the hint; where that is gone, make it again, and repeat.

        Args:
            name: Of the index.
            use: Is given the collection and the hint: ``None`` where this user was never allowed to have indexes.

        Raises:
            ConfigurationError: The index cannot be made.
            QueueException: The index is gone, and this user may not make it.
            pymongo.errors.PyMongoError: The server could not be reached, or refused the operation.
        """
        collection = self.collection
        if not self._open().has_indexes:
            return use(collection, None)
        try:
            return use(collection, name)
        except OperationFailure as error:
            if not tells_of_none(error) or not make_missing_indexes(collection, self.settings):
                raise
        return use(collection, name)

    def met_indexes(self) -> None:
        """Note that a write has just succeeded that would not have without its index."""
        self._open().met_at = time.monotonic()

    def may_do_without_index(self, is_unique: bool) -> bool:
        """Whether an insertion may go without a hint, after a first use of :attr:`collection`.

        Args:
            is_unique: Whether it would do harm without the index. Another may when indexes were met a moment ago.
        """
        own = self._open()
        return not own.has_indexes or (not is_unique and time.monotonic() - own.met_at < FRESH)

    @property
    def bare_collection(self) -> Collection[Document]:
        """The collection as it is, without a look at its indexes."""
        # Whatever the URL says for other readers: a claim must see what is there, and only the primary knows.
        return self.client[self.settings.database].get_collection(
            self.settings.collection,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
            write_concern=PatientWriteConcern(**_arguments(self.client.write_concern)),
        )

    def hello(self) -> Document:
        """Ask the primary who it is."""
        # A command does not take the client's options by itself, and would tell the time without a time zone.
        with naming_the_login(self.settings):
            return self.client.admin.command("hello", codec_options=self.client.codec_options)

    def ping(self) -> None:
        """Ask the primary whether it answers."""
        with naming_the_login(self.settings):
            self.client[self.settings.database].command("ping")

    def now(self) -> float:
        """Ask the server for its time, in seconds since the epoch."""
        told = self.hello()["localTime"].timestamp()
        assert isinstance(told, float)  # noqa: S101 - the driver does not type what a server answers
        return told

    def estimate(self) -> float:
        """Estimate the server's time, in seconds since the epoch, mostly without asking it."""
        return self._clock.seconds(self._read_clock)

    def micros(self, count: int = 1) -> int:
        """Take ``count`` numbers in the order of writing; see :meth:`~huey_mongo.clock.ServerClock.micros`."""
        return self._clock.micros(self._read_clock, count)

    def close(self) -> None:
        """Close the connections, and end what waits for them. Every later use raises. May be called more than once."""
        own = self._open()
        with own.lock:
            self._closed = True
            closing, own.closing = own.closing, None
            own.client = None
            own.collection = None
        # Whoever is called by this looks again at once, and must be able to learn that it is closed.
        own.hints.close()
        if closing is not None:
            closing()

    def _connect(self) -> MongoClient[Document]:
        try:
            return MongoClient(self.settings.uri, tz_aware=True, connect=False, driver=DRIVER)
        except (DriverConfigurationError, InvalidURI) as error:
            raise ConfigurationError(f"the MongoDB driver cannot use the URL: {error}") from None

    def _read_clock(self) -> datetime:
        told: datetime = self.hello()["localTime"]
        return told


def _arguments(concern: WriteConcern) -> dict[str, Any]:
    return {name: value for name, value in concern.document.items() if name in {"w", "j", "wtimeout"}}


def _close(hints: Hints, client: MongoClient[Document], process: int) -> None:
    # A child that ends would say goodbye to the server over the connections of its parent.
    if os.getpid() != process:
        return
    hints.close()
    # Otherwise a server that does not answer would be waited for, only to be told of the end of sessions.
    with pymongo.timeout(time_left(CLOSING, least=0.05)):
        client.close()
