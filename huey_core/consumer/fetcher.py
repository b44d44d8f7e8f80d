"""The fetch loop: claims messages for idle workers, and settles outcomes on the way."""

from __future__ import annotations

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
    from huey_core.consumer.source import Source
    from huey_core.workers.base import Runner, WorkerPool

__all__ = ["Fetcher"]

log: Final = get_logger(__name__)

CLAIM_AT_ONCE: Final = 250
"""The most messages to claim in one call, so that no call keeps the server busy for long."""


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
        self._running_low = threading.Event()
        self._low_water = 0

    def run(self) -> None:
        """Claim and settle until told to stop."""
        super().run()
        # From here on nobody else flushes, so the workers do.
        self._waiting_in_server = True

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._cycle()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                self._stopping.wait(self.back_off.failed(error))
            else:
                self.back_off.over()

    def stop(self) -> None:
        """End the loop soon, a wait in the server included."""
        super().stop()
        self._wanted.set()
        self._running_low.set()
        self.source.wake()

    def note_idle_worker(self) -> None:
        """A worker of the pool says that it will look for the next delivery."""
        if not self._running_low.is_set() and self.pool.waiting() <= self._low_water:
            self._running_low.set()
        if not self._wanted.is_set():
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
        self.outbox.flush()
        if not_started := self.in_flight.take_not_started():
            log.warning(
                "%s not started: the lease ended while waiting for a worker",
                counted(not_started, "message"),
                extra={"queue": self.source.queue_name},
            )
        # Before the pool is looked at: a worker that finishes from here on is not waited for below.
        self._wanted.clear()
        room, target, ahead = self._room()
        room = self.poison.limit(room)
        self._low_water = target // 2
        if room <= 0 or ahead > self._low_water or self.outbox.parked.is_full():
            self._wait_for_workers(ahead, target)
            return
        # The flag goes up before the outbox is looked at, and workers add before they look at the flag: whatever
        # the order, one of the two sees the other. What a worker flushes meanwhile may be refused, and parked.
        self._waiting_in_server = True
        try:
            if len(self.outbox) or self.outbox.parked.is_full():
                return
            # While something waits here, every worker is busy, and what they finish is settled by this loop alone.
            # And the first success after an outage is not kept waiting, so that it ends in the log when it does here.
            wait = 0.0 if ahead or self.back_off.seconds else min(self._longest_wait, self.outbox.parked.due_in())
            # The lease counts from here on, and not from the answer, which may be read long after it was given.
            until = time.monotonic() + self.lease if self.source.redelivers else float("inf")
            deliveries, buried = self.source.claim(min(room, CLAIM_AT_ONCE), self.lease, wait)
        finally:
            self._waiting_in_server = False
        if buried:
            self.report(buried, until)
        if deliveries:
            self.in_flight.add(deliveries, until)
            if self._stopping.is_set():
                # The workers may have ended, if the server took longer than the consumer's stop waits for it.
                self._release(deliveries)
                self.outbox.flush()
                return
            self.prefetch.weigh(max(len(one.data) for one in deliveries))
            self._hand_over(deliveries)
        elif ahead:
            self._wait_for_workers(ahead, target)

    def _hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Have the pool run what of a claim may run now. When plugins or the pool cannot, all is given back."""
        kept = deliveries
        try:
            kept, given_back = self.poison.divide(deliveries)
            self._release(given_back)
            if given_back:
                # Before the one on its last delivery starts, because it may end this process at once.
                self.outbox.flush()
            self.prepare(kept)
            self.pool.put(kept, self.runner)
        except BaseException:
            self._release(kept)
            raise

    def _room(self) -> tuple[int, int, int]:
        """How many messages to claim, how many to prefetch, and how many are prefetched now."""
        now = time.monotonic()
        target = self.prefetch.target(max((now - run.started for run in self.pool.running()), default=0.0))
        room = self.pool.room()
        # What an idle worker is about to take from the buffer is not prefetched.
        ahead = max(min(-room, self.pool.waiting()), 0)
        return room + target, target, ahead

    def _wait_for_workers(self, ahead: int, target: int) -> None:
        if ahead and not target and self._everyone_is_stuck():
            self._give_back()
        if not len(self.outbox):
            self._wanted.wait(self.policy.stuck_after / 2)
        if target and ahead > self._low_water:
            self._running_low.clear()
            self._running_low.wait(self.policy.linger)
        elif target and ahead:
            self._stopping.wait(self.policy.linger)

    def _everyone_is_stuck(self) -> bool:
        now = time.monotonic()
        running = self.pool.running()
        return len(running) == self.pool.size and all(now - run.started > self.policy.stuck_after for run in running)

    def _give_back(self) -> None:
        """Release what was claimed in the belief that commands are quick, for another consumer to run."""
        drained = self.pool.drain()
        log.debug("giving back %s, because every worker is busy", counted(len(drained), "message"))
        for delivery, runner in drained:
            runner.release(delivery)
        self.outbox.flush()

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.outbox.add(Release(delivery))
