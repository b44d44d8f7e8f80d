"""What a worker does with a delivery."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.outcomes import Release
from huey_core.commands.context import log_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.outbox import Outbox
    from huey_core.consumer.prefetch import Prefetch
    from huey_core.consumer.source import Source
    from huey_core.invoker.runner import CommandRunner
    from huey_core.safe_logging import SafeLogger
    from huey_core.workers.interruption import Interruption

__all__ = ["DeliveryRunner"]

log: Final = get_logger(__name__)


@dataclass(eq=False, repr=False, kw_only=True)
class DeliveryRunner:
    """Runs deliveries, where the worker pool calls it, and hands their outcomes on."""

    source: Source
    runner: CommandRunner
    in_flight: InFlight
    outbox: Outbox
    prefetch: Prefetch
    stores: Mapping[str, BaseDataStore]
    """The data stores of the queue by their roles."""
    outcome_of_crash: Callable[[Delivery, str], Outcome]
    """How a delivery ends that has ended what ran it, with the reason."""
    has_run: Callable[[], None]
    """Called by the worker pool when a run has ended."""

    def run(self, delivery: Delivery, interruption: Interruption | None = None) -> None:
        """Run a delivery and hand its outcome on; give it back if its lease may have ended while it waited."""
        started = time.monotonic()
        if self.in_flight.leased_until(delivery) <= started:
            self.not_started(delivery)
            return
        try:
            outcome, _ = self.runner.run(delivery, interruption)
            self.outbox.add(outcome)
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self._crashed(delivery)
        self.prefetch.observe(time.monotonic() - started)

    async def run_async(
        self, delivery: Delivery, interruption: Interruption | None = None, *, executor: Executor | None = None
    ) -> None:
        """The same in a task of an event loop; see :class:`~huey_core.workers.Runner`."""
        started = time.monotonic()
        if self.in_flight.leased_until(delivery) <= started:
            self.not_started(delivery)
            return
        try:
            outcome, _ = await self.runner.run_async(delivery, interruption, executor=executor)
            self.outbox.add(outcome)
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self._crashed(delivery)
        self.prefetch.observe(time.monotonic() - started)

    def release(self, delivery: Delivery) -> None:
        """Give back a delivery that has not run to its end."""
        self.outbox.add(Release(delivery))

    def abandon(self, delivery: Delivery, reason: str = "it ended the worker that ran it") -> None:
        """End a delivery that has ended what ran it: it counts, and the message becomes a dead letter in the end.

        To give it back would not count as a delivery, and worker after worker could die of it. Where nothing is
        delivered twice, it is lost. One whose outcome was handed on before keeps it.
        """
        if delivery not in self.in_flight or any(one.delivery is delivery for one in self.outbox.left()):
            return
        if self.source.redelivers:
            self.outbox.add(self.outcome_of_crash(delivery, reason))
            return
        self.in_flight.discard(delivery)
        message = "message %s has no outcome: %s; %s"
        self._log(delivery).error(message, delivery.message_id, reason, self.source.redelivery_note)

    @property
    def queue_name(self) -> str:
        """The name of the queue."""
        return self.source.queue_name

    def leased_until(self, delivery: Delivery) -> float:
        """Until when, on the monotonic clock, a delivery may be begun."""
        return self.in_flight.leased_until(delivery)

    def not_started(self, delivery: Delivery) -> None:
        """Give back a delivery whose lease may have ended while it waited."""
        # The fetch loop logs how many there were, for there may be hundreds.
        self._log(delivery).debug("message %s is not started: its lease ended", delivery.message_id)
        self.in_flight.not_started()
        self.release(delivery)

    def finish(self, outcome: Outcome, seconds: float) -> None:
        """Hand on the outcome of a delivery that was run in another process."""
        self.outbox.add(outcome)
        self.prefetch.observe(seconds)

    def _crashed(self, delivery: Delivery) -> None:
        # Not an error of the command, which the runner would have handled. A lease that is renewed no more brings the
        # message back, and the backend counts its deliveries.
        self.in_flight.discard(delivery)
        message = "a worker crashed: message %s has no outcome; %s"
        self._log(delivery).critical(message, delivery.message_id, self.source.redelivery_note, exc_info=True)

    def _log(self, delivery: Delivery) -> SafeLogger:
        return log.with_fields(**log_fields(self.source.queue_name, delivery))
