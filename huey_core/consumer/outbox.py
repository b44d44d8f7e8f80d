"""Outcomes on their way to the queue, settled in batches.

Whoever has time flushes: the fetch loop between two claims, or a worker while the fetch loop waits in the server. One
flush at a time carries everything that has come together until then, so a busy consumer needs a fraction of a round
trip for a command.

An outcome is kept for as long as its lease is: only when the lease was lost would writing it change nothing. What the
server does not take, while it takes others, is set aside and tried again by itself, so that nothing has to wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from huey_core.backends.leased import Ack, Bury, Outcome, Release
from huey_core.consumer.retry import BackOff, Outage
from huey_core.invoker.stored_result import encode_error, write_result
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.consumer import Consumer

__all__ = ["Outbox"]

log: Final = get_logger(__name__)

SETTLE_AT_ONCE: Final = 250
"""The most outcomes to settle in one call, so that no call keeps the server busy for long."""

MOST_ASIDE: Final = 250
"""Outcomes that may be set aside before no more is claimed."""

MEMORY_ASIDE: Final = 16 * 2**20
"""Bytes of messages and results that may be set aside before no more is claimed."""

SECOND_TRY: Final = 1.0
"""Seconds after which an outcome that was set aside is tried again: time for a server that was just changing over."""

STORE_TRIES: Final = 2
"""Results in a row that a store does not take before the others are no longer tried: each may take a time limit."""


@dataclass(slots=True)
class _Refused:
    """An outcome that was set aside.

    Attributes:
        outcome: The outcome.
        since: When it failed first.
        stored: How many results had been stored by then.
        tries: How often it was tried.
    """

    outcome: Outcome
    since: float
    stored: int
    tries: int = 0

    @property
    def size(self) -> int:
        """The bytes that it keeps in memory."""
        result = self.outcome.result if isinstance(self.outcome, Ack | Bury) else None
        return len(self.outcome.delivery.data) + (len(result.value) if result else 0)


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
        self._back_off = BackOff(consumer.outage, "settling", consumer.config)
        self._aside: list[_Refused] = []
        self._again_at = 0.0
        self._stored = 0
        self._not_stored_in_a_row = 0
        self._store_spared_until = float("-inf")
        store_outage = Outage(f"the result store {consumer.invoker.result_store!r}", log, self._clock)
        self._store_back_off = BackOff(store_outage, "storing results", consumer.config)

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, to be settled by the next flush."""
        self._waiting.append(outcome)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def aside(self) -> int:
        """How many outcomes are set aside, to be tried again when their time has come."""
        return len(self._aside)

    def is_full(self) -> bool:
        """Whether so much is set aside that nothing more should be claimed, lest it grow without end."""
        aside = self._aside
        return bool(aside) and (len(aside) >= MOST_ASIDE or sum(one.size for one in aside) >= MEMORY_ASIDE)

    def due_in(self) -> float:
        """Seconds until what is set aside is tried again; infinite when nothing is."""
        return max(self._again_at - self._clock(), 0.0) if self._aside else float("inf")

    def left(self) -> list[Outcome]:
        """The outcomes whose lease is still held and that were not written, those that are set aside included."""
        left = [*(one.outcome for one in self._aside), *self._waiting]
        return [outcome for outcome in left if outcome.delivery in self._consumer.held]

    def flush(self) -> None:
        """Settle what waits, and what is set aside if its time has come.

        Raises:
            Exception: The server did not answer. What could not be settled goes on waiting for the next flush.
        """
        with self._flushing:
            if self._aside and not self.due_in():
                self._try_again()
            singly = 0
            while self._waiting:
                count = 1 if singly else min(len(self._waiting), SETTLE_AT_ONCE)
                singly = max(singly - 1, 0)
                batch = [self._waiting.popleft() for _ in range(count)]
                try:
                    batch = self._with_results_stored(batch)
                    self._settle(batch)
                except BaseException as error:
                    is_refused = self._is_refusal(error)
                    if is_refused and len(batch) == 1:
                        self._set_aside(_Refused(batch[0], self._clock(), self._stored), error)
                        continue
                    self._waiting.extendleft(reversed(batch))
                    if not is_refused:
                        raise
                    # One that is refused is not to hold up the others.
                    singly = len(batch)
            self._back_off.over()

    def is_settling(self, delivery: Delivery) -> bool:
        """Whether the outcome of a delivery is on its way to the server at this moment."""
        return any(outcome.delivery is delivery for outcome in self._in_flight)

    def _with_results_stored(self, batch: list[Outcome]) -> list[Outcome]:
        """Write the results that the queue cannot write together with the outcome; return what it may settle now."""
        held = self._consumer.held
        ready = (self._with_result_stored(outcome) for outcome in batch if outcome.delivery in held)
        return [outcome for outcome in ready if outcome is not None]

    def _with_result_stored(self, outcome: Outcome, before: _Refused | None = None) -> Outcome | None:
        """The same for one, that may have been set aside before; ``None`` when it is set aside now, or given up."""
        if not isinstance(outcome, Ack | Bury) or outcome.result is None:
            return outcome
        if self._consumer.source.settles_into(outcome.result.store):
            return outcome
        if self._clock() < self._store_spared_until:
            self._keep(before or _Refused(outcome, self._clock(), self._stored))
            return None
        try:
            write_result(outcome.result)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, while its server is away or to refuse
            self._not_stored(before or _Refused(outcome, self._clock(), self._stored), error)
            return None
        self._stored += 1
        self._not_stored_in_a_row = 0
        self._store_spared_until = float("-inf")
        self._store_back_off.over()
        if isinstance(outcome, Ack):
            return Ack(outcome.delivery, None, outcome.follow_ups)
        return Bury(outcome.delivery, outcome.reason, outcome.detail)

    def _not_stored(self, one: _Refused, error: Exception) -> None:
        self._not_stored_in_a_row += 1
        if self._stored > one.stored and self._not_stored_in_a_row == 1:
            # The store has taken others since, so it is not away.
            self._give_up(one, error)
            return
        if self._not_stored_in_a_row >= STORE_TRIES:
            self._store_spared_until = self._clock() + self._store_back_off.failed(error)
        self._set_aside(one, error)

    def _settle(self, batch: Sequence[Outcome]) -> None:
        if not batch:
            return
        consumer = self._consumer
        self._in_flight = batch
        try:
            for outcome, settled in zip(batch, consumer.source.settle(batch), strict=True):
                consumer.held.discard(outcome.delivery)
                if settled:
                    consumer.stats.count(outcome)
                    if isinstance(outcome, Bury):
                        consumer.note_letter(outcome.delivery)
                else:
                    consumer.stats.lost += 1
                    log.warning("the lease of message %s had ended; its outcome changed nothing", _id(outcome))
        finally:
            self._in_flight = ()

    def _is_refusal(self, error: BaseException) -> bool:
        """Whether the server has refused, and has not just failed to answer."""
        if not isinstance(error, Exception):
            return False
        try:
            self._consumer.source.now()
        except Exception as failure:  # noqa: BLE001 - a driver may raise anything while its server is away
            # Singly, each outcome of the batch would wait for the driver's time limit.
            log.debug("the server does not answer: %s", error_line(failure))
            self._back_off.failed(error)
            return False
        return True

    def _set_aside(self, one: _Refused, error: BaseException) -> None:
        one.tries += 1
        if not self._aside:
            self._again_at = self._clock() + SECOND_TRY
            if one.tries == 1 and self._clock() >= self._store_spared_until:
                message_id, reason = _id(one.outcome), error_line(error)
                log.warning("the outcome of message %s was refused, retrying: %s", message_id, reason)
        self._keep(one)

    def _keep(self, one: _Refused) -> None:
        self._aside.append(one)
        self._consumer.poison.has_run(one.outcome.delivery)

    def _try_again(self) -> None:
        again, self._aside = deque(self._aside), []
        try:
            while again:
                self._settle_again(again[0])
                again.popleft()
        finally:
            # First those that had no turn, so that none waits for ever behind others that are refused for good.
            self._aside = sorted([*again, *self._aside], key=lambda one: one.tries)
            self._again_at = self._clock() + SECOND_TRY

    def _settle_again(self, one: _Refused) -> None:
        if one.outcome.delivery not in self._consumer.held:
            return
        ready = self._with_result_stored(one.outcome, one)
        if ready is None:
            return
        one.outcome = ready
        try:
            self._settle([ready])
        except Exception as error:
            if not self._is_refusal(error):
                raise
            if self._is_refused_for_good(one):
                self._give_up(one, error)
            else:
                self._set_aside(one, error)

    def _is_refused_for_good(self, one: _Refused) -> bool:
        """Whether it is due to the outcome, and not to the state of the server, that it was refused again."""
        consumer = self._consumer
        if consumer.invoker.leased_queue is None or self._clock() - one.since < SECOND_TRY:
            return False
        try:
            # A server that writes this, for the same message, would write an outcome too.
            return consumer.source.extend([one.outcome.delivery], consumer.lease) == [True]
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("the server writes nothing at all: %s", error_line(error))
            return False

    def _give_up(self, one: _Refused, error: Exception) -> None:
        other = self._without_what_was_refused(one.outcome, error)
        if other is one.outcome:
            self._set_aside(one, error)
        else:
            self._waiting.append(other)

    def _without_what_was_refused(self, outcome: Outcome, error: Exception) -> Outcome:
        match outcome:
            case Release() | Bury(detail="", result=None):
                return outcome
        reason = f"its outcome could not be written: {error_line(error)}"[:500]
        log.error("message %s becomes a dead letter: %s", _id(outcome), reason, extra={"task_id": _id(outcome)})
        result = None
        is_second_burial = isinstance(outcome, Bury) and not outcome.detail
        if isinstance(outcome, Ack | Bury) and outcome.result is not None and not is_second_burial:
            # Whoever waits for the result learns that there is none to come.
            serializer = self._consumer.invoker.serializer
            result = replace(outcome.result, value=encode_error(serializer, outcome.result.key, error))
        if isinstance(outcome, Bury):
            return Bury(outcome.delivery, f"{outcome.reason[:500]}; {reason}", result=result)
        self._consumer.invoker.notify("huey_command_buried", command=None, message_id=_id(outcome), reason=reason)
        return Bury(outcome.delivery, reason, result=result)

    def _clock(self) -> float:
        return self._consumer.outage.clock()


def _id(outcome: Outcome) -> str:
    return outcome.delivery.message_id
