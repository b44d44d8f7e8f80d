"""What a consumer works with: a queue that delivers under leases, or the adapter of one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from huey_core.consumer.at_most_once import AtMostOnceSource
from huey_core.invoker.schedule import CommandSchedule
from huey_core.invoker.tick_dead_letters import replace_dead_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.leased import Claim, Delivery, LeasedQueue, Outcome, StoredMessage
    from huey_core.consumer.retry import Pauses
    from huey_core.invoker.invoker import Invoker

__all__ = ["LeasedSource", "Source", "source_of"]


class Source(Protocol):
    """Where deliveries come from, and what can be relied on there. Whatever differs between queues, it says itself."""

    @property
    def queue_name(self) -> str:
        """The name of the queue."""

    @property
    def max_deliveries(self) -> int:
        """How often a message is delivered, at the most, that cannot be read or has no outcome."""

    @property
    def redelivers(self) -> bool:
        """Whether a message that has no outcome is delivered again; otherwise it is lost."""

    @property
    def fate(self) -> str:
        """The same in words, for the log."""

    @property
    def unplaced(self) -> int:
        """How many messages were read, are no deliveries, and are nowhere but in this process."""

    def is_paused(self) -> bool:
        """Whether nothing is delivered until the queue is resumed. To ask shows whether the server answers."""

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take messages, and name dead letters; see :meth:`~huey_core.backends.leased.LeasedQueue.claim`."""

    def report_done(self, message_ids: Sequence[str]) -> None:
        """Have dead letters named no more; see :meth:`~huey_core.backends.leased.LeasedQueue.report_done`."""

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead."""

    def replace_dead_letter(self, command_name: str, message_id: str) -> None:
        """Keep of the dead letters of a periodic command's ticks this one alone."""

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries; see :meth:`~huey_core.backends.leased.LeasedQueue.settle`."""

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases; see :meth:`~huey_core.backends.leased.LeasedQueue.extend`."""

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether results are written into a store together with outcomes."""

    def put_back(self) -> None:
        """Write what is :attr:`unplaced` to the queue, for another consumer.

        Raises:
            Exception: The server did not answer.
        """

    def now(self) -> float:
        """The time that decides about leases and delays, in seconds since the epoch."""

    def wake(self) -> None:
        """End a claim that waits."""


class LeasedSource:
    """A queue that delivers under leases.

    Args:
        queue: The queue.
        task_store: Remembers the latest dead letter of each periodic command; ``None`` keeps all of them.
    """

    redelivers: Final = True
    fate: Final = "redelivery follows when the lease ends"
    unplaced: Final = 0

    def __init__(self, queue: LeasedQueue, task_store: BaseDataStore | None) -> None:
        self._queue = queue
        self._task_store = task_store

    @property
    def queue_name(self) -> str:
        """What the queue is called."""
        return self._queue.name

    @property
    def max_deliveries(self) -> int:
        """What the queue says."""
        return self._queue.max_deliveries

    def is_paused(self) -> bool:
        """Ask the server."""
        return self._queue.counts().paused

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take messages under a lease."""
        return self._queue.claim(limit, lease, wait)

    def report_done(self, message_ids: Sequence[str]) -> None:
        """Have dead letters named no more."""
        self._queue.report_done(message_ids)

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Ask the queue."""
        return self._queue.find(message_ids)

    def replace_dead_letter(self, command_name: str, message_id: str) -> None:
        """Delete the one before."""
        replace_dead_letter(self._queue, self._task_store, command_name, message_id)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries."""
        return self._queue.settle(outcomes)

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases."""
        return self._queue.extend(deliveries, lease)

    def settles_into(self, store: BaseDataStore) -> bool:
        """Ask the queue."""
        return self._queue.settles_into(store)

    def put_back(self) -> None:
        """Do nothing: all that was read are deliveries."""

    def now(self) -> float:
        """The server's time."""
        return self._queue.now()

    def wake(self) -> None:
        """End a claim that waits."""
        self._queue.wake()


def source_of(invoker: Invoker, pauses: Pauses) -> Source:
    """Make the source of an invoker's queue.

    Args:
        invoker: The invoker.
        pauses: Between two looks into a queue that cannot wait for a message.
    """
    if invoker.leased_queue is not None:
        return LeasedSource(invoker.leased_queue, invoker.task_store)
    return AtMostOnceSource(invoker.queue, CommandSchedule(invoker.task_store), invoker.task_store, pauses)
