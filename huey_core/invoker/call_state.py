"""Where a call is: in its queue, with its message there, or at its end, which its stored result tells."""

from __future__ import annotations

import enum
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import State
from huey_core.commands.stored_result import decode_result
from huey_core.exceptions import (
    CommandError,
    CommandException,
    DecodeError,
    QueueException,
    QueueReadException,
    Unsupported,
)
from huey_core.invoker.purges import error_of_purge, leased_queue_of, purged_since
from huey_core.message import ResultHeader, read_header, read_result
from huey_core.names import dotted_name

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import StoredMessage
    from huey_core.hookspecs import InvokerLike

__all__ = ["CallError", "CallInfo", "CallState", "CallStatus"]


class CallStatus(enum.StrEnum):
    """Where a call is. The first three are in its queue, ``DEAD`` is kept there, and the others have left it."""

    READY = "ready"
    """It waits for a worker."""
    SCHEDULED = "scheduled"
    """It waits until it is due, or for its next try."""
    RUNNING = "running"
    """A consumer has it."""
    SUCCEEDED = "succeeded"
    """It has ended, and has a result."""
    FAILED = "failed"
    """It has ended with an error, and there is no dead letter of it, or no more."""
    DEAD = "dead"
    """It has ended with an error, or was delivered too often without an outcome, and is kept as a dead letter."""
    ABANDONED = "abandoned"
    """It was delivered too often without an outcome, and there is no dead letter of it any more."""
    REVOKED = "revoked"
    """It was revoked before it began."""
    EXPIRED = "expired"
    """It had expired before it began."""
    CANCELLED = "cancelled"
    """It was cancelled while it ran."""
    DELETED = "deleted"
    """Its message was deleted before it had an end."""
    UNKNOWN = "unknown"
    """It is not in the queue, and nothing is stored of its end: it never was, or that was forgotten or removed."""

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more, unless somebody puts its dead letter back into the queue."""
        return self not in _NOT_ENDED


_NOT_ENDED: Final = frozenset({CallStatus.READY, CallStatus.SCHEDULED, CallStatus.RUNNING, CallStatus.UNKNOWN})
_OF_RESULT: Final = {
    "ok": CallStatus.SUCCEEDED,
    "error": CallStatus.FAILED,
    "abandoned": CallStatus.ABANDONED,
    "revoked": CallStatus.REVOKED,
    "expired": CallStatus.EXPIRED,
    "cancelled": CallStatus.CANCELLED,
    "deleted": CallStatus.DELETED,
}


@dataclass(frozen=True, slots=True)
class CallError:
    """Why a call has no result.

    Attributes:
        type_name: The dotted name of the exception's type, such as ``builtins.ValueError``; empty where it is not
            known.
        message: Its text.
    """

    type_name: str
    message: str


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What is known of a call. Times are in seconds since the epoch, and ``None`` where they are not known.

    Attributes:
        status: Where it is.
        enqueued_at: When it was enqueued.
        began_at: When its last run began; known once that has ended.
        ended_at: When it ended.
        deliveries: How often a consumer has had it: its retries, and the deliveries since the last of them.
        error: Why it has no result; ``None`` where it has one, or has not ended.
    """

    status: CallStatus
    enqueued_at: float | None = None
    began_at: float | None = None
    ended_at: float | None = None
    deliveries: int = 0
    error: CallError | None = None


