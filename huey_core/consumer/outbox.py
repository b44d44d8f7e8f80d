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
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Final, assert_never

from huey_core.backends.outcomes import Ack, Bury, Outcome, Release, Retry
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.outcome_leases import OutcomeLeases
    from huey_core.consumer.parked import Parked, Refused
    from huey_core.consumer.result_writer import ResultWriter
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source

__all__ = ["Outbox"]

log: Final = get_logger(__name__)

SETTLE_AT_ONCE: Final = 250
"""The most outcomes to settle in one call, so that no call keeps the server busy for long."""


@dataclass(eq=False, repr=False, kw_only=True)
class Outbox:
    """Outcomes that wait to be settled."""

    source: Source
    in_flight: InFlight
    leases: OutcomeLeases
    results: ResultWriter
    parked: Parked
    has_buried: Callable[[Delivery], None]
    """Called with the delivery of a message that was made a dead letter."""
    back_off: BackOff

    def __post_init__(self) -> None:
        self._log = log.with_fields(queue=self.source.queue_name)
        self._lock = threading.Lock()
        self._waiting: deque[Outcome] = deque()
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
        by_delivery = {one.delivery.key: one for one in left}
        return self.in_flight.ours(by_delivery.values())

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
                batch = self.results.write_those_of(batch)
                self._settle(batch)
            except BaseException as error:
                is_refused = self._is_refusal(error)
                if is_refused and len(batch) == 1:
                    self.parked.park(self.results.refused(batch[0]), error)
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
                    self.leases.lose(outcome)
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
            ready = self.results.write_those_of([one.outcome], one)
            if not ready:
                return
            [one.outcome] = ready
            self._settle(ready)
        except Exception as error:
            if not self._is_refusal(error):
                raise
            if self.parked.is_refused_for_good(one):
                self.parked.give_up(one, error)
            else:
                self.parked.park(one, error)
