"""Requeueing and deleting stored messages, in portions, by the state in which somebody has seen them.

Between the look at a message and the action others go on to work: a message may have been run, requeued or deleted
meanwhile. What is no longer in the state in which it was seen is left alone, and said to be. So is what is to be tried
again and has expired: a consumer would drop it without a run, and nothing of it would be left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.messages import State
from huey_core.exceptions import ConfigurationError
from huey_core.inspection.messages import MessageFacts
from huey_core.invoker.deletions import record_deletions
from huey_core.invoker.purges import note_purge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import StoredMessage
    from huey_core.invoker.invoker import Invoker

__all__ = ["RECORDED", "Acted", "act", "dead_ids", "delete", "retry"]

_PORTION: Final = 500
"""The most messages that are held in memory at a time, and named in one call."""

RECORDED: Final = 500
"""The most messages of which each leaves a record when they are deleted together."""

_FIRST: Final = 10
"""How many are the first portion, of which nobody knows yet how large they are."""

_BYTES: Final = 32 * 2**20
"""About how many bytes of messages are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a portion of messages. Together the three name each message once.

    Attributes:
        done: Those that it was done to, as they were before.
        refused: Those that the queue left as they are: requeueing leaves one whose unique key another live message has
            taken, and deleting one that went while it was asked.
        moved: The ids of those that were not in the state any more, with the one in which they are; ``None`` for a
            message that is not there.
        expired: Those that were to be tried again, and were left as they are because they have expired.
    """

    done: Sequence[StoredMessage]
    refused: Sequence[StoredMessage]
    moved: Mapping[str, State | None]
    expired: Sequence[StoredMessage] = ()


def dead_ids(queue: LeasedQueue, until: float | None = None) -> list[str]:
    """Collect the ids of the dead messages, the last buried first.

    Args:
        queue: The queue.
        until: Only of those that were buried then or earlier, in seconds since the epoch by the queue's clock.
    """
    ids: dict[str, None] = {}
    offset, portion = 0, _FIRST
    while page := queue.peek(State.DEAD, offset, portion):
        ids |= {each.message_id: None for each in page if until is None or (each.due or 0.0) <= until}
        offset += len(page)
        portion = _next(portion, page)
    return list(ids)


def _next(portion: int, page: Sequence[StoredMessage]) -> int:
    """How many messages to ask for next, by what the last portion took."""
    size = sum(len(each.data) + len(each.detail) for each in page) or 1
    return max(1, min(_PORTION, 2 * portion, _BYTES * len(page) // size if page else _PORTION))


def act(
    queue: LeasedQueue, message_ids: Iterable[str], state: State, action: Callable[[Iterable[str]], list[str]]
) -> Iterator[Acted]:
    """Requeue or delete messages, unless they have moved on from the state in which somebody has seen them.

    Args:
        queue: The queue.
        message_ids: The messages. An id that is there twice counts once.
        state: That state.
        action: ``queue.requeue``, or ``queue.delete``, which tells nobody: see :func:`delete`.

    Returns:
        What became of one portion after another. Each is acted on when it is asked for.
    """
    return _act(queue, message_ids, state, action, spare_expired=False)


def retry(queue: LeasedQueue, message_ids: Iterable[str], state: State = State.DEAD) -> Iterator[Acted]:
    """Requeue messages, dead or scheduled ones, as :func:`act` does, except those that have expired."""
    return _act(queue, message_ids, state, queue.requeue, spare_expired=True)


def delete(invoker: Invoker, message_ids: Iterable[str], state: State) -> Iterator[Acted]:
    """Delete messages of the invoker's queue, as :func:`act` does, and tell whoever waits for one of them.

    Up to :data:`RECORDED` leave a record each, in the place of their results. Of more it is noted once that they were
    deleted, for those who wait now: to write a record of each would take a million writes for a million messages.

    Raises:
        ConfigurationError: The queue is none whose messages can be found.
        DataStorePutException: A portion was deleted, and whoever waits could not be told.
    """
    queue, ids = invoker.leased_queue, list(dict.fromkeys(message_ids))
    if queue is None:
        raise ConfigurationError(f"{invoker.queue!r} has no messages that can be found by their ids")
    is_purge = len(ids) > RECORDED
    has_deleted = False
    try:
        for part in act(queue, ids, state, queue.delete):
            has_deleted = has_deleted or bool(part.done)
            if not is_purge:
                record_deletions(invoker, part.done)
            yield part
    finally:
        if is_purge and has_deleted:
            note_purge(invoker)


def _act(
    queue: LeasedQueue,
    message_ids: Iterable[str],
    state: State,
    action: Callable[[Iterable[str]], list[str]],
    *,
    spare_expired: bool,
) -> Iterator[Acted]:
    ids = list(dict.fromkeys(message_ids))
    start, portion = 0, _FIRST
    while start < len(ids):
        asked = ids[start : start + portion]
        start += portion
        found = {message.message_id: message for message in queue.find(asked)}
        states = {each: found[each].state if each in found else None for each in asked}
        seen = [found[each] for each in asked if states[each] is state]
        expired = _expired(seen, queue.now()) if spare_expired and seen else []
        spared = {message.message_id for message in expired}
        meant = [message for message in seen if message.message_id not in spared]
        portion = _next(portion, list(found.values()))
        acted = set(action([message.message_id for message in meant])) if meant else set()
        yield Acted(
            done=[message for message in meant if message.message_id in acted],
            refused=[message for message in meant if message.message_id not in acted],
            moved={each: now for each, now in states.items() if now is not state},
            expired=expired,
        )


def _expired(messages: Sequence[StoredMessage], now: float) -> list[StoredMessage]:
    return [message for message in messages if MessageFacts.read(message).has_expired(now)]
