"""Outcomes on their way to the queue, settled in batches.

Whoever has time flushes: the fetch loop between two claims, or a worker while the fetch loop waits in the server. One
flush at a time carries everything that has come together until then, so a busy consumer needs a fraction of a round
trip for a command.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from huey_core.backends.leased import Ack, Bury, Outcome, Release
from huey_core.consumer.trouble import Trouble
from huey_core.exceptions import DataStorePutException
from huey_core.invoker.stored_result import encode_error, write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.consumer import Consumer

__all__ = ["Outbox"]

log: Final = logging.getLogger("huey_core.consumer")

SETTLE_AT_ONCE: Final = 250
"""The most outcomes to settle in one call, so that no call keeps the server busy for long."""


class Outbox:
    """Outcomes that wait to be settled.

    Args:
        consumer: The consumer that they belong to.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._waiting: deque[Outcome] = deque()
        self._flushing = threading.Lock()
        self._in_flight: Sequence[Outcome] = ()
        self._trouble = Trouble(consumer.outage, "settling", consumer.config)

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, to be settled by the next flush."""
        self._waiting.append(outcome)

    def __len__(self) -> int:
        return len(self._waiting)

    def flush(self) -> None:
        """Settle what waits.

        Raises:
            Exception: The server did not answer. What could not be settled goes on waiting for the next flush, until
                its lease must be taken to have ended.
        """
        with self._flushing:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), SETTLE_AT_ONCE))]
                try:
                    self._settle(batch)
                except Exception as error:
                    singly = len(batch) > 1 and self._server_answers()
                    self._keep(self._settle_singly(batch) if singly else batch, error)
                    raise
            self._trouble.over()

    def is_settling(self, delivery: Delivery) -> bool:
        """Whether the outcome of a delivery is on its way to the server at this moment."""
        return any(outcome.delivery is delivery for outcome in self._in_flight)

    def _settle(self, batch: Sequence[Outcome]) -> None:
        consumer = self._consumer
        ours = [outcome for outcome in batch if outcome.delivery in consumer.held]
        outcomes = [self._write_result_first(outcome) for outcome in ours]
        self._in_flight = ours
        try:
            effects = consumer.source.settle(outcomes) if outcomes else []
            for outcome, settled in zip(ours, effects, strict=True):
                consumer.held.discard(outcome.delivery)
                if settled:
                    consumer.stats.count(outcome)
                else:
                    consumer.stats.lost += 1
                    log.warning("the lease of message %s had ended; its outcome changed nothing", _id(outcome))
        finally:
            self._in_flight = ()

    def _write_result_first(self, outcome: Outcome) -> Outcome:
        """Write the result by itself where the queue cannot write it together with the outcome."""
        if not isinstance(outcome, Ack | Bury) or outcome.result is None:
            return outcome
        if self._consumer.source.settles_into(outcome.result.store):
            return outcome
        write_result(outcome.result)
        if isinstance(outcome, Ack):
            return Ack(outcome.delivery, None, outcome.follow_ups)
        return Bury(outcome.delivery, outcome.reason, outcome.detail)

    def _server_answers(self) -> bool:
        try:
            self._consumer.source.now()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            # Singly, each outcome of the batch would wait for the driver's time limit.
            log.debug("the server does not answer: %r", error)
            return False
        return True

    def _settle_singly(self, batch: list[Outcome]) -> list[Outcome]:
        """Settle one by one what failed together, so that one that cannot be settled does not hold up the others."""
        failed = [outcome for outcome in batch if self._refusal(outcome) is not None]
        if len(failed) == len(batch):
            return failed
        # The server takes others. It may have come back in the middle, so only what it refuses now is refused for good.
        refusals = [(outcome, self._refusal(outcome)) for outcome in failed]
        return [
            outcome if isinstance(error, DataStorePutException) else self._without_what_was_refused(outcome, error)
            for outcome, error in refusals
            if error is not None
        ]

    def _refusal(self, outcome: Outcome) -> Exception | None:
        try:
            self._settle([outcome])
        except Exception as error:  # noqa: BLE001 - a driver may raise anything to refuse
            return error
        return None

    def _without_what_was_refused(self, outcome: Outcome, error: Exception) -> Outcome:
        match outcome:
            case Release() | Bury(detail="", result=None):
                return outcome
        reason = f"its outcome could not be written: {type(error).__name__}: {error}"[:500]
        log.error("message %s is buried: %s", _id(outcome), reason)
        result = None
        if isinstance(outcome, Ack) and outcome.result is not None:
            # Whoever waits for the result learns that there is none to come.
            serializer = self._consumer.invoker.serializer
            result = replace(outcome.result, value=encode_error(serializer, outcome.result.key, error))
        self._consumer.invoker.notify("huey_command_buried", command=None, message_id=_id(outcome), reason=reason)
        return Bury(outcome.delivery, reason, result=result)

    def _keep(self, outcomes: list[Outcome], error: Exception) -> None:
        self._trouble.failed(error)
        if self._trouble.seconds <= self._consumer.lease:
            self._waiting.extendleft(reversed(outcomes))
            return
        refused = not isinstance(error, DataStorePutException) and self._server_answers()
        for outcome in outcomes:
            other = self._without_what_was_refused(outcome, error) if refused else outcome
            if other is not outcome:
                self._waiting.append(other)
            else:
                self._consumer.held.discard(outcome.delivery)
                log.error("the outcome of message %s could not be written in time; it will run again", _id(outcome))


def _id(outcome: Outcome) -> str:
    return outcome.delivery.message_id
