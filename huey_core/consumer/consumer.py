"""The consumer: what it consists of, how it starts, and how it stops."""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from huey_core import hookspecs
from huey_core.backends.deadline import time_limit
from huey_core.consumer.clock_offset import measured_offset
from huey_core.consumer.config import BaseConfiguration, settings_for
from huey_core.consumer.dead_letters import DeadLetterReporter
from huey_core.consumer.delivery_runner import DeliveryRunner
from huey_core.consumer.fetcher import Fetcher
from huey_core.consumer.heartbeat import HEARTBEAT
from huey_core.consumer.in_flight import InFlight
from huey_core.consumer.lease_renewal import LeaseRenewal
from huey_core.consumer.outbox import Outbox
from huey_core.consumer.periodic import PeriodicScheduler, TickWriter
from huey_core.consumer.poison import PoisonIsolation
from huey_core.consumer.pools import ThreadPool
from huey_core.consumer.prefetch import Prefetch
from huey_core.consumer.result_writer import ResultWriter
from huey_core.consumer.retry import BackOff, Outage, Pauses
from huey_core.consumer.shutdown import LAST_STEPS, Shutdown
from huey_core.consumer.signals import run_until_signalled
from huey_core.consumer.source import source_of
from huey_core.consumer.startup_report import STARTUP_REPORT, WARNING
from huey_core.exceptions import QueueException, QueueReadException
from huey_core.invoker.runner import CommandRunner
from huey_core.message import read_header
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig
from huey_core.snapshot import Snapshot, Stats
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.supervision import Service
    from huey_core.invoker.invoker import Invoker

__all__ = ["Consumer"]

log: Final = get_logger(__name__)


