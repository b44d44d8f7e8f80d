"""A consumer in a process of its worker pool: there it runs deliveries, and is what hooks are given."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from huey_core import hookspecs
from huey_core.consumer.config import BaseConfiguration, invoker_of
from huey_core.consumer.logs import set_up_logging
from huey_core.consumer.retry import Pauses
from huey_core.consumer.served_queue import measured_offset, stores_by_role
from huey_core.consumer.source import source_of
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.runner import CommandRunner
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig
from huey_core.snapshot import Snapshot, Stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome
    from huey_core.consumer.source import Source
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.interruption import Interruption

__all__ = ["ChildConsumer", "load_application"]

log: Final = get_logger(__name__)


class ChildConsumer:
    """Runs deliveries for a consumer in another process, with an application, plugins and connections of its own.

    Args:
        application: What :func:`load_application` is to find.
        queue_name: The name of the queue of that invoker.
        name: What the consumer is called.
        workers: How many commands the consumer runs at once.
        settings: Its settings, before plugins had their say.
        logs: Whether the level of its log was asked for; ``None`` when logging is left as the application has it.

    Raises:
        ConfigurationError: The path leads to something else.
        Exception: What the application's modules raise while they are imported.

    Attributes:
        config: The settings.
        lease: The seconds of a lease.
        invoker: The invoker of the first queue, which is another object than the consumer's.
        invokers: Those of all queues.
        name: What the consumer is called, in all of its processes.
        workers: How many commands the consumer runs at once, in all of its processes.
    """

    def __init__(
        self,
        *,
        application: str,
        queue_name: str,
        name: str,
        workers: int,
        settings: Mapping[str, Any],
        logs: bool | None,
    ) -> None:
        invoker = load_application(application, queue_name)
        if invoker.queue.name != queue_name:
            raise ConfigurationError(
                f"the queue of {application} is {invoker.queue.name!r}, and that of the consumer {queue_name!r}"
            )
        self.config = ConsumerConfig(**settings)
        if logs is not None:
            set_up_logging(self.config, level_is_given=logs)
        invoker.plugins.call_all(hookspecs.huey_consumer_configure, config=self.config)
        self.invokers = tuple(map(invoker.on_queue, self.config.serve_queues or [queue_name]))
        self.invoker = self.invokers[0]
        self.lease = self.config.lease or self.invoker.lease
        self.name = name
        self.workers = workers
        self._queues: dict[str, _ChildQueue] = {}
        self._running: tuple[Delivery, float] | None = None

    def snapshot(self) -> Snapshot:
        """What this process of the consumer runs, and what plugins have done amiss in it."""
        running = self._running
        runs = {} if running is None else {running[0].message_id: time.monotonic() - running[1]}
        return Snapshot(self.name, len(runs), runs, Stats(), tuple(self.invoker.plugins.hook_faults()))

    def start(self, worker: str) -> None:
        """Notify plugins of a worker."""
        self.invoker.plugins.notify(hookspecs.huey_worker_start, consumer=self, worker=worker)

    def stop(self, worker: str) -> None:
        """Notify plugins of its end, and let go of connections."""
        self.invoker.plugins.notify(hookspecs.huey_worker_stop, consumer=self, worker=worker)
        for faults in self.invoker.plugins.hook_faults():
            log.warning("%s", faults)
        self.invoker.close(timeout=0.1)

    def stores(self, queue_name: str) -> Mapping[str, BaseDataStore]:
        """The data stores of a queue by their roles."""
        return self._queue(queue_name).stores

    def prepare(self, queue_name: str, deliveries: Sequence[Delivery]) -> None:
        """Let plugins see what has come, and compare the clocks now and then."""
        queue = self._queue(queue_name)
        queue.measure_clock(self.lease / 3)
        queue.runner.prepare(deliveries)

    def run(self, queue_name: str, delivery: Delivery, interruption: Interruption | None = None) -> Outcome:
        """Run the command of a delivery."""
        self._running = delivery, time.monotonic()
        try:
            return self._queue(queue_name).runner.run(delivery, interruption)[0]
        finally:
            self._running = None

    def interrupted(self, queue_name: str, delivery: Delivery, error: type[CommandInterrupted]) -> Outcome:
        """How a delivery ends whose command was interrupted in another process, which ended of it."""
        reason = "it did not end when it was interrupted, and was ended with its process"
        return self._queue(queue_name).runner.interrupted(delivery, error(reason))[0]

    def _queue(self, name: str) -> _ChildQueue:
        if name not in self._queues:
            self._queues[name] = _make_queue(self.invoker.on_queue(name), self.config)
        return self._queues[name]


@dataclass(slots=True)
class _ChildQueue:
    """What belongs to one queue."""

    invoker: Invoker
    source: Source
    runner: CommandRunner
    stores: Mapping[str, BaseDataStore]
    measured: float = float("-inf")

    def measure_clock(self, every: float) -> None:
        """Compare the clock of this process with the queue's, once in so many seconds."""
        now = time.monotonic()
        if now - self.measured >= every:
            self.invoker.clock_offset = measured_offset(self.invoker.clock_offset, self.source.now)
            self.measured = now


def _make_queue(invoker: Invoker, config: ConsumerConfig) -> _ChildQueue:
    source = source_of(invoker, Pauses(config.initial_delay, config.backoff, config.max_delay))
    runner = CommandRunner(invoker, config.unreadable_delay, source.max_deliveries, log_commands=config.log_commands)
    return _ChildQueue(invoker, source, runner, stores_by_role(invoker))


def load_application(path: str, queue_name: str) -> Invoker:
    """Import an application and return its invoker.

    Args:
        path: The dotted path of a configuration class, of an invoker, or of a function that returns one.
        queue_name: The name of the invoker's queue, which a function is given that takes an argument.

    Raises:
        ConfigurationError: It leads to something else, or nowhere. What the module itself raises passes through.
    """
    module_name, _, name = path.rpartition(".")
    module = importlib.import_module(module_name)
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, BaseConfiguration):
        return invoker_of(found)
    if callable(found) and not isinstance(found, type | Invoker):
        found = found(queue_name) if signature(found).parameters else found()
    if not isinstance(found, Invoker):
        raise ConfigurationError(
            f"{path} is neither a configuration class nor an invoker, nor a function that returns one"
        )
    return found
