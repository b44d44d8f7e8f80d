"""Deleted calls: whoever waits for one is told, be it that its record is there or that its queue was purged."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import State
from huey_core.commands.stored_result import encode_deleted
from huey_core.exceptions import Unsupported
from huey_core.features.results import leaves_record, result_options, result_write, write_result
from huey_core.invoker.call_state import CallState
from huey_core.invoker.purges import error_of_purge, leased_queue_of, mark_of_purges, purged_since
from huey_core.message import read_header, run_fields
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import StoredMessage
    from huey_core.hookspecs import InvokerLike

__all__ = ["QUICK", "DeletionWatch", "record_deletions"]

log: Final = get_logger(__name__)

QUICK: Final = 1.0
"""Seconds of a wait in which nobody looks whether the call was deleted: most waits are shorter."""


def record_deletions(invoker: InvokerLike, messages: Sequence[StoredMessage]) -> None:
    """Leave a record that messages were deleted, in the place of their results, for whoever waits or will.

    Ticks, and commands that leave no record, leave none of this either. What is stored of a dead letter's end stays.

    Args:
        invoker: The invoker of their queue.
        messages: The messages, as they were before.

    Raises:
        DataStorePutException: The result store could not be written.
        Exception: It could not be read.
    """
    store = invoker.result_store
    if store is None:
        return
    dead = [message.message_id for message in messages if message.state is State.DEAD]
    try:
        ends = dict(zip(dead, store.peek_many(dead), strict=True)) if dead else {}
    except Unsupported:
        # What nobody can look at may be the error, which is to be told.
        ends = dict.fromkeys(dead, b"")
    for message in messages:
        header = read_header(message.data)
        wanted, ttl = result_options(invoker, header)
        found = ends.get(message.message_id)
        if isinstance(found, bytes) or not leaves_record(invoker, wanted, ttl, is_tick=header.tick_at is not None):
            continue
        run = run_fields(header.enqueued_at, invoker.now(), 0.0, header.retried + message.attempt)
        write_result(result_write(invoker, message.message_id, encode_deleted(message.message_id, run), ttl), found)


class DeletionWatch:
    """Tells one who waits for the result of a call that the call was deleted with others, in a purge of its queue.

    Args:
        invoker: The invoker of its queue.
        task_id: Its identifier.
        seen_at: When it was in the queue, in seconds since the epoch by the invoker's clock; ``None`` when nobody
            knows. Then it is looked for at once, because what was deleted before it was seen cannot be told from what
            never was.

    Attributes:
        seen_at: The same, by the latest look.
        key: The key of the result store to watch beside the call's own; ``None`` where the queue cannot be asked.
    """

    def __init__(self, invoker: InvokerLike, task_id: str, seen_at: float | None) -> None:
        self._invoker = invoker
        self._task_id = task_id
        self._has_failed = False
        self.seen_at = seen_at
        self._queue = leased_queue_of(invoker)
        self.key = None if self._queue is None else mark_of_purges(self._queue)

    def check(self) -> None:
        """Look whether the call was deleted.

        Raises:
            CommandDeleted: It was.
        """
        invoker, queue, store = self._invoker, self._queue, self._invoker.result_store
        if queue is None or store is None:
            return
        try:
            if self.seen_at is not None and not purged_since(invoker, queue, store, self.seen_at):
                return
            state = CallState.look(invoker, self._task_id, seen_at=self.seen_at)
        except Exception as error:  # noqa: BLE001 - a result may come all the same, so the wait goes on
            if not self._has_failed:
                log.warning("whether %s was deleted could not be found out: %s", self._task_id, error_line(error))
            self._has_failed = True
            return
        self.seen_at = state.seen_at
        if state.was_purged:
            raise error_of_purge(self._task_id)

    def wait(self, timeout: float | None) -> None:
        """Wait until there is a result in a store that has ``notify``.

        Args:
            timeout: The longest wait in seconds; ``None`` waits without an end.

        Raises:
            CommandDeleted: The call was deleted.
            Exception: The store did not answer.
        """
        store, deadline = self._invoker.results, None if timeout is None else time.monotonic() + timeout
        if self.key is None:
            store.wait(self._task_id, timeout)
            return
        if self.seen_at is None:
            self.check()
        is_quick = timeout is not None and timeout <= QUICK
        if store.wait(self._task_id, timeout if is_quick else QUICK) or is_quick:
            return
        changed = threading.Event()
        with ExitStack() as watches:
            for key in (self._task_id, self.key):
                watches.callback(store.watch(key, changed.set))
            while True:
                changed.clear()
                if store.peek(self._task_id) is not EmptyData:
                    return
                self.check()
                remaining = None if deadline is None else deadline - time.monotonic()
                if (remaining is not None and remaining <= 0) or not changed.wait(remaining):
                    return
