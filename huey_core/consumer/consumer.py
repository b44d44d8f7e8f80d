"""The consumer: what it consists of, how it starts, and how it stops."""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core.backends.leased import Ack, Bury, Delivery, Outcome, Release, Retry
from huey_core.consumer.claim_ahead import ClaimAhead
from huey_core.consumer.config import ConsumerConfig
from huey_core.consumer.fetcher import Fetcher
from huey_core.consumer.held import HeldDeliveries, LeaseKeeper
from huey_core.consumer.last_delivery import LastDelivery
from huey_core.consumer.outbox import Outbox
from huey_core.consumer.periodic import PeriodicScheduler, TickWriter
from huey_core.consumer.plain import PlainSource
from huey_core.consumer.presence import PRESENCE
from huey_core.consumer.report import CORE_REPORT
from huey_core.consumer.trouble import Outage
from huey_core.consumer.worker import WorkBuffer, Worker
from huey_core.exceptions import QueueException, QueueReadException
from huey_core.invoker.runner import CommandRunner
from huey_core.invoker.schedule import CommandSchedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.invoker.invoker import Invoker

__all__ = ["Consumer", "Snapshot", "Source", "Stats"]

log: Final = logging.getLogger("huey_core.consumer")


class Source(Protocol):
    """What the consumer needs of a queue; :class:`~huey_core.backends.leased.LeasedQueue` has it."""

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> list[Delivery]:
        """Take messages under a lease."""

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries."""

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases."""

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether results can be written together with outcomes."""

    def now(self) -> float:
        """The time that decides about leases and delays."""

    def wake(self) -> None:
        """End a claim that waits."""


@dataclass
class Stats:
    """What a consumer has done since it started.

    Attributes:
        claimed: Messages claimed.
        done: Messages acked.
        retried: Messages put back to be tried again.
        released: Messages given back.
        buried: Messages made dead letters.
        lost: Outcomes that changed nothing, because the lease had ended.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    released: int = 0
    buried: int = 0
    lost: int = 0

    def count(self, outcome: Outcome) -> None:
        """Count a settled outcome."""
        if isinstance(outcome, Ack):
            self.done += 1
        elif isinstance(outcome, Retry):
            self.retried += 1
        elif isinstance(outcome, Release):
            self.released += 1
        elif isinstance(outcome, Bury):
            self.buried += 1


@dataclass(frozen=True)
class Snapshot:
    """What a consumer holds at one moment.

    Attributes:
        name: The consumer's name: host, process and a number.
        held: Messages under a lease of this consumer, running ones included.
        running: The identifiers of the messages that run, with the seconds for which they have run.
        stats: What it has done since it started.
    """

    name: str
    held: int
    running: dict[str, float]
    stats: Stats


