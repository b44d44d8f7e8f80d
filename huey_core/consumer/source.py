"""What a consumer works with: a queue that delivers under leases, or the adapter of one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from huey_core.backends.messages import State
from huey_core.consumer.at_most_once import AtMostOnceSource
from huey_core.invoker.command_schedule import CommandSchedule
from huey_core.invoker.tick_dead_letters import replace_dead_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import Claim, Delivery, StoredMessage
    from huey_core.backends.outcomes import Outcome, Reported
    from huey_core.consumer.retry import Pauses
    from huey_core.invoker.invoker import Invoker

__all__ = ["Source", "source_of"]


class Source(Protocol):
    """Where deliveries come from, and what can be relied on there. Whatever differs between queues, it says itself.

    What it has in common with a :class:`~huey_core.backends.leased.LeasedQueue` is described there.
    """

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
    def redelivery_note(self) -> str:
        """The same in words, for the log."""

    @property
    def to_put_back(self) -> int:
        """How many messages were read, are no deliveries, and are nowhere but in this process."""

    def put_back(self) -> None:
        """Write what is :attr:`to_put_back` to the queue, for another consumer; raise what the driver raises."""

    def is_paused(self) -> bool:
        """Whether nothing is delivered until the queue is resumed. To ask shows whether the server answers."""

    def replace_dead_letter(self, schedule: str, message_id: str) -> None:
        """Keep of the dead letters of a periodic command's ticks this one alone."""

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Take messages, and name dead letters."""

    def report_done(self, reports: Sequence[Reported]) -> None:
        """Have dead letters named no more."""

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return those of the messages that are live or dead."""

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """End deliveries."""

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """Renew leases."""

    def settles_into(self, store: BaseDataStore) -> bool:
        """Whether results are written into a store together with outcomes."""

    def now(self) -> float:
        """The time that decides about leases and delays, in seconds since the epoch."""

    def next_due(self) -> float | None:
        """When the next of the messages is due that wait for their time, in the same seconds; ``None`` without any.

        A queue with leases must have the capability ``inspect`` to be asked.
        """

    def wake(self) -> None:
        """End a claim that waits."""


class _LeasedSource:
    """A queue that delivers under leases.

    The task store remembers the latest dead letter of each periodic command; ``None`` keeps all of them.
    """

    redelivers: Final = True
    redelivery_note: Final = "redelivery follows when the lease ends"
    to_put_back: Final = 0

    def __init__(self, queue: LeasedQueue, task_store: BaseDataStore | None) -> None:
        self._queue = queue
        self._task_store = task_store
        self.queue_name = queue.name
        self.max_deliveries = queue.max_deliveries

    def put_back(self) -> None:
        pass

    def is_paused(self) -> bool:
        return self._queue.counts().paused

    def replace_dead_letter(self, schedule: str, message_id: str) -> None:
        replace_dead_letter(self._queue, self._task_store, schedule, message_id)

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        return self._queue.claim(limit, lease, wait)

    def report_done(self, reports: Sequence[Reported]) -> None:
        self._queue.report_done(reports)

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        return self._queue.find(message_ids)

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        return self._queue.settle(outcomes)

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        return self._queue.extend(deliveries, lease)

    def settles_into(self, store: BaseDataStore) -> bool:
        return self._queue.settles_into(store)

    def now(self) -> float:
        return self._queue.now()

    def next_due(self) -> float | None:
        return next((message.due for message in self._queue.peek(State.SCHEDULED, 0, 1)), None)

    def wake(self) -> None:
        self._queue.wake()


def source_of(invoker: Invoker, pauses: Pauses) -> Source:
    """Make the source of an invoker's queue, with the pauses between two looks into one that cannot wait."""
    if invoker.leased_queue is not None:
        return _LeasedSource(invoker.leased_queue, invoker.task_store)
    return AtMostOnceSource(invoker.queue, CommandSchedule(invoker.task_store), invoker.task_store, pauses)
