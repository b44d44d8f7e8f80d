"""The leases of deliveries whose outcomes have still to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.commands.context import log_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.outcomes import Outcome
    from huey_core.consumer.in_flight import InFlight
    from huey_core.consumer.source import Source

__all__ = ["OutcomeLeases"]

log: Final = get_logger(__name__)


@dataclass(eq=False, repr=False)
class OutcomeLeases:
    """Shows whether an outcome still counts, and lets go of what does not."""

    source: Source
    in_flight: InFlight
    seconds: float | None
    """For how long a lease is renewed to see whether it is still ours, and whether the server writes at all; ``None``
    when there is no lease, and nothing is given up."""

    def renew(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Renew leases, and return which were still ours.

        Raises:
            Exception: The server did not answer, or refused.
        """
        if self.seconds is None:
            return [True] * len(outcomes)
        return self.source.extend([outcome.delivery for outcome in outcomes], self.seconds)

    def lose(self, outcome: Outcome) -> None:
        """Let go of an outcome whose lease was lost."""
        self.in_flight.lost(outcome.delivery)
        message = "the lease of message %s was lost; the outcome of this delivery does not count"
        fields = log_fields(self.source.queue_name, outcome.delivery)
        log.warning(message, outcome.delivery.message_id, extra=fields)