@dataclass(frozen=True, slots=True)
class CallState:
    """A call as its queue and the result store have it at one moment.

    Attributes:
        message: Its message; ``None`` where it is not in the queue, or the queue cannot be asked.
        header: The header of its stored result; ``None`` where there is none.
        record: Its stored result.
        seen_at: When its message was last seen in the queue, in seconds since the epoch by the invoker's clock;
            ``None`` where it never was.
        was_purged: Whether it is not there any more because messages of its queue were deleted.
    """

    message: StoredMessage | None
    header: ResultHeader | None
    record: bytes | EmptyDataType
    seen_at: float | None
    was_purged: bool = False

    @classmethod
    def look(
        cls,
        invoker: InvokerLike,
        task_id: str,
        known: bytes | EmptyDataType = EmptyData,
        seen_at: float | None = None,
    ) -> CallState:
        """Look at a call, and leave all that is stored of it in place.

        Args:
            invoker: The invoker of its queue.
            task_id: Its identifier.
            known: Its result, where it was read before.
            seen_at: When its message was last seen in the queue, in seconds since the epoch by the invoker's clock.

        Raises:
            QueueReadException: The queue or the result store could not be asked.
            DecodeError: What is stored as its result is damaged, or that of another command.
        """
        queue, store, now = leased_queue_of(invoker), invoker.result_store, invoker.now()
        was_purged = False
        try:
            message, record = _look(queue, store, task_id)
            if record is EmptyData:
                record = known
            if message is not None:
                seen_at = now
            elif record is EmptyData and queue is not None and store is not None and seen_at is not None:
                with suppress(Unsupported):
                    was_purged = purged_since(invoker, queue, store, seen_at)
        except QueueException:
            raise
        except Exception as error:
            raise QueueReadException(f"the state of {task_id} could not be read: {error}") from error
        header = None if record is EmptyData else read_result(record)[0]
        if header is not None and header.task_id != task_id:
            raise DecodeError(f"the stored result is that of another command, not of {task_id}")
        return cls(message, header, record, seen_at, was_purged)

    @property
    def status(self) -> CallStatus:
        """Where the call is. A message that is in the queue goes before a result: that of an earlier try, as a rule."""
        if self.message is not None:
            return CallStatus(self.message.state)
        if self.header is None:
            return CallStatus.DELETED if self.was_purged else CallStatus.UNKNOWN
        # A later version may know more.
        return _OF_RESULT.get(str(self.header.state), CallStatus.UNKNOWN)

    def info(self, invoker: InvokerLike, task_id: str) -> CallInfo:
        """What is known of the call.

        Raises:
            DecodeError: Its error is written with a serializer that is not accepted.
        """
        status, message, header = self.status, self.message, self.header
        enqueued_at = ended_at = error = None
        deliveries = 0
        if message is not None:
            written = read_header(message.data)
            enqueued_at, deliveries = written.enqueued_at, written.retried + message.attempt
            if message.state is State.DEAD:
                ended_at, error = message.due, CallError("", message.reason)
        elif self.was_purged:
            error = _described(error_of_purge(task_id))
        if header is None or not status.has_ended:
            # What is stored of an earlier end says nothing of a message that is there again.
            return CallInfo(status, enqueued_at, None, ended_at, deliveries, error)
        return CallInfo(
            status,
            header.enqueued_at if enqueued_at is None else enqueued_at,
            header.began_at,
            header.ended_at if ended_at is None else ended_at,
            header.deliveries or deliveries,
            self._error(invoker, task_id),
        )

    def _error(self, invoker: InvokerLike, task_id: str) -> CallError | None:
        if self.header is None or self.header.state == "ok" or self.record is EmptyData:
            return None
        try:
            decode_result(invoker.accepted, task_id, self.record, invoker.max_body_size)
        except CommandError as error:
            return CallError(error.type_name, error.message)
        except CommandException as error:
            return _described(error)
        return None


def _described(error: CommandException) -> CallError:
    return CallError(dotted_name(type(error)), str(error))


def _look(
    queue: LeasedQueue | None, store: BaseDataStore | None, task_id: str
) -> tuple[StoredMessage | None, bytes | EmptyDataType]:
    # A store from which a value can only be taken tells nothing.
    if store is not None:
        with suppress(Unsupported):
            return (None, store.peek(task_id)) if queue is None else queue.find_with_result(task_id, store, task_id)
    found = [] if queue is None else queue.find([task_id])
    return (found[0] if found else None), EmptyData
