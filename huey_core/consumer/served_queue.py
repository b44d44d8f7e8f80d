"""A queue that a consumer serves, with the parts that belong to it alone."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from huey_core import hookspecs
from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_core.consumer.cancelling import cancel_delivery
from huey_core.consumer.dead_letters import DeadLetterReporter
from huey_core.consumer.delivery_runner import DeliveryRunner
from huey_core.consumer.fetcher import Fetcher
from huey_core.consumer.in_flight import InFlight
from huey_core.consumer.lease_renewal import LeaseRenewal
from huey_core.consumer.outbox import Outbox
from huey_core.consumer.outcome_leases import OutcomeLeases
from huey_core.consumer.parked import Parked
from huey_core.consumer.poison import PoisonIsolation, QueuesTogether
from huey_core.consumer.prefetch import Prefetch
from huey_core.consumer.result_writer import ResultWriter
from huey_core.consumer.retry import BackOff, Outage, Pauses
from huey_core.consumer.source import source_of
from huey_core.exceptions import DeliveryLost
from huey_core.invoker.abandoned import outcome_of_crash
from huey_core.invoker.runner import CommandRunner
from huey_core.message import read_header
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.shares import Shares
    from huey_core.invoker.invoker import Invoker
    from huey_core.settings import ConsumerConfig

__all__ = ["ServedQueue", "measured_offset", "stores_by_role"]

log: Final = get_logger(__name__)


class ServedQueue:
    """Claims from one queue for a pool that other queues may share, renews its leases, and settles its outcomes.

    Args:
        invoker: The invoker whose queue it is.
        config: The settings.
        shares: Divides the room of the pool that runs the deliveries.
        weight: The queue's weight in that.
        together: The queues that the consumer serves.
        policy: What it decides by that is no setting.
    """

    def __init__(
        self,
        invoker: Invoker,
        config: ConsumerConfig,
        shares: Shares,
        weight: float = 1.0,
        *,
        together: QueuesTogether,
        policy: Policy,
    ) -> None:
        self.invoker = invoker
        self.name = invoker.queue.name
        self._shares, pool = shares, shares.pool
        self.lease = config.lease or invoker.lease
        self._pauses = Pauses(config.initial_delay, config.backoff, config.max_delay)
        self.source = source_of(invoker, self._pauses)
        self._log = log.with_fields(queue=self.name)
        self.outage = Outage(f"the queue {self.name!r}", self._log)
        self.in_flight = InFlight()
        self.poison = PoisonIsolation(
            *(self.source.max_deliveries, self.in_flight, self._is_run_here, self.lease),
            policy=policy,
            together=together,
        )
        # What is prefetched is lost with this process where nothing is redelivered.
        self.prefetch = Prefetch(pool.size, config.prefetch if self.source.redelivers else 0, policy)
        self._command_runner = command_runner = CommandRunner(
            invoker, config.unreadable_delay, self.source.max_deliveries, log_commands=config.log_commands
        )
        reporting = Outage("the reporting of dead letters", self._log, self._clock)
        self.dead_letters = DeadLetterReporter(
            invoker,
            self.source,
            what_follows=command_runner.what_follows_unread,
            has_reported=self.in_flight.buried_by_claim,
            policy=policy,
            back_off=BackOff(reporting, f"queue {self.name!r}", self._pauses),
            clock=self._clock,
        )
        leases = OutcomeLeases(self.source, self.in_flight, self.lease if self.source.redelivers else None)
        parked = Parked(
            leases=leases,
            serializer=invoker.serializer,
            error_result=command_runner.error_result,
            what_follows=command_runner.what_follows_unread,
            has_parked=self.poison.has_run,
            has_given_up=self._settle_instead,
            cannot_write=self._cannot_write,
            clock=self._clock,
            policy=policy,
        )
        store_outage = Outage(f"the result store {invoker.result_store!r}", self._log, self._clock)
        results = ResultWriter(
            leases,
            parked,
            self.source.settles_into,
            BackOff(store_outage, "storing results", self._pauses),
            self._clock,
        )
        self.outbox = Outbox(
            source=self.source,
            in_flight=self.in_flight,
            leases=leases,
            results=results,
            parked=parked,
            has_buried=self.dead_letters.has_buried,
            back_off=self.back_off("settling"),
        )
        runner = DeliveryRunner(
            source=self.source,
            runner=command_runner,
            in_flight=self.in_flight,
            outbox=self.outbox,
            prefetch=self.prefetch,
            stores=stores_by_role(invoker),
            outcome_of_crash=self._outcome_of_crash,
            has_run=self._has_run,
        )
        self.fetcher = Fetcher(
            source=self.source,
            lease=self.lease,
            pool=pool,
            share=shares.add(weight),
            runner=runner,
            in_flight=self.in_flight,
            outbox=self.outbox,
            prefetch=self.prefetch,
            poison=self.poison,
            # In a process that the pool has started, it is called there.
            prepare=(lambda deliveries: None) if pool.remote else command_runner.prepare,
            report=self.dead_letters.add,
            back_off=self.back_off("claiming"),
            policy=policy,
        )
        self.lease_renewal = LeaseRenewal(
            source=self.source,
            in_flight=self.in_flight,
            lease=self.lease,
            has_lost=partial(cancel_delivery, pool, error=DeliveryLost),
            is_settling=self.outbox.is_settling,
            measure_clock=self.measure_clock,
            back_off=self.back_off("renewing leases"),
            policy=policy,
        )

    def measure_clock(self) -> None:
        """Compare the clock of this process with the one that decides about leases and delays."""
        self.invoker.clock_offset = measured_offset(self.invoker.clock_offset, self.source.now)

    def release_all(self) -> None:
        """Give back all that is in flight and has no outcome."""
        over = {one.delivery.key for one in self.outbox.left()}
        for delivery in self.in_flight.all():
            if delivery.key not in over:
                self.outbox.add(Release(delivery))

    def report_what_is_left(self) -> bool:
        """Say in the log what could not be written, and return whether there are outcomes of commands among it."""
        left = self.outbox.left()
        outcomes = sum(map(_is_of_a_command, left))
        messages = len(left) - outcomes + self.source.to_put_back
        if outcomes:
            self._log.error("%s could not be written; %s", counted(outcomes, "outcome"), self.source.redelivery_note)
        if messages:
            self._log.error("%s could not be given back; %s", counted(messages, "message"), self.source.redelivery_note)
        return outcomes > 0

    def back_off(self, doing: str, store: BaseDataStore | None = None) -> BackOff:
        """Make what a part needs to go on after a failure of this queue's server, or of a store's.

        Args:
            doing: What the part does, for the log.
            store: The store; what is known of the queue's server is shared where it is the same one.
        """
        outage = self.outage
        if store is not None and not self.source.settles_into(store):
            outage = Outage(f"the store {store!r}", self._log, self._clock)
        return BackOff(outage, doing, self._pauses)

    def _has_run(self) -> None:
        self._shares.note_idle_worker()
        self.fetcher.finished_one()

    def _outcome_of_crash(self, delivery: Delivery, reason: str) -> Outcome:
        what_follows = self._command_runner.what_follows_unread
        return outcome_of_crash(self.invoker, delivery, reason, self.source.max_deliveries, what_follows)

    def _clock(self) -> float:
        return self.outage.clock()

    def _is_run_here(self, delivery: Delivery) -> bool:
        """Whether the command of a message would be run, as far as its header says; the body is not looked at."""
        header = read_header(delivery.data)
        return header.command_name in self.invoker.registry and header.serializer in self.invoker.accepted

    def _settle_instead(self, outcome: Outcome) -> None:
        self.outbox.add(outcome)

    def _cannot_write(self, message_id: str, reason: str) -> None:
        """Tell plugins of a message that is buried because its outcome can never be written."""
        self.invoker.plugins.notify(
            hookspecs.huey_command_buried, invoker=self.invoker, command=None, message_id=message_id, reason=reason
        )


def stores_by_role(invoker: Invoker) -> dict[str, BaseDataStore]:
    """The data stores of an invoker's queue, by the names that they have in every process of the consumer."""
    stores = {"results": invoker.result_store, "state": invoker.task_store}
    return {role: store for role, store in stores.items() if store is not None}


def measured_offset(known: float, now: Callable[[], float], clock: Callable[[], float] = time.time) -> float:
    """Return by how many seconds the queue's clock, which ``now`` asks for, is ahead of this process's.

    An answer tells as much as it was quick: what was known before is only changed as far as it contradicts it.
    """
    before = clock()
    answer = now()
    least, most = answer - clock(), answer - before
    return min(max(known, least), most)


def _is_of_a_command(outcome: Outcome) -> bool:
    """Whether an outcome is that of a command, and does not just give back its message."""
    match outcome:
        case Ack() | Retry() | Bury():
            return True
        case Release():
            return False
        case _:
            assert_never(outcome)
