"""How those who wait learn that something may have come: a change stream where there is one, and looks otherwise.

A hint is never more than that: whoever gets one looks, and whoever gets none looks too, if later. So a stream that
breaks, or that misses something, costs time and no message. One thread for each process reads the stream, and only
while somebody waits: a busy consumer would have to read what every producer writes, and learn nothing from it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from huey_core.backends import call_watchers, randomness, time_left
from huey_core.exceptions import DataStoreGetException
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo.collection import Collection

    from huey_mongo.documents import Document

__all__ = ["Callback", "Hints"]

logger = get_logger(__name__)

Callback = Callable[[], None]
Key = tuple[str, str]

LINGER: Final = 5.0
"""Seconds for which the stream stays open after the last wait."""

AWAIT: Final = 4000
"""Milliseconds that the server holds back an answer when there is no change."""

BACK_OFF: Final = (0.1, 5.0)
"""The shortest and the longest pause, in seconds, before another attempt to open a stream."""

FIRST_LOOK: Final = 0.005
"""The shortest pause in seconds between two looks at what is watched."""

OPENING: Final = 20.0
"""Seconds to wait until the thread knows whether there is a stream. Whoever then has none is called by looks."""

NOT_SUPPORTED: Final = frozenset({13, 40573})
"""Unauthorized, and the error of a standalone server: no second attempt will go better."""

_UPDATED: Final = "updateDescription.updatedFields"

PIPELINE: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "$or": [
                {"operationType": {"$in": ["insert", "replace"]}, "fullDocument.at": {"$exists": True}},
                {"operationType": {"$in": ["insert", "replace"]}, "fullDocument.store": {"$exists": True}},
                {f"{_UPDATED}.state": {"$in": ["ready", "scheduled"]}},
                {f"{_UPDATED}.store": {"$exists": True}},
                {f"{_UPDATED}.told": {"$exists": True}},
            ]
        }
    },
    {
        "$project": {
            "queue": "$fullDocument.queue",
            "store": {"$ifNull": ["$fullDocument.store", f"${_UPDATED}.store"]},
            "name": {"$ifNull": ["$fullDocument.name", f"${_UPDATED}.name"]},
            "told": f"${_UPDATED}.told",
        }
    },
]
"""What the server sends of a change: whose it is, and none of the bytes."""


class Hints:
    """Tells waiting claims of new messages, and watchers of written keys. It is of use in one process.

    Args:
        poll: The longest pause in seconds between two looks at what is watched, where there is no stream.
    """

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._streams: bool | None = None
        self._unsupported = False
        self._needed_until = 0.0
        self._arrivals: dict[str, int] = {}
        self._anything = 0
        self._watches: dict[Key, dict[object, Callback]] = {}
        self._new_watch = False

    @property
    def streaming(self) -> bool:
        """Whether a stream is open, so that a look is only a precaution."""
        return self._streams is True

    def need(self, collection: Collection[Document]) -> None:
        """Say that a claim is about to wait, so that the stream is opened or kept open."""
        with self._changed:
            self._needed_until = time.monotonic() + LINGER
            if not self._unsupported and not self._closed:
                self._run_in_thread(collection)

    def seen(self, queue: str) -> int:
        """Return a number that is another one after the next hint for a queue."""
        with self._changed:
            return self._anything + self._arrivals.setdefault(queue, 0)

    def wait(self, queue: str, seen: int, woken: Callable[[], bool], timeout: float) -> None:
        """Wait for a hint for a queue after :meth:`seen`, until ``woken`` is true or for ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or woken() or self._anything + self._arrivals[queue] != seen, timeout
            )

    def rest(self, woken: Callable[[], bool], timeout: float) -> None:
        """Wait until ``woken`` is true or for ``timeout`` seconds, whatever hints come."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or woken(), timeout)

    def interrupt(self, change: Callable[[], None]) -> None:
        """Change what the ``woken`` of a :meth:`wait` looks at, and let it look."""
        with self._changed:
            change()
            self._changed.notify_all()

    def watch(self, collection: Collection[Document], store: str, key: str, callback: Callback) -> Callback:
        """Call back when a key may have been written, and at the close; return what ends that.

        Raises:
            DataStoreGetException: This was closed.
        """
        token = object()
        place = (store, key)
        with self._changed:
            self._check_open()
            self._watches.setdefault(place, {})[token] = callback
            self._new_watch = True
            self._run_in_thread(collection)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._streams is not None, time_left(OPENING))
            self._check_open()

        def end() -> None:
            with self._changed:
                callbacks = self._watches.get(place, {})
                callbacks.pop(token, None)
                if not callbacks:
                    self._watches.pop(place, None)

        return end

    def close(self) -> None:
        """End every wait for hints, and the thread, and call every watch a last time. May be called more than once."""
        with self._changed:
            self._closed = True
            callbacks = [callback for callbacks in self._watches.values() for callback in callbacks.values()]
            self._watches.clear()
            self._needed_until = 0.0
            self._thread = None
            self._streams = None
            self._changed.notify_all()
        call_watchers(callbacks)

    def _check_open(self) -> None:
        if self._closed:
            raise DataStoreGetException("the data store was closed, so nothing can be waited for any more")

    def _run_in_thread(self, collection: Collection[Document]) -> None:
        """Start the thread, if there is none. The lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(collection,), name="huey-mongo-hints", daemon=True)
            self._thread.start()

    def _is_needed(self) -> bool:
        with self._changed:
            if self._thread is not threading.current_thread():
                return False
            if self._watches or (time.monotonic() < self._needed_until and not self._unsupported):
                return True
            # Whoever comes now finds no thread and starts another: both happens under the lock.
            self._thread = None
            self._streams = None
            return False

    def _run(self, collection: Collection[Document]) -> None:
        shortest, longest = BACK_OFF
        pause = shortest
        while self._is_needed():
            if not self._unsupported:
                try:
                    self._read_stream(collection)
                    pause = shortest
                    continue
                except Exception as error:
                    self._unsupported = isinstance(error, OperationFailure) and error.code in NOT_SUPPORTED
                    if not self._unsupported and self._streams is not False:
                        # A surprise, such as a document that another program wrote, must not end the thread either.
                        surprise = None if isinstance(error, PyMongoError) else error
                        logger.info("there is no change stream, polling instead: %.300s", error, exc_info=surprise)
                if self._streams:
                    pause = shortest
            self._set_streaming(False)
            self._look_for(collection, pause * randomness().uniform(0.5, 1))
            pause = min(pause * 2, longest)

    def _read_stream(self, collection: Collection[Document]) -> None:
        # The server tells only of what will last.
        lasting = collection.with_options(read_concern=ReadConcern("majority"))
        with lasting.watch(PIPELINE, max_await_time_ms=AWAIT) as stream:
            self._set_streaming(True)
            while stream.alive and self._is_needed():
                change = stream.try_next()
                if change is not None:
                    self._tell(change)

    def _set_streaming(self, streaming: bool) -> None:
        with self._changed:
            if self._thread is not threading.current_thread() or self._streams is streaming:
                return
            self._streams = streaming
            # What came while nobody listened has to be looked for.
            self._anything += 1
            self._changed.notify_all()
            callbacks = [callback for callbacks in self._watches.values() for callback in callbacks.values()]
        call_watchers(callbacks)

    def _tell(self, change: Any) -> None:
        queue, store, name = change.get("queue"), change.get("store"), change.get("name")
        if "told" in change:
            _, store, name = json.loads(change["told"])
        if store is not None:
            self._call_watchers([(store, name)])
            return
        with self._changed:
            if queue is None:
                # An update does not say whose document it is.
                self._anything += 1
            elif queue in self._arrivals:
                self._arrivals[queue] += 1
            else:
                return
            self._changed.notify_all()

    def _look_for(self, collection: Collection[Document], seconds: float) -> None:
        """Look at what is watched for some seconds, ever less often, and call back where something is."""
        end = time.monotonic() + seconds
        pause = FIRST_LOOK
        while self._is_needed() and (self._unsupported or time.monotonic() < end):
            with self._changed:
                stores: dict[str, list[str]] = {}
                for store, name in self._watches:
                    stores.setdefault(store, []).append(name)
                self._new_watch = False
            try:
                for store, names in stores.items():
                    there = collection.find({"store": store, "name": {"$in": names}}, {"name": 1})
                    # All of it first: whoever ends a watch, on an event loop too, must not wait for the server.
                    self._call_watchers([(store, document["name"]) for document in there])
            except PyMongoError as error:
                logger.info("could not poll what is watched: %s", error)
            with self._changed:
                if self._changed.wait_for(lambda: self._new_watch, pause * randomness().uniform(0.75, 1.25)):
                    pause = FIRST_LOOK
                else:
                    pause = min(pause * 1.5, self._poll)

    def _call_watchers(self, places: Sequence[Key]) -> None:
        with self._changed:
            callbacks = [callback for place in places for callback in self._watches.get(place, {}).values()]
        call_watchers(callbacks)
