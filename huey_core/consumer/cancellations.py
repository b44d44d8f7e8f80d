"""Cancelling commands that run here, because somebody has said so anywhere.

Whoever cancels a call revokes it, and then writes a mark into the task store of its queue, which is another one each
time. A consumer looks at that mark, one small value, while a command runs here that takes long: when the store says
that it was written, as often as a lease is renewed, and once for each such command. What the mark cannot hit is kept
from beginning by the revocation itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.commands.context import log_fields
from huey_core.consumer.supervision import Service
from huey_core.exceptions import CommandInterrupted
from huey_core.features.revocation import keeps_revocations
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.features.revocation import Revocations, RevokingInvoker
    from huey_core.workers.base import Run, WorkerPool

__all__ = ["Cancellations"]

log: Final = get_logger(__name__)

LINGER: Final = 10.0
"""Seconds for which a store is watched after the last command that took long."""


class CancellingQueue(Protocol):
    """What is needed of a served queue."""

    name: str
    in_flight: InFlight
    lease: float

    @property
    def invoker(self) -> RevokingInvoker:
        """The invoker whose queue it is."""

    def back_off(self, doing: str, store: BaseDataStore | None = None) -> BackOff:
        """Make what is needed to go on after a failure of a store."""


class Cancellations(Service):
    """Has the commands end that run here and were cancelled.

    Args:
        queues: The served queues. Those without a task store that keeps revocations are left out.
        pool: What runs their commands.
        policy: Says for how long a command runs before it takes long, and how often that is looked at.
    """

    def __init__(self, queues: Iterable[CancellingQueue], pool: WorkerPool, policy: Policy) -> None:
        super().__init__("cancellations", "the cancelling of commands", policy)
        self._interval = policy.long_run
        self._queues = [
            _OneQueue(queue, pool, queue.invoker.revocations, store, policy.long_run)
            for queue in queues
            if (store := queue.invoker.task_store) is not None and keeps_revocations(store)
        ]

    def _work(self) -> None:
        try:
            while not self._rest(self._interval):
                for queue in self._queues:
                    queue.step(time.monotonic())
        finally:
            for queue in self._queues:
                queue.end()


@dataclass(eq=False, repr=False)
class _OneQueue:
    """The cancellations of the commands of one queue."""

    queue: CancellingQueue
    pool: WorkerPool
    revocations: Revocations
    store: BaseDataStore
    long_run: float

    is_told: bool = False
    seen: bytes | EmptyDataType = EmptyData
    """The mark of which all is known that was cancelled before it was written."""
    known: set[str] = field(default_factory=set)
    """The commands that take long and run since the last look."""
    wanted: set[str] = field(default_factory=set)
    """What was cancelled and is in flight, until its run was asked to end."""
    next_look: float = 0.0
    retry_at: float = 0.0
    last_long_run: float = 0.0
    end_watch: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.back_off = self.queue.back_off("looking for cancelled commands", self.store)

    def step(self, now: float) -> None:
        """Look at what runs at ``now``, and at the store if that may have something to say of it."""
        long = {run.delivery.message_id for run in self._running() if now - run.started >= self.long_run}
        if long:
            self.last_long_run = now
        elif now - self.last_long_run > LINGER:
            self.end()
        if now >= self.retry_at:
            try:
                self._look_if_needed(long, now)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                self.known = set()
                self.retry_at = now + self.back_off.failed(error)
            else:
                self.back_off.over()
        self._cancel()

    def end(self) -> None:
        """Watch the store no more."""
        if self.end_watch is not None:
            end, self.end_watch = self.end_watch, None
            end()

    def _look_if_needed(self, long: set[str], now: float) -> None:
        if long and self.end_watch is None and Capability.NOTIFY in self.store.capabilities:
            self.end_watch = self.revocations.watch_cancellations(self._tell)

        if long and (self.is_told or now >= self.next_look or not long <= self.known):
            self.is_told = False
            mark = self.revocations.last_cancellation()
            if mark != self.seen:
                self.wanted |= self.revocations.cancelled([one.message_id for one in self.queue.in_flight.all()])
                self.seen = mark
            self.next_look = now + self.queue.lease / 3
        self.known = long

    def _tell(self) -> None:
        self.is_told = True

    def _cancel(self) -> None:
        """Have those runs end that are cancelled; what has not begun is kept in mind until it does."""
        if not self.wanted:
            return
        for run in self._running():
            if run.delivery.message_id in self.wanted:
                self.wanted.remove(run.delivery.message_id)
                if not self.pool.cancel(run, CommandInterrupted):
                    log.warning(
                        "message %s was cancelled and cannot be interrupted here; it goes on",
                        run.delivery.message_id,
                        extra=log_fields(self.queue.name, run.delivery),
                    )
        self.wanted &= {one.message_id for one in self.queue.in_flight.all()}

    def _running(self) -> list[Run]:
        return [run for run in self.pool.running() if run.delivery in self.queue.in_flight]
