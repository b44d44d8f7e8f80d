"""What runs deliveries, as the consumer sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery

__all__ = ["Run", "Runner", "WorkerPool"]


class Runner(Protocol):
    """What is done with the deliveries of one queue."""

    def run(self, delivery: Delivery) -> None:
        """Run a delivery in a worker, and hand its outcome on. What it raises restarts the worker."""

    def has_run(self) -> None:
        """Called by the worker when it has run one and will look for the next."""

    def release(self, delivery: Delivery) -> None:
        """Give back a delivery that has not run to its end."""

    def abandon(self, delivery: Delivery) -> None:
        """Let go of a delivery that has ended the worker that ran it."""


class Run(NamedTuple):
    """A delivery that runs.

    Attributes:
        delivery: The delivery.
        runner: What runs it.
        started: When it started, on the monotonic clock.
    """

    delivery: Delivery
    runner: Runner
    started: float


class WorkerPool(Protocol):
    """Runs deliveries, several at once, of one queue or of several that share it.

    Attributes:
        size: How many it runs at once.
    """

    size: int

    def start(self) -> None:
        """Begin to run what is put in."""

    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Add deliveries, in order, to be run by ``runner`` when a worker is idle."""

    def waiting(self) -> int:
        """How many deliveries wait for an idle worker."""

    def unfinished(self) -> int:
        """How many deliveries it has taken and not run to their end."""

    def drain(self) -> list[tuple[Delivery, Runner]]:
        """Remove and return what waits for an idle worker, in order."""

    def running(self) -> list[Run]:
        """What runs now."""

    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is a worker of this pool."""

    def stop(self) -> None:
        """Have each worker end when it has run what it runs, and what is put in already."""

    def wait(self, seconds: float) -> bool:
        """Wait for workers to end, for so long at the most, and return whether all have ended."""

    def abandoned(self) -> list[Run]:
        """Remove and return the deliveries that have ended the worker that ran them."""
