"""What a consumer had in flight and had done at one moment: values, and no windows on numbers that go on changing."""

from __future__ import annotations

from dataclasses import astuple, dataclass

__all__ = ["Snapshot", "Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a consumer had done at one moment since it started.

    Attributes:
        claimed: Messages claimed.
        done: Messages acked.
        retried: Messages put back to be tried again.
        released: Messages given back.
        buried: Messages made dead letters, and dead letters reported that claims have made.
        lost: Outcomes that did not count, because the lease had ended.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    released: int = 0
    buried: int = 0
    lost: int = 0

    def __add__(self, other: Stats) -> Stats:
        """What both together had done."""
        return Stats(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a consumer had in flight at one moment.

    Attributes:
        name: The consumer's name: host, process and a number.
        in_flight: Messages under a lease of this consumer, running ones included.
        running: The identifiers of the messages that ran, with the seconds for which they had run.
        stats: What it had done since it started.
    """

    name: str
    in_flight: int
    running: dict[str, float]
    stats: Stats
