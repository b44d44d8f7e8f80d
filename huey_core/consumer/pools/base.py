"""What runs deliveries, as the consumer sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.leased import Delivery

__all__ = ["Run", "WorkerPool"]


class Run(NamedTuple):
    """A delivery that runs.

    Attributes:
        delivery: The delivery.
        started: When it started, on the monotonic clock.
    """

    delivery: Delivery
    started: float


class WorkerPool(Protocol):
    """Runs deliveries, several at once.

    Attributes:
        size: How many it runs at once.
    """

    size: int

    def start(self) -> None:
        """Begin to run what is put in."""

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries, in order, to be run when a worker is idle."""

    def waiting(self) -> int:
        """How many deliveries wait for an idle worker."""

    def drain(self) -> list[Delivery]:
        """Remove and return what waits for an idle worker, in order."""

    def running(self) -> list[Run]:
        """What runs now."""

    def stop(self) -> None:
        """Have each worker end when it has run what it runs, and what is put in already."""

    def wait(self, seconds: float) -> bool:
        """Wait for workers to end, for so long at the most, and return whether all have ended."""

    def abandoned(self) -> list[Delivery]:
        """Remove and return the deliveries that have ended the worker that ran them."""
