"""The queues of a server: what is in each, and for how long the oldest of its ready messages has waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import LeasedQueue
from huey_core.backends.messages import Counts, State
from huey_core.inspection.messages import MessageFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.backends.backend import Backend
    from huey_core.backends.messages import StoredMessage

__all__ = ["QueueFacts", "queues_of", "ready_since"]

_FIRST: Final = 20
"""How many of the ready messages of each priority are looked at: one that was delayed is among the older ones."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What an operator wants to know of a queue.

    Attributes:
        name: Its name.
        counts: How many messages are in each state, and whether it is paused.
        waited: Seconds for which the oldest ready message has waited, as far as the first twenty of each priority show;
            ``None`` where none is ready, none says when it was enqueued, or the backend cannot list messages.
    """

    name: str
    counts: Counts
    waited: float | None


def queues_of(backend: Backend) -> Iterator[QueueFacts]:
    """Look at the queues of a server that have messages, or are paused, in the order of their names.

    Raises:
        Unsupported: The backend cannot list them.
        Exception: The server did not answer.
    """
    for name in backend.queue_names():
        queue = backend.queue(name)
        if not isinstance(queue, LeasedQueue) or Capability.INSPECT not in queue.capabilities:
            yield QueueFacts(name, Counts(len(queue), 0, 0, 0), None)
            continue
        counts = queue.counts()
        yield QueueFacts(name, counts, _waited(queue, counts.ready) if counts.ready else None)


def ready_since(message: StoredMessage) -> float | None:
    """Since when a ready message could have run, in seconds since the epoch, if it says so."""
    header = MessageFacts.read(message).header
    return max((at for at in (header.enqueued_at, header.eta) if at is not None), default=None)


def _waited(queue: LeasedQueue, ready: int) -> float | None:
    """Seconds for which the oldest ready message has waited; the first of a queue are the most urgent."""
    now = queue.now()
    times: list[float] = []
    place = 0
    while first := queue.peek(State.READY, place, _FIRST):
        priority = first[0].priority
        same = [message for message in first if message.priority == priority]
        times += [at for at in map(ready_since, same) if at is not None]
        place += len(same)
        if len(same) == _FIRST:
            place = _end_of_priority(queue, priority, place, ready)
    return max(now - min(times), 0.0) if times else None


def _end_of_priority(queue: LeasedQueue, priority: int, start: int, end: int) -> int:
    """The place of the first ready message of another priority, found by halving what lies between two places."""
    while start < end:
        middle = (start + end) // 2
        found = queue.peek(State.READY, middle, 1)
        if found and found[0].priority == priority:
            start = middle + 1
        else:
            end = middle
    return start