class Consumer:
    """Runs the commands of an invoker's queue, in threads of this process.

    ::

        with Consumer(invoker).running():
            assert add(1, 2).get(blocking=True, timeout=5) == 3

    Args:
        invoker: The invoker.
        config: The settings; the default ones when ``None``.
        settings: Single settings instead of ``config``, in lower case: ``threads=2``.

    Raises:
        ConfigurationError: A setting cannot be used.
    """

    def __init__(self, invoker: Invoker, config: ConsumerConfig | None = None, **settings: Any) -> None:
        self.invoker = invoker
        self.config = config or ConsumerConfig(**settings)
        plugins = invoker.plugins
        plugins.register(CORE_REPORT, "huey_core.report")
        plugins.register(PRESENCE, "huey_core.presence")
        plugins.hook.huey_consumer_configure(config=self.config)
        self.config.check()

        self.name = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self.lease = self.config.lease or invoker.lease
        self.source: Source = invoker.leased_queue or self._plain_source()
        self.stats = Stats()
        self._finished: bool | None = None
        self.outage = Outage(f"the queue {invoker.queue.name!r}", log)
        self.held = HeldDeliveries()
        self.buffer = WorkBuffer()
        self.outbox = Outbox(self)
        self.last_delivery = LastDelivery(
            invoker.leased_queue.max_deliveries if invoker.leased_queue else 1, self.held, patience=self.lease
        )
        self.claim_ahead = ClaimAhead(self.config.threads, self.config.prefetch if invoker.leased_queue else 0)
        self.runner = CommandRunner(
            invoker,
            self.config.unreadable_delay,
            invoker.leased_queue.max_deliveries if invoker.leased_queue else 5,
        )
        self.workers = [Worker(self, f"worker-{number}") for number in range(1, self.config.threads + 1)]
        self.fetcher = Fetcher(self)
        self.lease_keeper = LeaseKeeper(self)
        self.periodic = PeriodicScheduler(self, TickWriter(invoker, self.config.utc)) if self.config.periodic else None

    def start(self) -> None:
        """Check that the server answers, log the start-up report, and start the threads.

        Raises:
            QueueReadException: The server does not answer, or refuses the connection.
            Exception: What a plugin raised to keep the consumer from starting.
        """
        try:
            len(self.invoker.queue)
            self.measure_clock()
        except QueueException:
            raise
        except Exception as error:
            raise QueueReadException(f"{self.invoker.queue!r} does not answer: {error}") from error
        for lines in self.invoker.hook.huey_consumer_report(consumer=self):
            for line in lines:
                log.info("%s", line)
        self.invoker.hook.huey_consumer_start(consumer=self)
        for thread in (*self.workers, self.lease_keeper, self.fetcher):
            thread.start()
        if self.periodic is not None:
            self.periodic.start()
        log.info("queue %r: ready", self.invoker.queue.name)

    def stop(self, reason: str = "stopped", timeout: float | None = None) -> bool:
        """Stop claiming, let running commands finish, give back the rest at once, and wait for all that.

        Args:
            reason: Why, for the log and the plugins.
            timeout: Seconds that running commands have; ``None`` takes the setting.

        Returns:
            Whether every running command finished in time; a second call returns what the first one did. A command
            that did not finish goes on in its thread until the process ends, but its message was given back and its
            outcome will change nothing.
        """
        if self._finished is not None:
            return self._finished
        timeout = self.config.shutdown_timeout if timeout is None else timeout
        running = len(self.snapshot().running)
        log.info("queue %r: stopping (%s): %d commands are running", self.invoker.queue.name, reason, running)
        deadline = time.monotonic() + timeout
        if self.periodic is not None:
            self.periodic.stop()
        self.fetcher.stop()
        self.fetcher.join()
        if self.periodic is not None and self.periodic.is_alive():
            self.periodic.join(max(deadline - time.monotonic(), 0.0))
        self._release(self.buffer.drain())
        self.buffer.end_workers(len(self.workers))
        for worker in self.workers:
            worker.join(max(deadline - time.monotonic(), 0.0))
        unfinished = [delivery for worker in self.workers if (delivery := worker.running) is not None]
        if unfinished:
            log.warning("%d commands did not finish in %g s and are given back", len(unfinished), timeout)
        self._release(unfinished)
        self.lease_keeper.stop()
        self.lease_keeper.join()
        self.notify("huey_consumer_stop", reason=reason)
        log.info("queue %r: stopped: %s", self.invoker.queue.name, self.stats)
        for faults in self.invoker.plugins.hook_faults():
            log.warning("%s", faults)
        self._finished = not unfinished
        return self._finished

    def stop_now(self) -> None:
        """Give back everything at once, running commands included. For a process that ends right after it."""
        self.fetcher.stop()
        self._release(self.held.all())

    @contextmanager
    def running(self) -> Iterator[Consumer]:
        """Start, and stop at the end of the block."""
        self.start()
        try:
            yield self
        finally:
            self.stop("the end of the block")

    def snapshot(self) -> Snapshot:
        """What the consumer holds now."""
        now = time.monotonic()
        running = {
            delivery.message_id: worker.busy_for(now)
            for worker in self.workers
            if (delivery := worker.running) is not None
        }
        return Snapshot(self.name, len(self.held), running, self.stats)

    def notify(self, hook_name: str, **arguments: Any) -> None:
        """Tell the observers of a hook; ``consumer`` is added to the arguments."""
        plugins = self.invoker.plugins
        if plugins.has(hook_name):
            plugins.notify(hook_name, consumer=self, **arguments)

    def measure_clock(self) -> None:
        """Compare the clock of this process with the one that decides about leases and delays."""
        before = time.time()
        now = self.source.now()
        self.invoker.clock_offset = now - (before + time.time()) / 2

    def beat(self) -> None:
        """Tell plugins that the consumer lives; called by the thread that renews the leases."""
        self.notify("huey_consumer_heartbeat", snapshot=self.snapshot())

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.outbox.add(Release(delivery))
        try:
            self.outbox.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the leases bring the messages back
            log.error("%d messages could not be given back; their leases will: %r", len(self.held), error)

    def _plain_source(self) -> PlainSource:
        config = self.config
        store = self.invoker.task_store
        pauses = (config.initial_delay, config.backoff, config.max_delay)
        return PlainSource(self.invoker.queue, CommandSchedule(store), store, pauses)
