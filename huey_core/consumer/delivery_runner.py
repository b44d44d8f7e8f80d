"""What a worker does with a delivery."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.outcomes import Release
from huey_core.commands.context import log_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.outbox import Outbox
    from huey_core.consumer.prefetch import Prefetch
    from huey_core.consumer.source import Source
    from huey_core.invoker.runner import CommandRunner
    from huey_core.safe_logging import SafeLogger

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
    has_run: Callable[[], None]
    """Called by the worker pool when a run has ended."""

    def run(self, delivery: Delivery) -> None:
        """Run a delivery and hand its outcome on; give it back if its lease may have ended while it waited."""
        started = time.monotonic()
        if not self.in_flight.may_start(delivery, started):
            # The fetch loop logs how many there were, for there may be hundreds.
            self._log(delivery).debug("message %s is not started: its lease ended", delivery.message_id)
            self.in_flight.not_started()
            self.release(delivery)
            return
        try:
            outcome, _ = self.runner.run(delivery)
            self.outbox.add(outcome)
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            # Not an error of the command, which the runner would have handled. A lease that is renewed no more brings
            # the message back, and the backend counts its deliveries.
            self.in_flight.discard(delivery)
            message = "a worker crashed: message %s has no outcome; %s"
            self._log(delivery).critical(message, delivery.message_id, self.source.redelivery_note, exc_info=True)
        self.prefetch.observe(time.monotonic() - started)

    async def run_async(self, delivery: Delivery) -> None:
        """The same without keeping the event loop, in a thread of the loop's executor."""
        import asyncio

        await asyncio.to_thread(self.run, delivery)

    def release(self, delivery: Delivery) -> None:
        """Give back a delivery that has not run to its end."""
        self.outbox.add(Release(delivery))

    def abandon(self, delivery: Delivery) -> None:
        """Let go of a delivery that has ended the worker that ran it.

        To give it back would not count as a delivery, and consumer after consumer could die of it. When the lease ends,
        it counts. One whose outcome was handed on before keeps it.
        """
        if delivery not in self.in_flight or any(one.delivery is delivery for one in self.outbox.left()):
            return
        self.in_flight.discard(delivery)
        message = "message %s ended its worker and has no outcome; %s"
        self._log(delivery).error(message, delivery.message_id, self.source.redelivery_note)

    def _log(self, delivery: Delivery) -> SafeLogger:
        return log.with_fields(**log_fields(self.source.queue_name, delivery))
