"""The consumer: what it consists of, how it starts, and how it stops.

What belongs to one queue is a :class:`~huey_core.consumer.served_queue.ServedQueue`. What its queues share is here.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from huey_core import hookspecs
from huey_core.backends.capabilities import Capability
from huey_core.backends.deadline import time_limit
from huey_core.commands.context import CURRENT
from huey_core.consumer.burst import check_burst, make_burst, policy_of_burst
from huey_core.consumer.cancellations import Cancellations
from huey_core.consumer.config import BaseConfiguration, settings_for
from huey_core.consumer.health import Health
from huey_core.consumer.heartbeat import HeartbeatSender
from huey_core.consumer.periodic import PeriodicScheduler
from huey_core.consumer.poison import QueuesTogether
from huey_core.consumer.policy import POLICY
from huey_core.consumer.pool_abilities import check_pool_abilities
from huey_core.consumer.recycling import check_recycling, max_memory, recycling
from huey_core.consumer.remote_application import remote_application
from huey_core.consumer.served_queue import ServedQueue
from huey_core.consumer.shares import Shares
from huey_core.consumer.shutdown import Shutdown
from huey_core.consumer.signals import run_until_signalled
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import ConfigurationError, QueueException, QueueReadException
from huey_core.invoker.schedules.overlap import check_overlaps
from huey_core.names import dotted_name
from huey_core.plugins.workers import worker_pool_registry
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig
from huey_core.snapshot import Snapshot, Stats
from huey_core.text import counted, error_line
from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from huey_core.consumer.policy import Policy
    from huey_core.invoker.invoker import Invoker

__all__ = ["Consumer"]

log: Final = get_logger(__name__)


class Consumer:
    """Runs the commands of an invoker's queue, or of several queues beside it.

    ::

        with Consumer(invoker).running():
            assert add(1, 2).get(blocking=True, timeout=5) == 3

    Args:
        invoker: The invoker.
        config: The settings, or a configuration class, of which then only the settings count; the default ones when
            ``None``.
        application: The dotted path by which other processes find the invoker, for a worker pool that runs commands
            there: of a configuration class such as ``main.Configuration``, of the invoker, or of a function that
            returns it, and may take the name of its queue. By default that of the configuration class.
        policy: What it decides by that is no setting.
        settings: Single settings instead of ``config``, in lower case: ``workers=2``.

    Raises:
        ConfigurationError: A setting cannot be used, or an argument is not what it should be.
        PluginException: There is no usable worker pool of the name that is set.
        TypeError: There is no such setting, or there is a ``config`` beside it.
    """

    def __init__(
        self,
        invoker: Invoker,
        config: ConsumerConfig | BaseConfiguration | type[BaseConfiguration] | None = None,
        *,
        application: str | None = None,
        policy: Policy = POLICY,
        **settings: Any,
    ) -> None:
        if config is not None and settings:
            raise TypeError(f"settings are given in config or singly, not both: {', '.join(settings)}")
        self.config = settings_for(invoker, ConsumerConfig(**settings) if config is None else config)
        as_given = asdict(self.config)
        invoker.plugins.call_all(hookspecs.huey_consumer_configure, config=self.config)
        self.config.check()
        if self.config.burst:
            policy = policy_of_burst(policy)
        served = self.config.serve_queues
        self.invokers = (invoker,) if served is None else tuple(_invoker_of(invoker, name) for name in served)
        self.invoker = self.invokers[0]
        names = [one.queue.name for one in self.invokers]
        self._queues_in_words = f"queue {names[0]!r}" if len(names) == 1 else f"queues {', '.join(map(repr, names))}"
        self._log = log.with_fields(queue=", ".join(names))

        self._started = False
        self._finished: bool | None = None
        self._has_stopped = threading.Event()
        self._when_stopped: list[Callable[[], object]] = []
        # Plugins that are told of the stop may call it again.
        self._stopping = threading.RLock()
        pool_class = worker_pool_registry.get(self.config.worker_type)
        if self.config.event_loop != "asyncio" and PoolAbility.RUN_COROUTINES not in pool_class.abilities:
            raise ConfigurationError(
                f"EVENT_LOOP is {self.config.event_loop!r}, and the worker pool {self.config.worker_type!r} has none: "
                "set WORKER_TYPE to 'asyncio'"
            )
        size = self.config.workers or self.config.threads or pool_class.default_size()
        if application is None and isinstance(config, type):
            application = dotted_name(config)
        self.pool = pool_class(
            PoolSettings(
                size=size,
                on_start=self._worker_started,
                on_stop=self._worker_stopped,
                restart_after=policy.restart_after,
                loads_within=policy.loads_within,
                timeout_grace=self.config.timeout_grace,
                event_loop=self.config.event_loop,
                on_loop_start=self._loop_started,
                on_loop_stop=self._loop_stopped,
                blocked_after=policy.loop_blocked_after,
                max_commands=self.config.max_commands,
                max_memory=max_memory(self.config),
                application=(
                    remote_application(application, invoker.queue.name, self.name, size, as_given)
                    if pool_class.remote and application is not None
                    else None
                ),
            )
        )
        shares = Shares(self.pool, policy, in_order=served is not None and not isinstance(served, Mapping))
        weights, together = served if isinstance(served, Mapping) else {}, QueuesTogether()
        self.queues = [
            ServedQueue(
                one,
                self.config,
                shares,
                weights.get(one.queue.name, 1.0),
                together=together,
                policy=policy,
            )
            for one in self.invokers
        ]
        self.lease = self.queues[0].lease
        self.periodic = [
            PeriodicScheduler(
                self.make_tick_writer(queue.invoker),
                *(queue.source.now, queue.back_off("writing ticks"), policy),
            )
            for queue in (self.queues if self.config.runs_periodic and not self.config.burst else ())
        ]
        self._burst = make_burst(self.config, self.queues, self.make_tick_writer, self.stop, policy)
        self._services = [
            HeartbeatSender(self.send_heartbeat, self.problems, self.config.heartbeat, policy),
            *(service for queue in self.queues for service in (queue.lease_renewal, queue.dead_letters)),
            Cancellations(self.queues, self.pool, policy),
            self.pool,
            *(queue.fetcher for queue in self.queues),
            *self.periodic,
            *recycling(self.config, self.pool, lambda: self.stats, policy),
            *([] if self._burst is None else [self._burst]),
        ]
        self._health = Health(self._services, self.config, lambda: self.name, policy)
        self._shutdown = Shutdown(
            queues=self.queues,
            pool=self.pool,
            services=self._services,
            back_off=self.queues[0].back_off("stopping"),
            policy=policy,
        )

    def make_tick_writer(self, invoker: Invoker) -> TickWriter:
        """Make what writes the ticks of the periodic commands of an invoker's queue. For a subclass to extend."""
        return TickWriter(invoker, self.config.utc)

    def start(self) -> None:
        """Check that the server answers, log the start-up report, and start the threads.

        Raises:
            Unsupported: A command has an option that asks for what the worker pool, or the queue, is not able to do.
            ConfigurationError: A setting asks for what is not possible here.
            QueueReadException: The server does not answer, or refuses.
            RuntimeError: A thread cannot be started; those that were are stopped. Or it was started or stopped before.
            Exception: What a plugin raised to keep the consumer from starting.
        """
        if self._started or self._finished is not None:
            raise RuntimeError("a consumer is started once, and not again after a stop: make another one")
        for invoker in self.invokers:
            check_pool_abilities(invoker, self.config.worker_type, self.pool.abilities)
            if self.config.runs_periodic:
                check_overlaps(invoker)
        paused = [queue for queue in self.queues if self._is_paused(queue)]
        if self.pool.remote and any(Capability.PERSISTENT not in one.queue.capabilities for one in self.invokers):
            self._log.warning(
                "commands run in other processes, and the queue does not declare 'persistent': what a command enqueues "
                "or looks up, revocations too, are in the memory of the process that runs it"
            )
        check_recycling(self.config, self.pool)
        check_burst(self.config, self.queues)
        self._health.prepare()
        for lines in self.invoker.plugins.call_all(hookspecs.huey_consumer_report, consumer=self):
            for line in _checked_report(lines):
                text = line.removeprefix(hookspecs.WARNING)
                (self._log.info if text == line else self._log.warning)("%s", text)
        self._started = True
        try:
            self.invoker.plugins.call_all(hookspecs.huey_consumer_start, consumer=self)
            for service in self._services:
                service.start()
        except BaseException:
            self.stop("it cannot start", timeout=0.0)
            raise
        self._health.has_started()
        for queue in self.queues:
            if queue in paused:
                warning = "queue %r: ready, but it is paused; 'huey resume' lets it go on"
                log.warning(warning, queue.name, extra={"queue": queue.name})
            else:
                log.info("queue %r: ready", queue.name, extra={"queue": queue.name})

    def stop(self, reason: str = "stopped", timeout: float | None = None) -> bool:
        """Stop claiming, let running commands finish, give back the rest at once, and wait for all that.

        While the server is away, what has to be written is tried again and again until the time is up.

        Called in a thread of the consumer's own, by a command or a hook, it cannot wait for that thread: it returns at
        once, and another thread does the rest.

        Args:
            reason: Why, for the log and the plugins.
            timeout: Seconds that running commands have, and their outcomes; ``None`` takes the setting.

        Returns:
            Whether every running command finished in time and its outcome was written; a second call waits for the
            first one, and returns what that did. A command that did not finish is interrupted, and where it cannot be,
            goes on until the process ends; its message was given back and its outcome will change nothing.
        """
        current = threading.current_thread()
        if current in self._services or self.pool.has_worker(current) or self._is_run_here():
            threading.Thread(target=self.stop, args=(reason, timeout), name="huey-stop", daemon=True).start()
            return False
        with self._stopping:
            if self._finished is None:
                self._stop(reason, self.config.shutdown_timeout if timeout is None else timeout)
            return self._finished is True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped, by itself or because another thread has stopped it.

        Args:
            timeout: The most seconds to wait; ``None`` for however long it takes.

        Returns:
            Whether it has stopped.
        """
        return self._has_stopped.wait(timeout)

    def when_stopped(self, call: Callable[[], object]) -> None:
        """Have a function called when it has stopped, in the thread that has stopped it; to be said before that."""
        self._when_stopped.append(call)

    def stand_with(self, others: Sequence[Consumer]) -> None:
        """Be healthy only while all are; and end a burst when nothing is ready for any. To be said before they start.

        Args:
            others: The consumers of a group, this one among them, each of which is told so in order.
        """
        self._health.stand_with([one._health for one in others])
        first = next((one._burst for one in others if one._burst is not None), None)
        if self._burst is not None and first is not None and self._burst is not first:
            first.backlog.add(self._burst.backlog)
            self._burst.backlog = first.backlog

    def stop_now(self) -> None:
        """Give back everything at once, running commands included. For a process that ends right after it."""
        self._shutdown.run_now()

    def run(self) -> int:
        """Start, run until a signal comes, and stop, as ``huey consumer`` does. Must be called in the main thread.

        It also returns when the consumer has stopped: a burst that is over, or one that a command or another thread
        has stopped. Logging is left as it is. After SIGHUP the program starts again with the same arguments.

        Returns:
            The exit code for the process: 0 after an orderly end, 1 after a second signal, or when it could not stop.

        Raises:
            ConfigurationError: It was called in another thread, or what :meth:`start` raises.
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

    @property
    def workers(self) -> int:
        """How many commands it runs at once."""
        return self.pool.size

    def snapshot(self) -> Snapshot:
        """What the consumer holds now."""
        now = time.monotonic()
        running = {run.delivery.message_id: now - run.started for run in self.pool.running()}
        in_flight = sum(len(queue.in_flight) for queue in self.queues)
        faults = tuple(self.invoker.plugins.hook_faults())
        return Snapshot(self.name, in_flight, running, self.stats, faults, self.problems())

    def is_healthy(self) -> bool:
        """Whether it has started, with all of its group, and nothing keeps them from running commands."""
        return self._health.is_healthy()

    def problems(self) -> tuple[str, ...]:
        """What keeps it from running commands, in a few words each: a part of it that has ended, or is stuck."""
        return self._health.problems()

    @property
    def stats(self) -> Stats:
        """What the consumer has done until now."""
        return sum((queue.in_flight.stats() for queue in self.queues), Stats())

    def send_heartbeat(self) -> None:
        """Tell others that the consumer lives; called once in a beat."""
        plugins = self.invoker.plugins
        plugins.notify(hookspecs.huey_consumer_heartbeat, consumer=self, snapshot=self.snapshot())

    @staticmethod
    def _is_paused(queue: ServedQueue) -> bool:
        """Ask the server of a queue whether it is paused, which shows that it answers; and for its time."""
        try:
            is_paused = queue.source.is_paused()
            queue.measure_clock()
        except QueueException:
            raise
        except Exception as error:
            raise QueueReadException(f"{queue.invoker.queue!r} cannot be used: {error_line(error)}") from error
        return is_paused

    def _stop(self, reason: str, timeout: float) -> None:
        self._health.is_about_to_stop()
        running = counted(len(self.snapshot().running), "command")
        self._log.info("%s: stopping (%s): %s running", self._queues_in_words, reason, running)
        try:
            with time_limit(timeout + self._shutdown.policy.last_steps):
                self._finished = self._shutdown.run(timeout)
                self.invoker.plugins.notify(hookspecs.huey_consumer_stop, consumer=self, reason=reason)
            self._health.has_stopped()
            self._log.info("%s: stopped: %s", self._queues_in_words, self.stats)
            for faults in self.invoker.plugins.hook_faults():
                self._log.warning("%s", faults)
        finally:
            # After a crash, too: who waits for the end then finds out by another stop.
            self._has_stopped.set()
            for call in self._when_stopped:
                call()

    def _is_run_here(self) -> bool:
        """Whether a command of this consumer calls, in whatever thread that runs it."""
        run = CURRENT.get(None)
        return run is not None and any(run[1] in queue.in_flight for queue in self.queues)

    async def _loop_started(self) -> None:
        await self.invoker.plugins.in_loop.call_all(hookspecs.huey_loop_start, consumer=self)

    async def _loop_stopped(self) -> None:
        await self.invoker.plugins.in_loop.notify(hookspecs.huey_loop_stop, consumer=self)

    def _worker_started(self, worker: str) -> None:
        self.invoker.plugins.notify(hookspecs.huey_worker_start, consumer=self, worker=worker)

    def _worker_stopped(self, worker: str) -> None:
        self.invoker.plugins.notify(hookspecs.huey_worker_stop, consumer=self, worker=worker)


def _invoker_of(invoker: Invoker, name: str) -> Invoker:
    found = invoker.on_queue(name)
    if found.queue.name != name:
        raise ConfigurationError(
            f"{invoker!r} runs commands at once (always_eager), so there is no queue {name!r} to serve"
        )
    return found


def _checked_report(answer: object) -> Sequence[str]:
    if isinstance(answer, list | tuple) and all(isinstance(line, str) for line in answer):
        return answer
    raise TypeError(f"a plugin's huey_consumer_report returned {answer!r}, which is no list of texts")
