"""How a caller that waits for a key is told: one subscribed connection for each process, shared by every watch.

One thread does all the talking. It subscribes to what is watched, calls the callbacks, and when the connection is lost
makes a new one, subscribes again and calls every callback once, because a write may have gone by unseen. It does the
same when it is told that the address of the server may lead to another one by now. No error ends the thread. When the
watcher is closed, every callback is called a last time: whoever waits looks again, and is told.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from huey_core.backends import PerProcess, call_watchers, randomness, time_left
from huey_core.exceptions import DataStoreGetException
from huey_core.safe_logging import get_logger
from huey_redis.connection import Link
from huey_redis.interrupt import Interrupt

if TYPE_CHECKING:
    from huey_redis.settings import Settings

__all__ = ["Watcher"]

logger = get_logger(__name__)

BACK_OFF: Final = (0.05, 5.0)
"""The shortest and the longest pause, in seconds, between two attempts to connect."""

Callback = Callable[[], None]


class _Channel:
    """What is watched: whom to call, and whether the server has confirmed the subscription."""

    def __init__(self) -> None:
        self.callbacks: dict[object, Callback] = {}
        self.confirmed: Future[None] = Future()


class _Watched:
    """What one process watches, and the thread that listens for it.

    Attributes:
        lock: Guards the others.
        channels: By their names.
        changed: Set when the thread is to look what is watched; ``None`` when there is no thread.
        is_misled: Whether the thread is to connect anew.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.channels: dict[bytes, _Channel] = {}
        self.changed: Interrupt | None = None
        self.is_misled = False


