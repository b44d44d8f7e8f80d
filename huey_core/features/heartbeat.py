"""The heartbeat: which consumers run, and which commands each of them knows, for ``huey doctor`` and others to see.

A consumer keeps a record of itself in the task store of each queue that it serves, which the store forgets when it was
not renewed for :data:`BEATS` beats: so one that is killed disappears by itself. An index names the records, because a
data store cannot list its keys. Each store has a thread of its own that writes to it, so that one that is slow or away
costs the consumer nothing; what could not be written is written with the next heartbeat. Without
:attr:`Capability.TTL` and :attr:`Capability.LOCKS`, nothing is written.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, Self

from huey_core._version import __version__
from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.exceptions import Unsupported
from huey_core.hookspecs import hookimpl
from huey_core.safe_logging import get_logger
from huey_core.snapshot import HookFaults
from huey_core.text import error_line

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore
    from huey_core.hookspecs import ConsumerLike
    from huey_core.snapshot import Snapshot

__all__ = ["BEATS", "MOST_IDS", "ConsumerRecord", "Heartbeat", "consumers_alive", "keeps_heartbeats"]

log: Final = get_logger(__name__)

BEATS: Final = 3
"""How many heartbeats a consumer may miss before it is taken for dead."""

MOST_IDS: Final = 100
"""Messages that a record names, so that it stays small however many workers a consumer has."""

_INDEX: Final = "consumers"
_NEEDED: Final = frozenset({Capability.TTL, Capability.LOCKS})
_MOMENT: Final = 1.0
_PATIENCE: Final = 1.0
"""Seconds for which a stop waits for the record to be removed: nothing is lost with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerRecord:
    """What a consumer says about itself. Times are seconds since the epoch, by the queue's clock.

    Attributes:
        name: The consumer's name: host, process and a number.
        version: Its huey-core.
        started: When it started.
        seen: When it wrote this.
        lease: Its lease in seconds.
        heartbeat: Seconds between two of its heartbeats; 0 where it does not say so.
        queues: The names of the queues that it serves.
        workers: How many commands it runs at once.
        worker_type: The worker pool that runs them; empty where it does not say so.
        periodic: Whether it runs periodic commands.
        serializers: The serializers that it accepts.
        commands: The commands that it knows.
        in_flight: Messages under its lease, running ones included.
        running: Messages that run.
        running_ids: The ids of those that have run the longest, :data:`MOST_IDS` at the most.
        hook_faults: What its plugins have done amiss as observers since it started.
        problems: What keeps it from running commands: a part of it that has ended, or is stuck.
    """

    name: str
    version: str = ""
    started: float = 0.0
    seen: float = 0.0
    lease: float = 0.0
    heartbeat: float = 0.0
    queues: tuple[str, ...] = ()
    workers: int = 0
    worker_type: str = ""
    periodic: bool = False
    serializers: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    in_flight: int = 0
    running: int = 0
    running_ids: tuple[str, ...] = ()
    hook_faults: tuple[HookFaults, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def lifetime(self) -> float:
        """Seconds after which it is taken for dead if no other heartbeat comes."""
        # Earlier versions gave one three times in a lease.
        return BEATS * self.heartbeat or self.lease

    def encode(self) -> bytes:
        """Write the record as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a record back. What a later version has added is left out."""
        known = _known_fields(cls, json.loads(data))
        texts = ("queues", "serializers", "commands", "running_ids", "problems")
        known |= {name: tuple(known[name]) for name in texts if name in known}
        faults = [HookFaults(**_known_fields(HookFaults, each)) for each in known.pop("hook_faults", ())]
        return cls(**known, hook_faults=tuple(faults))


def keeps_heartbeats(task_store: BaseDataStore) -> bool:
    """Whether consumers write heartbeats into a store like this one."""
    return task_store.capabilities >= _NEEDED


def consumers_alive(task_store: BaseDataStore) -> list[ConsumerRecord]:
    """List the consumers that have written a heartbeat lately, by name. What cannot be read is left out.

    That is: no longer ago than three times as long as there is between two of their heartbeats.

    Args:
        task_store: The task store of the consumers.

    Raises:
        Unsupported: The store lacks ``ttl`` or ``locks``, so consumers write no heartbeat into it.
    """
    if not keeps_heartbeats(task_store):
        raise Unsupported(f"{task_store!r} lacks 'ttl' or 'locks', so consumers write no heartbeat into it")
    records = task_store.peek_many([_record_key(name) for name in sorted(_index(task_store).read())])
    return [one for record in records if isinstance(record, bytes) and (one := _read(record)) is not None]


def _read(record: bytes) -> ConsumerRecord | None:
    try:
        return ConsumerRecord.decode(record)
    except Exception as error:  # noqa: BLE001 - who can write to the store decides what is there
        log.warning("the record of a consumer cannot be read: %s", error_line(error))
        return None


class Heartbeat:
    """Keeps a record of each consumer that runs with a task store that can keep it."""

    def __init__(self) -> None:
        self._writers: dict[ConsumerLike, list[_RecordWriter]] = {}

    # Last, so that what a plugin refuses to start has no record.
    @hookimpl(trylast=True)
    def huey_consumer_start(self, consumer: ConsumerLike) -> None:
        given = [invoker.task_store for invoker in consumer.invokers]
        # One store may be that of all queues.
        stores = dict.fromkeys(store for store in given if store is not None and keeps_heartbeats(store))
        self._writers[consumer] = [_RecordWriter(consumer, store) for store in stores]
        for writer in self._writers[consumer]:
            writer.start()

    @hookimpl
    def huey_consumer_heartbeat(self, consumer: ConsumerLike, snapshot: Snapshot) -> None:
        for writer in self._writers.get(consumer, ()):
            writer.renew(snapshot)

    @hookimpl
    def huey_consumer_stop(self, consumer: ConsumerLike) -> None:
        writers = self._writers.pop(consumer, [])
        deadline = time.monotonic() + _PATIENCE
        for writer in writers:
            writer.stop()
        for writer in writers:
            writer.join_until(deadline)


class _RecordWriter:
    """Writes one consumer's record in a thread, and removes it at the end.

    Args:
        consumer: The consumer.
        task_store: Keeps the record; see :func:`keeps_heartbeats`.
    """

    def __init__(self, consumer: ConsumerLike, task_store: BaseDataStore) -> None:
        self._consumer = consumer
        self._store = task_store
        self._began = consumer.invoker.now()
        self._snapshot = consumer.snapshot()
        self._has_news = threading.Event()
        self._stopping = False
        self._is_failing = False
        self._log = log.with_fields(queue=consumer.invoker.queue.name)
        # A daemon, so that a store that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="huey-heartbeat", daemon=True)

    def start(self) -> None:
        """Write the first record, in a thread, and go on."""
        self._thread.start()

    def renew(self, snapshot: Snapshot) -> None:
        """Write the record afresh, soon."""
        self._snapshot = snapshot
        self._has_news.set()

    def stop(self) -> None:
        """Have the thread remove the record and end; if that takes long, the store forgets it by itself."""
        self._stopping = True
        self._has_news.set()

    def join_until(self, deadline: float) -> None:
        """Wait for the end of the thread, but not beyond a moment on the monotonic clock."""
        self._thread.join(max(deadline - time.monotonic(), 0.0))

    def _work(self) -> None:
        while not self._stopping:
            try:
                self._write(self._snapshot)
            except BaseException as error:  # noqa: BLE001 - a driver may raise anything, and the thread must not end
                if not self._is_failing:
                    self._log.warning(
                        "the heartbeat cannot be written, trying again with the next: %s", error_line(error)
                    )
                self._is_failing = True
            else:
                if self._is_failing:
                    self._log.info("the heartbeat is written again")
                self._is_failing = False
            self._has_news.wait()
            self._has_news.clear()
        with suppress(BaseException):
            self._remove()

    def _write(self, snapshot: Snapshot) -> None:
        record = self._record(snapshot)
        self._store.put(_record_key(record.name), record.encode(), record.lifetime)
        self._update_index(is_alive=True)

    def _remove(self) -> None:
        self._store.delete(_record_key(self._consumer.name))
        self._update_index(is_alive=False)

    def _update_index(self, is_alive: bool) -> None:
        """Name this consumer in the index for some more beats, or no longer, and drop those whose time is over."""
        now = self._consumer.invoker.now()
        until = now + BEATS * self._consumer.config.heartbeat

        def updated(index: dict[str, Any]) -> dict[str, Any]:
            entries = {name: end for name, end in index.items() if type(end) is float and end > now}
            entries.pop(self._consumer.name, None)
            return entries | {self._consumer.name: until} if is_alive else entries

        # An index of nobody is left to be forgotten: to delete it could delete the entry of another consumer.
        _index(self._store).change(updated, ttl=lambda index: max(index.values(), default=now + _MOMENT) - now)

    def _record(self, snapshot: Snapshot) -> ConsumerRecord:
        consumer = self._consumer
        return ConsumerRecord(
            name=snapshot.name,
            version=__version__,
            started=self._began,
            seen=consumer.invoker.now(),
            lease=consumer.lease,
            heartbeat=consumer.config.heartbeat,
            queues=tuple(invoker.queue.name for invoker in consumer.invokers),
            workers=consumer.workers,
            worker_type=consumer.config.worker_type,
            periodic=consumer.config.runs_periodic,
            serializers=tuple(sorted(consumer.invoker.accepted)),
            commands=tuple(consumer.invoker.registry),
            in_flight=snapshot.in_flight,
            running=len(snapshot.running),
            running_ids=tuple(nlargest(MOST_IDS, snapshot.running, snapshot.running.__getitem__)),
            hook_faults=snapshot.hook_faults,
            problems=snapshot.problems,
        )


def _known_fields(cls: type[ConsumerRecord | HookFaults], found: dict[str, Any]) -> dict[str, Any]:
    return {field.name: found[field.name] for field in fields(cls) if field.name in found}


def _index(task_store: BaseDataStore) -> JSONValue[dict[str, Any]]:
    """The consumers by name, each with the time until which it is named, in seconds since the epoch."""
    return JSONValue(task_store, _INDEX, {}, expendable=True)


def _record_key(name: str) -> str:
    return f"consumer:{name}"