class Consumer:
    """Runs the commands of an invoker's queue, in threads of this process.

    ::

        with Consumer(invoker).running():
            assert add(1, 2).get(blocking=True, timeout=5) == 3

    Args:
        invoker: The invoker.
        config: The settings, or a configuration class, of which then only the settings count; the default ones when
            ``None``.
        settings: Single settings instead of ``config``, in lower case: ``threads=2``.

    Raises:
        ConfigurationError: A setting cannot be used, or an argument is not what it should be.
        TypeError: There is no such setting, or there is a ``config`` beside it.
    """

    def __init__(
        self,
        invoker: Invoker,
        config: ConsumerConfig | BaseConfiguration | type[BaseConfiguration] | None = None,
        **settings: Any,
    ) -> None:
        if config is not None and settings:
            raise TypeError(f"settings are given in config or singly, not both: {', '.join(settings)}")
        self.config = settings_for(invoker, ConsumerConfig(**settings) if config is None else config)
        self.invoker = invoker
        plugins = invoker.plugins
        plugins.register(STARTUP_REPORT, "huey_core.startup_report")
        plugins.register(HEARTBEAT, "huey_core.heartbeat")
        plugins.call(hookspecs.huey_consumer_configure, config=self.config)
        self.config.check()

        self.lease = self.config.lease or invoker.lease
        self.source = source_of(invoker, self._pauses)
        self._finished: bool | None = None
        self.outage = Outage(f"the queue {invoker.queue.name!r}", log)
        self.in_flight = InFlight()
        self.poison = PoisonIsolation(self.source.max_deliveries, self.in_flight, self._is_run_here, self.lease)
        # What is held ahead is lost with this process where nothing is redelivered.
        self.prefetch = Prefetch(self.config.threads, self.config.prefetch if self.source.redelivers else 0)
        store_outage = Outage(f"the result store {invoker.result_store!r}", log, self._clock)
        results = ResultWriter(
            self.source.settles_into, BackOff(store_outage, "storing results", self._pauses), self._clock
        )
        self.dead_letters = self._dead_letter_reporter()
        self.outbox = Outbox(
            source=self.source,
            in_flight=self.in_flight,
            results=results,
            serializer=invoker.serializer,
            has_buried=self.dead_letters.has_buried if self.dead_letters else lambda delivery: None,
            has_parked=self.poison.has_run,
            cannot_write=self._cannot_write,
            lease=self.lease if self.source.redelivers else None,
            back_off=self._back_off("settling"),
            clock=self._clock,
        )
        runner = DeliveryRunner(
            runner=CommandRunner(
                invoker,
                self.config.unreadable_delay,
                self.source.max_deliveries,
                log_commands=self.config.log_commands,
            ),
            may_be_revoked=lambda: self.fetcher.revocable,
            in_flight=self.in_flight,
            outbox=self.outbox,
            prefetch=self.prefetch,
            fate=self.source.fate,
        )
        self.pool = ThreadPool(
            self.config.threads,
            runner.run,
            self._has_run_one,
            on_start=self._worker_started,
            on_stop=self._worker_stopped,
        )
        self.fetcher = Fetcher(
            source=self.source,
            lease=self.lease,
            pool=self.pool,
            in_flight=self.in_flight,
            outbox=self.outbox,
            prefetch=self.prefetch,
            poison=self.poison,
            may_be_revoked=self._may_be_revoked,
            report=self.dead_letters.add if self.dead_letters else lambda message_ids: None,
            back_off=self._back_off("claiming"),
        )
        self.lease_renewal = LeaseRenewal(
            source=self.source,
            in_flight=self.in_flight,
            lease=self.lease,
            is_settling=self.outbox.is_settling,
            measure_clock=self.measure_clock,
            beat=self.beat,
            back_off=self._back_off("renewing leases"),
        )
        self.periodic = (
            PeriodicScheduler(self.make_tick_writer(), self.source.now, self._back_off("writing ticks"))
            if self.config.periodic
            else None
        )
        feeders: list[Service] = [self.fetcher, *([self.periodic] if self.periodic else ())]
        keepers: list[Service] = [self.lease_renewal, *([self.dead_letters] if self.dead_letters else ())]
        self._services = [*keepers, *feeders]
        self._shutdown = Shutdown(
            source=self.source,
            pool=self.pool,
            in_flight=self.in_flight,
            outbox=self.outbox,
            feeders=feeders,
            keepers=keepers,
            back_off=self._back_off("stopping"),
        )

    def make_tick_writer(self) -> TickWriter:
        """Make what writes the ticks of periodic commands. For a subclass to extend."""
        return TickWriter(self.invoker, self.config.utc)

    def start(self) -> None:
        """Check that the server answers, log the start-up report, and start the threads.

        Raises:
            QueueReadException: The server does not answer, or refuses.
            Exception: What a plugin raised to keep the consumer from starting.
        """
        try:
            is_paused = self.source.is_paused()
            self.measure_clock()
        except QueueException:
            raise
        except Exception as error:
            raise QueueReadException(f"{self.invoker.queue!r} cannot be used: {error_line(error)}") from error
        for lines in self.invoker.plugins.call_all(hookspecs.huey_consumer_report, consumer=self):
            for line in lines:
                text = line.removeprefix(WARNING)
                (log.info if text == line else log.warning)("%s", text)
        self.invoker.plugins.call(hookspecs.huey_consumer_start, consumer=self)
        self.pool.start()
        for service in self._services:
            service.start()
        if is_paused:
            log.warning("queue %r: ready, but it is paused; 'huey resume' lets it go on", self.invoker.queue.name)
        else:
            log.info("queue %r: ready", self.invoker.queue.name)

    def stop(self, reason: str = "stopped", timeout: float | None = None) -> bool:
        """Stop claiming, let running commands finish, give back the rest at once, and wait for all that.

        While the server is away, what has to be written is tried again and again until the time is up.

        Args:
            reason: Why, for the log and the plugins.
            timeout: Seconds that running commands have, and their outcomes; ``None`` takes the setting.

        Returns:
            Whether every running command finished in time and its outcome was written; a second call returns what the
            first one did. A command that did not finish goes on in its thread until the process ends, but its message
            was given back and its outcome will change nothing.
        """
        if self._finished is not None:
            return self._finished
        timeout = self.config.shutdown_timeout if timeout is None else timeout
        running = counted(len(self.snapshot().running), "command")
        log.info("queue %r: stopping (%s): %s running", self.invoker.queue.name, reason, running)
        with time_limit(timeout + LAST_STEPS):
            self._finished = self._shutdown.run(timeout)
            self.invoker.plugins.notify(hookspecs.huey_consumer_stop, consumer=self, reason=reason)
        log.info("queue %r: stopped: %s", self.invoker.queue.name, self.stats)
        for faults in self.invoker.plugins.hook_faults():
            log.warning("%s", faults)
        return self._finished

    def stop_now(self) -> None:
        """Give back everything at once, running commands included. For a process that ends right after it."""
        self._shutdown.run_now()

    def run(self) -> int:
        """Start, run until a signal comes, and stop, as ``huey consumer`` does. Must be called in the main thread.

        Logging is left as it is. After SIGHUP the program starts again with the same arguments.

        Returns:
            The exit code for the process: 0 after an orderly end, 1 after a second signal, or when it could not stop.

        Raises:
            ConfigurationError: It was called in another thread.
            QueueReadException: The server does not answer, or refuses.
        """
        return run_until_signalled(self)

    @contextmanager
    def running(self) -> Iterator[Consumer]:
        """Start, and stop at the end of the block."""
        self.start()
        try:
            yield self
        finally:
            self.stop("the end of the block")

    @property
    def name(self) -> str:
        """What it is called among the consumers of its queue: one that was made before a fork has a name in each."""
        return f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"

    def snapshot(self) -> Snapshot:
        """What the consumer holds now."""
        now = time.monotonic()
        running = {run.delivery.message_id: now - run.started for run in self.pool.running()}
        return Snapshot(self.name, len(self.in_flight), running, self.stats)

    @property
    def stats(self) -> Stats:
        """What the consumer has done until now."""
        return self.in_flight.stats()

    def measure_clock(self) -> None:
        """Compare the clock of this process with the one that decides about leases and delays."""
        self.invoker.clock_offset = measured_offset(self.invoker.clock_offset, self.source.now)

    def beat(self) -> None:
        """Tell plugins that the consumer lives; called by the thread that renews the leases."""
        self.invoker.plugins.notify(hookspecs.huey_consumer_heartbeat, consumer=self, snapshot=self.snapshot())

    def _is_run_here(self, delivery: Delivery) -> bool:
        """Whether the command of a message would be run, as far as its header says; the body is not looked at."""
        header = read_header(delivery.data)
        return header.command_name in self.invoker.registry and header.serializer in self.invoker.accepted

    def _dead_letter_reporter(self) -> DeadLetterReporter | None:
        queue = self.invoker.leased_queue
        if queue is None:
            return None
        outage = Outage("the reporting of dead letters", log, self._clock)
        return DeadLetterReporter(
            self.invoker,
            queue,
            lease=self.lease,
            has_reported=self.in_flight.buried_by_claim,
            back_off=BackOff(outage, f"queue {queue.name!r}", self._pauses),
            clock=self._clock,
        )

    @property
    def _pauses(self) -> Pauses:
        return Pauses(self.config.initial_delay, self.config.backoff, self.config.max_delay)

    def _back_off(self, doing: str) -> BackOff:
        return BackOff(self.outage, doing, self._pauses)

    def _clock(self) -> float:
        return self.outage.clock()

    def _has_run_one(self) -> None:
        self.fetcher.finished_one()

    def _worker_started(self, worker: str) -> None:
        self.invoker.plugins.notify(hookspecs.huey_worker_start, consumer=self, worker=worker)

    def _worker_stopped(self, worker: str) -> None:
        self.invoker.plugins.notify(hookspecs.huey_worker_stop, consumer=self, worker=worker)

    def _cannot_write(self, message_id: str, reason: str) -> None:
        """Tell plugins of a message that is buried because its outcome can never be written."""
        self.invoker.plugins.notify(
            hookspecs.huey_command_buried, invoker=self.invoker, command=None, message_id=message_id, reason=reason
        )

    def _may_be_revoked(self) -> bool:
        return self.invoker.revokes and self.invoker.revocations.any()
