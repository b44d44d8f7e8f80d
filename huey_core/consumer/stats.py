"""What a consumer has done, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huey_core.backends.leased import Ack, Bury, Release, Retry

if TYPE_CHECKING:
    from huey_core.backends.leased import Outcome

__all__ = ["Snapshot", "Stats"]


@dataclass
class Stats:
    """What a consumer has done since it started.

    Attributes:
        claimed: Messages claimed.
        done: Messages acked.
        retried: Messages put back to be tried again.
        released: Messages given back.
        buried: Messages made dead letters.
        lost: Outcomes that changed nothing, because the lease had ended.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    released: int = 0
    buried: int = 0
    lost: int = 0

    def count(self, outcome: Outcome) -> None:
        """Count a settled outcome."""
        if isinstance(outcome, Ack):
            self.done += 1
        elif isinstance(outcome, Retry):
            self.retried += 1
        elif isinstance(outcome, Release):
            self.released += 1
        elif isinstance(outcome, Bury):
            self.buried += 1


@dataclass(frozen=True)
class Snapshot:
    """What a consumer holds at one moment.

    Attributes:
        name: The consumer's name: host, process and a number.
        held: Messages under a lease of this consumer, running ones included.
        running: The identifiers of the messages that run, with the seconds for which they have run.
        stats: What it has done since it started.
    """

    name: str
    held: int
    running: dict[str, float]
    stats: Stats
