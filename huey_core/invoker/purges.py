"""Purges: that messages of a queue were deleted without a record of each, noted once for whoever waits for one of them.

To leave a record for each of a million messages would take a million writes, as a rule for nobody. So a purge leaves
one mark in the result store, under a key of its queue: when it was over, by the queue's clock. Who waits for a call
watches that key too, and when it is written looks where the message is. What was in the queue before the purge, and is
neither there after it nor has a result, was deleted by it.

The mark is written after the messages have gone: who sees it before would look too early. A process that is killed in
between tells nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import LeasedQueue
from huey_core.exceptions import CommandDeleted, DataStorePutException, QueueException

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore
    from huey_core.hookspecs import InvokerLike

__all__ = ["MARK_TTL", "error_of_purge", "leased_queue_of", "mark_of_purges", "note_purge", "purged_since"]

MARK_TTL: Final = 30 * 86400.0
"""Seconds for which a purge is remembered, where the store can forget: thirty days."""


def leased_queue_of(invoker: InvokerLike) -> LeasedQueue | None:
    """The queue of an invoker, if its messages can be found by their ids; commands that run at once are in none."""
    return None if invoker.always_eager else _findable(invoker)


def _findable(invoker: InvokerLike) -> LeasedQueue | None:
    queue = invoker.queue
    return queue if isinstance(queue, LeasedQueue) and Capability.INSPECT in queue.capabilities else None


def mark_of_purges(queue: LeasedQueue) -> str:
    """The key in the result store under which the latest purge of a queue is noted."""
    # Several queues may have one store, and no id of a command has a space.
    return f"purge of {queue.name}"


def note_purge(invoker: InvokerLike) -> None:
    """Note that messages of the invoker's queue were deleted just now, for whoever waits for one of them.

    Raises:
        DataStorePutException: The result store could not be written.
    """
    # Other processes may wait for what this one would have run at once.
    queue, store = _findable(invoker), invoker.result_store
    if queue is None or store is None:
        return
    lifetime = (MARK_TTL,) if Capability.TTL in store.capabilities else ()
    try:
        store.put(mark_of_purges(queue), repr(queue.now()).encode(), *lifetime)
    except QueueException:
        raise
    except Exception as error:
        raise DataStorePutException(
            f"messages of queue {queue.name!r} were deleted, and whoever waits for them could not be told: {error}"
        ) from error


def error_of_purge(task_id: str) -> CommandDeleted:
    """What whoever waits for a call is told that a purge has deleted."""
    return CommandDeleted(f"{task_id} is no longer in its queue, of which messages were deleted, and has no result")


def purged_since(invoker: InvokerLike, queue: LeasedQueue, store: BaseDataStore, seen_at: float) -> bool:
    """Whether messages were purged since a time, which is one of the invoker's clock, in seconds since the epoch.

    Raises:
        Unsupported: The store offers no ``peek``.
        Exception: Queue or store did not answer.
    """
    mark = store.peek(mark_of_purges(queue))
    if mark is EmptyData:
        return False
    # Compared by the queue's clock. What has passed since is what this process has measured, whatever its clock says.
    now = queue.now()
    passed = invoker.now() - seen_at
    try:
        # A clock that was set back has measured nothing. Then any purge may have been the one.
        return float(mark) >= now - (passed if passed >= 0 else float("inf"))
    except ValueError:
        return False