class Watcher:
    """Calls back when something is published on a channel.

    Args:
        settings: The server. Nothing connects before the first watch.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closed = False
        # The thread of the parent does not exist in a child, and its pipe and its socket are the parent's.
        self._watched = PerProcess(_Watched)

    def watch(self, name: bytes, callback: Callback) -> Callable[[], None]:
        """Watch a channel; the watch is active when this returns.

        Returns:
            A function that ends the watch. It may be called more than once.

        Raises:
            DataStoreGetException: The watcher is closed.
            redis.RedisError: The server could not be reached, or did not confirm in time.
        """
        token = object()
        watched = self._watched()
        with watched.lock:
            self.check_open()
            channel = watched.channels.setdefault(name, _Channel())
            channel.callbacks[token] = callback
            confirmed = channel.confirmed
            self._poke(watched)

        def end() -> None:
            with watched.lock:
                channel.callbacks.pop(token, None)
                if not channel.callbacks and watched.channels.get(name) is channel:
                    del watched.channels[name]
                    self._poke(watched)

        try:
            confirmed.result(time_left(self._settings.connect_timeout + self._settings.socket_timeout))
        except FutureTimeout:
            end()
            raise RedisTimeout("the server did not confirm a subscription in time") from None
        except BaseException:
            end()
            raise
        return end

    def renew(self) -> None:
        """Make the connection anew, because the address of the server may lead to another one by now."""
        watched = self._watched()
        with watched.lock:
            if watched.changed is not None:
                watched.is_misled = True
                watched.changed.set()

    def check_open(self) -> None:
        """Raise when the watcher is closed.

        Raises:
            DataStoreGetException: It is.
        """
        if self._closed:
            raise DataStoreGetException(
                "the data store was closed, so nothing can be read from it or waited for any more"
            )

    def close(self) -> None:
        """End every watch and the thread, and call every callback a last time. May be called more than once."""
        watched = self._watched()
        with watched.lock:
            self._closed = True
            callbacks = [callback for channel in watched.channels.values() for callback in channel.callbacks.values()]
            for channel in watched.channels.values():
                if not channel.confirmed.done():
                    channel.confirmed.set_exception(DataStoreGetException("the data store was closed"))
            watched.channels.clear()
            if watched.changed is not None:
                watched.changed.set()
                watched.changed = None
        call_watchers(callbacks)

    def _poke(self, watched: _Watched) -> None:
        """Tell the thread that the channels have changed, and start it if there is none. The lock is held."""
        if watched.changed is None:
            changed = Interrupt()
            thread = threading.Thread(target=self._run, args=(watched, changed), name="huey-redis-watcher", daemon=True)
            thread.start()
            # Only now: a thread that could not be started must not pass for one that runs.
            watched.changed = changed
        watched.changed.set()

    def _run(self, watched: _Watched, changed: Interrupt) -> None:
        shortest, longest = BACK_OFF
        pause = shortest
        was_lost = False
        was_surprised = False
        while _wanted(watched, changed) is not None:
            subscriptions = None
            watched.is_misled = False
            try:
                subscriptions = _Subscriptions(self._settings)
                _listen(watched, subscriptions, changed, was_lost)
                was_lost = True
                _doubt(watched)
            except Exception as error:
                if not isinstance(error, (RedisError, OSError)):
                    # Once, because it may come back with every attempt.
                    if not was_surprised:
                        logger.exception("an unexpected error on the connection for watches, reconnecting")
                    was_surprised = True
                elif subscriptions is not None:
                    logger.info("the connection for watches was lost, reconnecting: %s", error)
                    pause = shortest
                was_lost = True
                _fail(watched, error)
                changed.wait(pause * randomness().uniform(0.5, 1))
                pause = min(pause * 2, longest)
            finally:
                if subscriptions is not None:
                    subscriptions.close()
        changed.close()


def _listen(watched: _Watched, subscriptions: _Subscriptions, changed: Interrupt, was_lost: bool) -> None:
    while not watched.is_misled and (wanted := _wanted(watched, changed)) is not None:
        subscriptions.become(wanted)
        _confirm(watched, wanted & subscriptions.active)
        while not changed.is_set():
            written, subscribed = subscriptions.wait(changed)
            _confirm(watched, subscribed)
            call_watchers(_callbacks(watched, written | subscribed if was_lost else written))


def _wanted(watched: _Watched, changed: Interrupt) -> set[bytes] | None:
    """The channels to be subscribed to, or ``None`` when the thread is to end."""
    changed.clear()
    with watched.lock:
        return set(watched.channels) if watched.changed is changed else None


def _confirm(watched: _Watched, names: set[bytes]) -> None:
    with watched.lock:
        for name in names & watched.channels.keys():
            if not watched.channels[name].confirmed.done():
                watched.channels[name].confirmed.set_result(None)


def _callbacks(watched: _Watched, names: set[bytes]) -> list[Callback]:
    with watched.lock:
        return [
            callback
            for name in names & watched.channels.keys()
            for callback in watched.channels[name].callbacks.values()
        ]


def _fail(watched: _Watched, error: Exception) -> None:
    """Tell those who wait for a confirmation, and let the next ones wait for a new one."""
    with watched.lock:
        for channel in watched.channels.values():
            if not channel.confirmed.done():
                channel.confirmed.set_exception(error)
            channel.confirmed = Future()


def _doubt(watched: _Watched) -> None:
    """Let whoever begins to watch wait for a new confirmation."""
    with watched.lock:
        for channel in watched.channels.values():
            if channel.confirmed.done():
                channel.confirmed = Future()


class _Subscriptions:
    """A connection that is subscribed to channels.

    Attributes:
        active: The channels whose subscription the server has confirmed.
    """

    def __init__(self, settings: Settings) -> None:
        self.active: set[bytes] = set()
        self._link = Link(settings)
        self._patience = settings.socket_timeout
        self._names: set[bytes] = set()
        self._unanswered: Counter[bytes] = Counter()
        self._pinged = False

    def become(self, names: set[bytes]) -> None:
        """Ask the server to be subscribed to these channels and no others."""
        for verb, changing in ((b"UNSUBSCRIBE", self._names - names), (b"SUBSCRIBE", names - self._names)):
            if changing:
                self._link.send((verb, *changing))
                self._unanswered.update(changing)
        self._names = names
        self.active &= names

    def wait(self, changed: Interrupt) -> tuple[set[bytes], set[bytes]]:
        """Wait until something arrives or ``changed`` is set.

        Returns:
            The channels on which something was published, and those whose subscription was confirmed.

        Raises:
            redis.RedisError: The connection is lost, or the server has been silent for too long.
        """
        written: set[bytes] = set()
        subscribed: set[bytes] = set()
        if not self._link.wait(self._patience, changed):
            if not changed.is_set():
                self._ping()
            return written, subscribed
        self._pinged = False
        while self._link.has_reply():
            reply = self._link.receive()
            kind, name = reply[:2] if isinstance(reply, list) else (b"pong", b"")
            if kind == b"message":
                written.add(name)
            elif kind != b"pong":
                # A channel that was left and entered again is only safe to rely on after the last of the answers.
                self._unanswered[name] -= 1
                if not self._unanswered[name]:
                    del self._unanswered[name]
                    if kind == b"subscribe":
                        subscribed.add(name)
        self.active |= subscribed
        return written, subscribed

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _ping(self) -> None:
        if self._pinged:
            raise RedisTimeout("the server did not answer a ping on the connection for watches")
        self._link.send((b"PING",))
        self._pinged = True
