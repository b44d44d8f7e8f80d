"""Outcomes on their way to the queue, settled in batches.

Whoever has time flushes: the fetch loop between two claims, or a worker while the fetch loop waits in the server. One
flush at a time carries everything that has come together until then, so a busy consumer needs a fraction of a round
trip for a command.

An outcome is kept for as long as its lease is: when that was lost, another delivery of the message decides. What the
server does not take, while it takes others, is parked and tried again by itself, so that nothing has to wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, Final, assert_never

from huey_core.backends.leased import Ack, Bury, Outcome, Release, Retry
from huey_core.commands.context import log_fields
from huey_core.consumer.parked import Parked, Refused
from huey_core.invoker.stored_result import encode_error
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.leased import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.result_writer import ResultWriter
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source
    from huey_core.serializers.base import Serializer

__all__ = ["Outbox"]

log: Final = get_logger(__name__)

SETTLE_AT_ONCE: Final = 250
"""The most outcomes to settle in one call, so that no call keeps the server busy for long."""


@dataclass(eq=False, repr=False, kw_only=True)
class Outbox:
    """Outcomes that wait to be settled."""

    source: Source
    in_flight: InFlight
    results: ResultWriter
    serializer: Serializer
    """Encodes the error that whoever waits gets in place of a result that cannot be written."""
    has_buried: Callable[[Delivery], None]
    """Called with the delivery of a message that was made a dead letter."""
    has_parked: Callable[[Delivery], None]
    """Called with a delivery whose command has run, and whose outcome cannot be written yet."""
    cannot_write: Callable[[str, str], None]
    """Called with the id of a message that becomes a dead letter because its outcome can never be written, and why."""
    lease: float | None
    """Seconds for which a lease is renewed to see whether it is still ours, and whether the server writes at all;
    ``None`` when there is no lease, and nothing is given up."""
    back_off: BackOff
    clock: Callable[[], float]
    """A monotonic time in seconds."""
    policy: Policy

    def __post_init__(self) -> None:
        self._log = log.with_fields(queue=self.source.queue_name)
        self._lock = threading.Lock()
        self._waiting: deque[Outcome] = deque()
        self.parked = Parked(self.clock, self.policy)
        self._flushing = threading.Lock()
        self._taken: list[Outcome] = []
        self._on_its_way: Sequence[Outcome] = ()

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, to be settled by the next flush."""
        with self._lock:
            self._waiting.append(outcome)

    def __len__(self) -> int:
        # The fetch loop and the workers tell each other by a flag whose turn it is; the lock orders the two.
        with self._lock:
            return len(self._waiting)

    def left(self) -> list[Outcome]:
        """The outcomes whose lease is still ours and that are not known to be written, parked ones included."""
        with self._lock:
            left = [*self.parked.outcomes(), *self._taken, *self._waiting]
        # What was taken may have been put back, or parked.
        return self.in_flight.ours({outcome.delivery.receipt: outcome for outcome in left}.values())

    def flush(self) -> None:
        """Settle what waits, and what is parked if its time has come.

        Raises:
            Exception: The server did not answer. What could not be settled goes on waiting for the next flush.
        """
        with self._flushing:
            self._flush()

    def flush_unless_flushing(self) -> None:
        """Do the same, unless another thread is at it, which then settles what waits here too: nobody waits for it."""
        # Again after a flush: who has added an outcome meanwhile may have left it to this thread, a moment too late.
        while len(self) and self._flushing.acquire(blocking=False):
            try:
                self._flush()
            finally:
                self._flushing.release()

    def is_settling(self, delivery: Delivery) -> bool:
        """Whether the outcome of a delivery is on its way to the server at this moment."""
        with self._lock:
            on_its_way = self._on_its_way
        return any(outcome.delivery is delivery for outcome in on_its_way)

    def _flush(self) -> None:
        if not self.parked.due_in():
            self._try_parked_again()
        singly = 0
        while batch := self._take(1 if singly else SETTLE_AT_ONCE):
            singly = max(singly - 1, 0)
            try:
                batch = self._with_results_written(batch)
                self._settle(batch)
            except BaseException as error:
                is_refused = self._is_refusal(error)
                if is_refused and len(batch) == 1:
                    self._park(self._refused(batch[0]), error)
                    continue
                self._put_back(batch)
                if not is_refused:
                    raise
                # One that is refused is not to hold up the others.
                singly = len(batch)
        self.back_off.over()

    def _take(self, most: int) -> list[Outcome]:
        with self._lock:
            self._taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), most))]
            return self._taken

    def _put_back(self, batch: Sequence[Outcome]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(batch))

    def _refused(self, outcome: Outcome) -> Refused:
        return Refused(outcome, self.clock(), self.results.written)

    def _renew(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Renew leases, and return which were still ours."""
        if self.lease is None:
            return [True] * len(outcomes)
        return self.source.extend([outcome.delivery for outcome in outcomes], self.lease)

    def _lose(self, outcome: Outcome) -> None:
        self.in_flight.lost(outcome.delivery)
        message = "the lease of message %s was lost; the outcome of this delivery does not count"
        self._log.warning(message, _id(outcome), extra=self._fields(outcome))

    def _with_results_written(self, batch: list[Outcome], before: Refused | None = None) -> list[Outcome]:
        """Write the results that the queue cannot write together with the outcome; return what it may settle now.

        ``before`` is the one outcome of the batch as it was parked, if it was.
        """
        ours = self.in_flight.ours(batch)
        separate = [outcome for outcome in ours if self.results.is_needed(outcome)]
        if not separate:
            return ours
        if not self.results.is_backing_off():
            # Where another run has written a result, that of this one is not to replace it.
            for outcome, is_ours in zip(separate, self._renew(separate), strict=True):
                if not is_ours:
                    self._lose(outcome)
        ready = (self._with_result_written(outcome, before) for outcome in ours if outcome.delivery in self.in_flight)
        return [outcome for outcome in ready if outcome is not None]

    def _with_result_written(self, outcome: Outcome, before: Refused | None) -> Outcome | None:
        """The same for one; ``None`` when it is parked now, given up or lost."""
        if not self.results.is_needed(outcome):
            return outcome
        one = before or self._refused(outcome)
        if self.results.is_backing_off():
            self._keep(one)
            return None
        try:
            written = self.results.write(outcome, lambda: self._renew([outcome]) == [True])
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, while its server is away or to refuse
            if self.results.has_refused(one.results_before):
                self._give_up(one, error)
            else:
                self._park(one, error)
            return None
        if written is None:
            self._lose(outcome)
        return written

    def _settle(self, batch: Sequence[Outcome]) -> None:
        if not batch:
            return
        with self._lock:
            self._on_its_way = batch
        try:
            settled = self.source.settle(batch)
            self.in_flight.settled(list(compress(batch, settled)))
            for outcome, is_settled in zip(batch, settled, strict=True):
                if not is_settled:
                    self._lose(outcome)
                    continue
                match outcome:
                    case Ack() | Retry() | Release():
                        pass
                    case Bury():
                        self.has_buried(outcome.delivery)
                    case _:
                        assert_never(outcome)
        finally:
            with self._lock:
                self._on_its_way = ()

    def _is_refusal(self, error: BaseException) -> bool:
        """Whether the server has refused, and has not just failed to answer."""
        if not isinstance(error, Exception):
            return False
        try:
            self.source.now()
        except Exception as failure:  # noqa: BLE001 - a driver may raise anything while its server is away
            # Singly, each outcome of the batch would wait for the driver's time limit.
            self._log.debug("the server does not answer: %s", error_line(failure))
            self.back_off.failed(error)
            return False
        return True

    def _park(self, one: Refused, error: BaseException) -> None:
        one.tries += 1
        if self._keep(one) and one.tries == 1 and not self.results.is_backing_off():
            message, fields = "the outcome of message %s was refused, retrying: %s", self._fields(one.outcome)
            self._log.warning(message, _id(one.outcome), error_line(error), extra=fields)

    def _keep(self, one: Refused) -> bool:
        is_first = self.parked.add(one)
        self.has_parked(one.outcome.delivery)
        return is_first

    def _try_parked_again(self) -> None:
        with self._lock:
            again = deque(self.parked.take())
            self._taken = [one.outcome for one in again]
        try:
            while again:
                self._settle_again(again[0])
                again.popleft()
        finally:
            self.parked.put_back(again)

    def _settle_again(self, one: Refused) -> None:
        try:
            ready = self._with_results_written([one.outcome], one)
            if not ready:
                return
            [one.outcome] = ready
            self._settle(ready)
        except Exception as error:
            if not self._is_refusal(error):
                raise
            if self._is_refused_for_good(one):
                self._give_up(one, error)
            else:
                self._park(one, error)

    def _is_refused_for_good(self, one: Refused) -> bool:
        """Whether it is due to the outcome, and not to the state of the server, that it was refused again."""
        if self.lease is None or self.clock() - one.since < self.policy.parked_for:
            return False
        try:
            # A server that writes this, for the same message, would write an outcome too.
            return self._renew([one.outcome]) == [True]
        except Exception as error:  # noqa: BLE001 - as above
            self._log.debug("the server refuses every write: %s", error_line(error))
            return False

    def _give_up(self, one: Refused, error: Exception) -> None:
        other = self._without_what_was_refused(one.outcome, error)
        if other is one.outcome:
            self._park(one, error)
        else:
            self.add(other)

    def _without_what_was_refused(self, outcome: Outcome, error: Exception) -> Outcome:
        reason = f"its outcome could not be written: {error_line(error)}"[:500]
        result = outcome.result
        if result is not None:
            # Whoever waits for the result learns that there is none to come.
            result = replace(result, value=encode_error(self.serializer, result.key, error))
        match outcome:
            case Release() | Bury(detail="", result=None):
                return outcome
            case Bury(detail=detail):
                # Refused a second time, the error goes as well.
                buried = Bury(outcome.delivery, f"{outcome.reason[:500]}; {reason}", result=result if detail else None)
            case Ack() | Retry():
                buried = Bury(outcome.delivery, reason, result=result)
                self.cannot_write(_id(outcome), reason)
            case _:
                assert_never(outcome)
        fields = self._fields(outcome)
        self._log.error("message %s becomes a dead letter: %s", _id(outcome), reason, extra=fields)
        return buried

    def _fields(self, outcome: Outcome) -> dict[str, object]:
        return log_fields(self.source.queue_name, outcome.delivery)


def _id(outcome: Outcome) -> str:
    return outcome.delivery.message_id
