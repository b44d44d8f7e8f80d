"""Results whose store cannot be written in one step with the queue: they are written first, and then the outcome.

The lease is renewed before, so a run that has lost it writes nothing. A consumer may be stopped just after that, for
longer than the lease. So a result is not put over another unless the lease was renewed after a look at that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.consumer.parked import Refused
from huey_core.features.results import write_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.outcomes import Ack, Bury, Outcome, ResultWrite
    from huey_core.consumer.outcome_leases import OutcomeLeases
    from huey_core.consumer.parked import Parked
    from huey_core.consumer.retry import BackOff

__all__ = ["ResultWriter"]

STORE_TRIES: Final = 2
"""Results in a row that a store does not take before the others are no longer tried: each may take a time limit."""


@dataclass(eq=False, repr=False)
class ResultWriter:
    """Writes results into stores of their own, and backs off from a store that is away.

    Used by one flush of the outbox at a time.

    Attributes:
        written: How many results were written.
    """

    leases: OutcomeLeases
    parked: Parked
    settles_into: Callable[[BaseDataStore], bool]
    back_off: BackOff
    clock: Callable[[], float]
    """A monotonic time in seconds."""

    def __post_init__(self) -> None:
        self.written = 0
        self._failures_in_a_row = 0
        self._retry_at = float("-inf")

    def write_those_of(self, batch: Sequence[Outcome], before: Refused | None = None) -> list[Outcome]:
        """Write the results that the queue cannot write together with the outcome; return what it may settle now.

        Args:
            batch: The outcomes.
            before: The one outcome of the batch as it was parked, if it was.

        Raises:
            Exception: The leases could not be renewed.
        """
        in_flight = self.leases.in_flight
        ours = in_flight.ours(batch)
        # By identity, since a store need not be hashable. There is one as a rule, and asking for each result costs.
        stores = {id(outcome.result.store): outcome.result.store for outcome in ours if outcome.result}
        if all(map(self.settles_into, stores.values())):
            return ours
        separate = [outcome for outcome in ours if outcome.result and self._is_separate(outcome.result)]
        if not self._is_backing_off():
            # Where another run has written a result, that of this one is not to replace it.
            for outcome, is_ours in zip(separate, self.leases.renew(separate), strict=True):
                if not is_ours:
                    self.leases.lose(outcome)
        ready = (self._try(before or self.refused(outcome)) for outcome in ours if outcome.delivery in in_flight)
        return [outcome for outcome in ready if outcome is not None]

    def refused(self, outcome: Outcome) -> Refused:
        """What is known of an outcome when it is refused first."""
        return Refused(outcome, self.clock(), self.written)

    def _try(self, one: Refused) -> Outcome | None:
        """Return what is left for the queue; ``None`` when the outcome is parked now, given up or lost."""
        outcome = one.outcome
        if outcome.result is None or not self._is_separate(outcome.result):
            return outcome
        if self._is_backing_off():
            self.parked.add(one)
            return None
        try:
            written = self._write(outcome, outcome.result)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, while its server is away or to refuse
            if self._has_refused(one.results_before):
                self.parked.give_up(one, error)
            elif self._is_backing_off():
                # The log says that the store is away.
                one.tries += 1
                self.parked.add(one)
            else:
                self.parked.park(one, error)
            return None
        if written is None:
            self.leases.lose(outcome)
        return written

    def _is_separate(self, result: ResultWrite) -> bool:
        """Whether the queue cannot write a result."""
        return not self.settles_into(result.store)

    def _is_backing_off(self) -> bool:
        """Whether the store is away, and is not to be tried now."""
        return self.clock() < self._retry_at

    def _write(self, outcome: Ack | Bury, result: ResultWrite) -> Outcome | None:
        """Write the result of an outcome, and return what is left for the queue; ``None`` when its lease was lost.

        Raises:
            Exception: The store did not take it, or the lease could not be renewed.
        """
        found: bytes | EmptyDataType = EmptyData
        while not self._write_over(found, result):
            found = result.store.peek(result.key)
            if self.leases.renew([outcome]) != [True]:
                return None
        self.written += 1
        return replace(outcome, result=None)

    def _write_over(self, found: bytes | EmptyDataType, result: ResultWrite) -> bool:
        try:
            is_written = write_result(result, found)
        except Exception as error:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= STORE_TRIES:
                self._retry_at = self.clock() + self.back_off.failed(error)
            raise
        self._failures_in_a_row = 0
        self._retry_at = float("-inf")
        self.back_off.over()
        return is_written

    def _has_refused(self, written_before: int) -> bool:
        """Whether what has just failed was refused: the store has taken others since, so it is not away."""
        return self.written > written_before and self._failures_in_a_row == 1
