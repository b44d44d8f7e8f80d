"""Outcomes that the server has refused while it took others: they are tried again by themselves, from time to time.

One that is refused for good is given up: its message becomes a dead letter, and whoever waits for it gets an error.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from huey_core.backends.outcomes import Ack, Bury, Outcome, Release, Retry, messages_in
from huey_core.commands.context import log_fields
from huey_core.commands.stored_result import encode_error
from huey_core.message import run_of_result
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import ResultWrite
    from huey_core.consumer.outcome_leases import OutcomeLeases
    from huey_core.consumer.policy import Policy
    from huey_core.invoker.follow_ups import Following
    from huey_core.serializers.base import Serializer

__all__ = ["Parked", "Refused"]

log: Final = get_logger(__name__)


@dataclass(slots=True)
class Refused:
    """An outcome that was refused, when that was first, and how many results had been written by then."""

    outcome: Outcome
    since: float
    results_before: int
    tries: int = 0

    @property
    def size(self) -> int:
        """The bytes that it keeps in memory."""
        result = self.outcome.result
        messages = sum(map(len, messages_in(self.outcome)))
        return len(self.outcome.delivery.data) + messages + (len(result.value) if result else 0)


@dataclass(eq=False, repr=False, kw_only=True)
class Parked:
    """The outcomes that are parked; safe to use from several threads."""

    leases: OutcomeLeases
    serializer: Serializer
    """Encodes the error that whoever waits gets in place of a result that cannot be written."""
    error_result: Callable[[Delivery, BaseException], ResultWrite | None]
    """Makes the error that whoever waits gets for a retry that cannot be written."""
    what_follows: Callable[[Delivery, BaseException], Following]
    """Finds out what follows a command whose outcome can never be written."""
    has_parked: Callable[[Delivery], None]
    """Called with a delivery whose command has run, and whose outcome cannot be written yet."""
    has_given_up: Callable[[Outcome], None]
    """Called with what is to be settled in place of an outcome that can never be written."""
    cannot_write: Callable[[str, str], None]
    """Called with the id of a message that becomes a dead letter because its outcome can never be written, and why."""
    clock: Callable[[], float]
    """A monotonic time in seconds."""
    policy: Policy

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._parked: list[Refused] = []
        self._again_at = 0.0

    def add(self, one: Refused) -> bool:
        """Park an outcome, and return whether it is the only one."""
        with self._lock:
            is_first = not self._parked
            if is_first:
                self._again_at = self.clock() + self.policy.parked_for
            self._parked.append(one)
        self.has_parked(one.outcome.delivery)
        return is_first

    def park(self, one: Refused, error: BaseException) -> None:
        """Park an outcome that was tried, and say so if it is the only one."""
        one.tries += 1
        if self.add(one) and one.tries == 1:
            message, fields = "the outcome of message %s was refused, retrying: %s", self._fields(one.outcome)
            log.warning(message, _id(one.outcome), error_line(error), extra=fields)

    def take(self) -> list[Refused]:
        """Remove and return all."""
        with self._lock:
            parked, self._parked = self._parked, []
        return parked

    def put_back(self, untried: Iterable[Refused]) -> None:
        """Park again what had no turn, and let time pass before the next try.

        First those that had no turn, so that none waits for ever behind others that are refused for good.
        """
        with self._lock:
            self._parked = sorted([*untried, *self._parked], key=lambda one: one.tries)
            self._again_at = self.clock() + self.policy.parked_for

    def is_full(self) -> bool:
        """Whether so much is parked that nothing more should be claimed, lest it grow without end."""
        with self._lock:
            parked, policy = self._parked, self.policy
            return bool(parked) and (
                len(parked) >= policy.parked_outcomes or sum(one.size for one in parked) >= policy.parked_bytes
            )

    def due_in(self) -> float:
        """Seconds until the next try; infinite when nothing is parked."""
        with self._lock:
            return max(self._again_at - self.clock(), 0.0) if self._parked else float("inf")

    def outcomes(self) -> list[Outcome]:
        """The outcomes that are parked now."""
        with self._lock:
            return [one.outcome for one in self._parked]

    def is_refused_for_good(self, one: Refused) -> bool:
        """Whether it is due to the outcome, and not to the state of the server, that it was refused again."""
        if self.leases.seconds is None or self.clock() - one.since < self.policy.parked_for:
            return False
        try:
            # A server that writes this, for the same message, would write an outcome too.
            return self.leases.renew([one.outcome]) == [True]
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            log.debug(
                "the server refuses every write: %s", error_line(error), extra={"queue": self.leases.source.queue_name}
            )
            return False

    def give_up(self, one: Refused, error: Exception) -> None:
        """Have something simpler settled in place of an outcome that was refused for good: a dead letter as a rule.

        What cannot be simpler is parked.
        """
        other = self._without_what_was_refused(one.outcome, error)
        if other is one.outcome:
            self.park(one, error)
        else:
            self.has_given_up(other)

    def _without_what_was_refused(self, outcome: Outcome, error: Exception) -> Outcome:
        reason = f"its outcome could not be written: {error_line(error)}"[:500]
        result = outcome.result
        if result is not None:
            # Whoever waits for the result learns that there is none to come.
            run = run_of_result(result.value)
            result = replace(result, value=encode_error(self.serializer, result.key, error, run=run))
        match outcome:
            case Release(delivery, delay, wake) if wake is not None:
                message, fields = "message %s waits for its delay alone: %s", self._fields(outcome)
                log.warning(message, _id(outcome), error_line(error), extra=fields)
                return Release(delivery, delay)
            case Release() | Bury(detail="", result=None, follow_ups=(), arrivals=()):
                return outcome
            case Bury(delivery, text, detail, _, follow_ups, arrivals):
                buried = Bury(delivery, f"{text[:500]}; {reason}")
                if detail:
                    # Refused a second time, the error goes as well, and what follows.
                    buried = replace(buried, result=result, follow_ups=follow_ups, arrivals=arrivals)
            case Ack() | Retry():
                if isinstance(outcome, Retry):
                    result = self.error_result(outcome.delivery, error)
                buried = Bury(outcome.delivery, reason, "", result, *self.what_follows(outcome.delivery, error))
                self.cannot_write(_id(outcome), reason)
            case _:
                assert_never(outcome)
        fields = self._fields(outcome)
        log.error("message %s becomes a dead letter: %s", _id(outcome), reason, extra=fields)
        return buried

    def _fields(self, outcome: Outcome) -> dict[str, object]:
        return log_fields(self.leases.source.queue_name, outcome.delivery)


def _id(outcome: Outcome) -> str:
    return outcome.delivery.message_id
