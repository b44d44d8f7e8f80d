"""The fetch loop: claims messages for idle workers, and settles outcomes on the way."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.outcomes import Release
from huey_core.consumer.supervision import Service
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.outbox import Outbox
    from huey_core.consumer.poison import PoisonIsolation
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.prefetch import Prefetch
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.shares import Share, Turn
    from huey_core.consumer.source import Source
    from huey_core.workers.base import Run, Runner, WorkerPool

__all__ = ["Fetcher"]

log: Final = get_logger(__name__)

CLAIM_AT_ONCE: Final = 250
"""The most messages to claim in one call, so that no call keeps the server busy for long."""

FEW: Final = 16
"""Of this many workers, one alone is idle for a moment: of hundreds, others end just then, and one claim serves all."""


@dataclass(eq=False, repr=False, kw_only=True)
class Fetcher(Service):
    """Keeps the workers supplied."""

    source: Source
    lease: float
    pool: WorkerPool
    """Runs deliveries, and perhaps those of other queues."""
    runner: Runner
    """What the pool runs those of this queue by."""
    in_flight: InFlight
    outbox: Outbox
    prefetch: Prefetch
    share: Share
    """Says when this queue may claim, and how many messages."""
    poison: PoisonIsolation
    prepare: Callable[[Sequence[Delivery]], None]
    """Called with what a claim has brought, before any of it runs."""
    report: Callable[[Sequence[str], float], None]
    """Called with the ids of dead letters that a claim has named, and until when they are ours to report."""
    back_off: BackOff
    policy: Policy

    def __post_init__(self) -> None:
        super().__init__("fetcher", "the fetch loop", self.policy)
        # Less than the leases of what it may bring, which count from its beginning.
        self._longest_wait = min(self.policy.longest_wait, self.lease / 3)
        self._waiting_in_server = False
        self._wanted = threading.Event()
        self._low_water = 0
        self._wake_at = sys.maxsize
        self._hoards_since: float | None = None
        self.found_nothing_at = float("-inf")
        """When the latest claim began that has brought nothing, on the monotonic clock."""
        self.share.join(self.note_idle_worker, self._worker_seconds)

    def run(self) -> None:
        """Claim and settle until told to stop."""
        super().run()
        # From here on nobody else flushes, so the workers do.
        self._waiting_in_server = True

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._comes_round_within(self._longest_wait)
            try:
                self._cycle()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                self.share.rest()
                self._rest(self.back_off.failed(error))
            except BaseException:
                self.share.rest()
                raise
            else:
                self.back_off.over()

    def stop(self) -> None:
        """End the loop soon, a wait in the server included."""
        super().stop()
        self._wanted.set()
        self.source.wake()

    def note_idle_worker(self) -> None:
        """A worker of the pool says that it will look for the next delivery."""
        if self.pool.waiting() <= self._wake_at:
            self.share.is_watching = False
            self._wanted.set()

    def finished_one(self) -> None:
        """A worker says that it has added an outcome.

        It settles that itself while the fetch loop waits in the server, which would come to it too late.
        """
        if not self._waiting_in_server:
            return
        try:
            self.outbox.flush_unless_flushing()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            # The outcomes went back into the outbox, and the fetch loop is woken to try again and again.
            log.debug("a worker could not settle: %s", error_line(error))
            self.source.wake()

    def _cycle(self) -> None:
        self.share.settling()
        self.outbox.flush()
        if not_started := self.in_flight.take_not_started():
            log.warning(
                "%s not started: the lease ended while waiting for a worker",
                counted(not_started, "message"),
                extra={"queue": self.source.queue_name},
            )
        # Before the pool is looked at: a worker that finishes from here on is not waited for below.
        self._watch()
        target, ahead = self._prefetched()
        self._low_water = target // 2
        most = 0 if self.outbox.parked.is_full() else self.poison.limit(CLAIM_AT_ONCE)
        if not most:
            self.share.rest()
        turn = self.share.ask(most, target, ahead, self.prefetch.cost)
        if turn.limit <= 0:
            self._wait_for_workers(ahead, target)
            return
        # The flag goes up before the outbox is looked at, and workers add before they look at the flag: whatever
        # the order, one of the two sees the other. What a worker flushes meanwhile may be refused, and parked.
        self._waiting_in_server = True
        wait = self._wait_in_server(turn, ahead)
        self.share.claiming(waits=wait > 0.0)
        try:
            if len(self.outbox) or self.outbox.parked.is_full():
                return
            # The lease counts from here on, and not from the answer, which may be read long after it was given.
            began = time.monotonic()
            until = began + self.lease if self.source.redelivers else float("inf")
            deliveries, buried = self.source.claim(turn.limit, self.lease, wait)
        finally:
            self._waiting_in_server = False
        if buried:
            self.report(buried, until)
        if deliveries:
            self.in_flight.add(deliveries, until)
        elif not buried:
            self.found_nothing_at = began
        kept = self.share.keep(len(deliveries), target)
        if self._stopping.is_set():
            # The workers may have ended, if the server took longer than the consumer's stop waits for it.
            kept = 0
        if deliveries:
            self.prefetch.weigh(max(len(one.data) for one in deliveries))
            self._hand_over(deliveries[:kept], deliveries[kept:])
        self.share.has_claimed()
        if not deliveries and ahead and not turn.is_beside:
            self._wait_for_workers(ahead, target)

    def _wait_in_server(self, turn: Turn, ahead: int) -> float:
        """Seconds for which a claim may wait for a message to come."""
        # While something waits here, every worker is busy, and what they finish is settled by this loop alone.
        # And the first success after an outage is not kept waiting, so that it ends in the log when it does here.
        if not turn.in_server or (ahead and not turn.is_beside) or self.back_off.seconds:
            return 0.0
        return min(self._longest_wait, self.outbox.parked.due_in())

    def _hand_over(self, deliveries: Sequence[Delivery], over: Sequence[Delivery]) -> None:
        """Have the pool run what of a claim may run now, and give back the rest, with what is over.

        When plugins or the pool cannot, all is given back.
        """
        kept = deliveries
        self._release(over)
        try:
            kept, given_back = self.poison.divide(deliveries)
            self._release(given_back)
            if given_back or over:
                # Before the one on its last delivery starts, because it may end this process at once.
                self.outbox.flush()
            if kept:
                self.prepare(kept)
                self.pool.put(kept, self.runner)
        except BaseException:
            self._release(kept)
            raise

    def _prefetched(self) -> tuple[int, int]:
        """How many messages to prefetch, and how many are prefetched now, of all queues."""
        now = time.monotonic()
        running = self.pool.running()
        busy_for = max((now - run.started for run in running if run.runner is self.runner), default=0.0)
        if len(running) >= self.pool.size:
            # What others run is in the way where it keeps every worker.
            busy_for = max(busy_for, now - max(run.started for run in running))
        # What an idle worker is about to take from the buffer is not prefetched.
        ahead = max(min(-self.pool.room(), self.pool.waiting()), 0)
        return self.prefetch.target(busy_for), ahead

    def _worker_seconds(self, running: Sequence[Run]) -> tuple[float, float]:
        """The seconds of workers that this queue's commands have taken, and those that what is in flight may take."""
        now = time.monotonic()
        elapsed = sum(now - run.started for run in running if run.runner is self.runner)
        in_flight = max(len(self.in_flight) - len(self.outbox), 0)
        return self.prefetch.seconds + elapsed, in_flight * min(self.prefetch.cost, self.policy.horizon)

    def _wait_for_workers(self, ahead: int, target: int) -> None:
        if self._hoards(ahead, target):
            self._give_back()
        if not len(self.outbox):
            self._wanted.wait(min(self.policy.stuck_after / 2, self.share.patience))
        if target and ahead > self._low_water:
            self._watch(self._low_water)
            if self.pool.waiting() > self._low_water:
                self._wanted.wait(self.policy.linger)
        elif (target and ahead) or 0 < self.pool.room() <= self.pool.size // FEW:
            self._stopping.wait(self.policy.linger)

    def _watch(self, wake_at: int = sys.maxsize) -> None:
        """Be woken by the next worker that is idle while so few deliveries wait, or fewer."""
        self._wake_at = wake_at
        # In this order, because who wakes ends the watch: one that did between the two would be missed.
        self._wanted.clear()
        self.share.watch()

    def _hoards(self, ahead: int, target: int) -> bool:
        """Whether messages of this queue have waited here for a while, though nothing is to be prefetched."""
        running = sum(run.runner is self.runner for run in self.pool.running())
        if not ahead or target or len(self.in_flight) - len(self.outbox) <= running:
            self._hoards_since = None
            return False
        if self._hoards_since is None:
            self._hoards_since = time.monotonic()
        return time.monotonic() - self._hoards_since > self.policy.stuck_after

    def _give_back(self) -> None:
        """Release what was claimed in the belief that commands are quick, for another consumer or queue to run."""
        drained = self.pool.drain()
        log.debug("giving back %s, because commands are slow", counted(len(drained), "message"))
        for delivery, runner in drained:
            runner.release(delivery)
        self.outbox.flush()

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.outbox.add(Release(delivery))
