"""How a consumer stops: running commands finish, outcomes are written, and the rest is given back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from huey_core.backends.leased import Release
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.dead_letters import DeadLetterReporter
    from huey_core.consumer.fetcher import Fetcher
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.lease_renewal import LeaseRenewal
    from huey_core.consumer.outbox import Outbox
    from huey_core.consumer.periodic import PeriodicScheduler
    from huey_core.consumer.pools import WorkerPool
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source

__all__ = ["Shutdown"]

log: Final = get_logger(__name__)

GLANCE: Final = 0.05
"""Seconds between two looks, while a consumer stops, at what has still to be written."""

LAST_STEPS: Final = 2.0
"""Seconds that the consumer's own threads have to end in any case, so that what one has just claimed is given back."""


class Shutdown:
    """Ends the parts of a consumer, in order.

    Args:
        source: Where deliveries came from.
        pool: Runs deliveries.
        in_flight: Those under our lease.
        outbox: Their outcomes.
        fetcher: Claims them.
        periodic: Writes ticks, if this consumer does.
        lease_renewal: Renews the leases until the end.
        dead_letters: Reports dead letters, if there are any.
        back_off: How to go on after a failure.
    """

    def __init__(
        self,
        *,
        source: Source,
        pool: WorkerPool,
        in_flight: InFlight,
        outbox: Outbox,
        fetcher: Fetcher,
        periodic: PeriodicScheduler | None,
        lease_renewal: LeaseRenewal,
        dead_letters: DeadLetterReporter | None,
        back_off: BackOff,
    ) -> None:
        self._source = source
        self._pool = pool
        self._in_flight = in_flight
        self._outbox = outbox
        self._fetcher = fetcher
        self._periodic = periodic
        self._lease_renewal = lease_renewal
        self._dead_letters = dead_letters
        self._back_off = back_off

    def run(self, timeout: float) -> bool:
        """Stop claiming, let running commands finish, and give back the rest.

        Args:
            timeout: Seconds that running commands have, and their outcomes.

        Returns:
            Whether every running command finished in time and its outcome was written.
        """
        deadline = time.monotonic() + timeout
        if self._periodic is not None:
            self._periodic.stop()
        self._fetcher.stop()
        self._join(self._fetcher, deadline)
        if self._periodic is not None and self._periodic.is_alive():
            self._periodic.join(max(deadline - time.monotonic(), 0.0))
        self._release(self._pool.drain())
        self._pool.stop()
        self._finish(deadline)
        self._let_go_of_what_ended_workers()
        unfinished = self._without_outcome([run.delivery for run in self._pool.running()])
        if unfinished:
            late = counted(len(unfinished), "command")
            log.warning("giving back %s that did not finish in %g s", late, timeout)
        self._release(unfinished)
        self._write_what_waits()
        unwritten = self._report_what_is_left()
        self._lease_renewal.stop()
        self._join(self._lease_renewal, deadline)
        if self._dead_letters is not None:
            self._dead_letters.stop()
            self._join(self._dead_letters, deadline)
            self._dead_letters.report_what_is_left()
        return not unfinished and not unwritten

    def run_now(self) -> None:
        """Give back everything at once, running commands included."""
        self._fetcher.stop()
        self._let_go_of_what_ended_workers()
        self._release(self._without_outcome(self._in_flight.all()))
        self._write_what_waits()
        self._report_what_is_left()

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._outbox.add(Release(delivery))

    def _let_go_of_what_ended_workers(self) -> None:
        """Hold no longer what ended the thread that ran it.

        To give it back would not count as a delivery, and consumer after consumer could die of it. When the lease ends,
        it counts.
        """
        for delivery in self._pool.abandoned():
            self._in_flight.discard(delivery)
            log.error("message %s has ended the thread that ran it; %s", delivery.message_id, self._source.fate)

    def _without_outcome(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Leave out what has run, though its worker may not have come round to saying so."""
        over = {outcome.delivery.receipt for outcome in self._outbox.left()}
        return [delivery for delivery in deliveries if delivery.receipt not in over]

    def _finish(self, deadline: float) -> None:
        """Wait until the workers have ended and everything is written, or until the time is up."""
        next_try = 0.0
        while (now := time.monotonic()) < deadline:
            waits = bool(self._outbox.left()) or self._source.unplaced
            if waits and now >= next_try:
                error = self._write_what_waits()
                if error is None:
                    self._back_off.over()
                next_try = now + (GLANCE if error is None else self._back_off.failed(error))
            elif not self._pool.wait(min(GLANCE, deadline - now)):
                continue
            elif self._outbox.left() or self._source.unplaced:
                time.sleep(max(min(next_try, deadline) - time.monotonic(), 0.0))
            else:
                break

    def _write_what_waits(self) -> Exception | None:
        """Try once to write outcomes and what could not be placed; return what went wrong."""
        failed = None
        for write in (self._outbox.flush, self._source.put_back):
            try:
                write()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                failed = error
        return failed

    def _report_what_is_left(self) -> bool:
        """Say in the log what could not be written, and return whether there are outcomes of commands among it."""
        left = self._outbox.left()
        outcomes = sum(not isinstance(outcome, Release) for outcome in left)
        messages = len(left) - outcomes + self._source.unplaced
        if outcomes:
            log.error("%s could not be written; %s", counted(outcomes, "outcome"), self._source.fate)
        if messages:
            log.error("%s could not be given back; %s", counted(messages, "message"), self._source.fate)
        return outcomes > 0

    def _join(self, thread: threading.Thread, deadline: float) -> None:
        """Wait for a thread that was told to end, which a server or a plugin may keep from it for long."""
        thread.join(max(deadline - time.monotonic(), LAST_STEPS))
        if thread.is_alive():
            log.warning("the thread %s has not ended in time and is left behind", thread.name)
