"""What is known of a task: its message, a record of its runs, and a record of its end.

A task that waits is in the queue and nowhere else: its message is its record. So a result is there as soon as its
message is, in the same step, and for as long as it waits, be that longer than results are kept.

The result store holds two records of a task, both for as long as results are kept. That of its runs is written when one
begins, and is what a worker that was killed leaves behind. That of its end is written in the same step with the ack, or
with the burial of the message. As they have keys of their own, the one cannot overwrite the other, whoever comes late.

Where a task stands, the queue knows; when its message is gone, it has ended.
"""

from __future__ import annotations

import copy
import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.tasks.base import TaskError, TaskResultStatus

from huey_core.backends import Capability, EmptyData, ResultWrite, State
from huey_core.exceptions import CommandError, CommandException, DataStoreGetException, QueueException
from huey_core.invoker import decode_result, encode_value
from huey_core.names import dotted_name
from huey_django.tasks.command import TaskCommand
from huey_django.tasks.state import change, dump, load, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from huey_core.backends import EmptyDataType, StoredMessage
    from huey_core.invoker import Invoker
    from huey_django.tasks.state import AnyResult

__all__ = ["Records"]

RUNS: Final = "django-task-runs:"
"""What the key of the record of a task's runs begins with; the id of the task follows."""

END: Final = "django-task:"
"""What the key of the record of a task's end begins with; the id of the task follows."""

ON_ITS_WAY: Final = 5.0
"""Seconds within which a record follows a burial, where a reader can see the one before the other."""


class Records:
    """The records in an invoker's result store.

    Args:
        invoker: The invoker.

    Attributes:
        kept: Whether there is a store that can keep them.
    """

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._store = invoker.result_store
        self.kept = self._store is not None and Capability.LOCKS in self._store.capabilities

    def begin(self, command: TaskCommand) -> bool:
        """Take up a run: note it in the command's result, and in the store.

        Returns:
            Whether the task is to be run. It is not if it has ended already, because this consumer has lost its lease,
            or because one died between the writing of a result and the ack, where these are not one step.

        Raises:
            Exception: The store could not be written.
        """
        result, now = command.data, moment(self._invoker.now())
        carried = copy.copy(result)
        end = runs = found = None
        while True:
            _note_run(result, _latest(end, carried, runs), now)
            if not self.kept or self._swap(result, found):
                return True
            data, end_data = self._peek(RUNS + result.id, END + result.id)
            found = None if data is EmptyData else data
            runs, end = self._read(RUNS, result.id, data), self._read(END, result.id, end_data)
            if end is not None and self._is_over(end):
                return False

    def end(self, command: TaskCommand) -> ResultWrite | None:
        """The record of a task's end, to be written together with the ack; ``None`` where none are kept.

        Raises:
            EncodeError: The serializer cannot carry what the task returned.
        """
        if self._store is None or not self.kept:
            return None
        key, ttl = END + command.task_id, command.options.result_ttl
        value = encode_value(self._invoker.serializer, key, dump(command.data), self._invoker.max_body_size)
        return ResultWrite(self._store, key, value, self._ttl(ttl))

    def find(self, result_id: str) -> AnyResult | None:
        """What is known of a task of the invoker's queue, or ``None`` if there is no such task.

        Args:
            result_id: Its id.

        Raises:
            DataStoreGetException: A server did not answer.
            CommandNotFound: The task cannot be imported here.
        """
        end = self._end(result_id)
        if end is not None and end.status == TaskResultStatus.SUCCESSFUL:
            return end
        for stored in _stored(self._invoker, result_id):
            command = self._invoker.codec.decode(stored.data)
            return self._combine(stored, command) if isinstance(command, TaskCommand) else None
        # Whatever has ended until now is in the store.
        return self._end(result_id)

    def _combine(self, stored: StoredMessage, command: TaskCommand) -> AnyResult:
        """What a message that was found says, together with the records, which are read after it."""
        result = command.data
        runs_data, end_data = self._peek(RUNS + result.id, END + result.id)
        end = self._read(END, result.id, end_data)
        if end is None and stored.state is State.DEAD:
            end = self._await_end(stored)
        if end is not None and (stored.state is State.DEAD or end.status == TaskResultStatus.SUCCESSFUL):
            return end
        latest = _latest(end, result, self._read(RUNS, result.id, runs_data))
        change(
            result,
            status=TaskResultStatus.RUNNING if stored.state is State.RUNNING else TaskResultStatus.READY,
            started_at=latest.started_at,
            last_attempted_at=latest.last_attempted_at,
            worker_ids=latest.worker_ids,
            errors=latest.errors,
        )
        if stored.state is State.DEAD:
            # Nobody was left to write a record, or it is forgotten already.
            path = dotted_name(CommandException)
            why = TaskError(exception_class_path=path, traceback=f"{stored.detail}{path}: {stored.reason}\n")
            change(
                result,
                status=TaskResultStatus.FAILED,
                finished_at=moment(stored.due),
                errors=[*result.errors, why],
            )
        return result

    def _await_end(self, stored: StoredMessage) -> AnyResult | None:
        """The record of an end that was buried just now: MongoDB keeps it with the dead letter for a moment."""
        with _driver_errors(stored.message_id):
            now = self._invoker.leased_queue.now() if self._invoker.leased_queue else self._invoker.now()
            if (stored.due or 0.0) > now - ON_ITS_WAY and stored.detail:
                self._invoker.results.wait(END + stored.message_id, ON_ITS_WAY)
        return self._end(stored.message_id)

    def _is_over(self, end: AnyResult) -> bool:
        """Whether a run would be one too many. A failed task may run again: its dead letter can be replayed."""
        if end.status == TaskResultStatus.SUCCESSFUL or self._invoker.leased_queue is None:
            return True
        return all(stored.state is State.DEAD for stored in _stored(self._invoker, end.id))

    def _swap(self, result: AnyResult, found: bytes | None) -> bool:
        """Write the record of the runs, unless it is no longer the one that was found."""
        key = RUNS + result.id
        runs = {name: value for name, value in dump(result).items() if name not in {"args", "kwargs"}}
        data = encode_value(self._invoker.serializer, key, runs, self._invoker.max_body_size)
        store, ttl = self._invoker.results, self._ttl(None)
        return store.put_if_absent(key, data, ttl) if found is None else store.replace_if_equal(key, found, data, ttl)

    def _ttl(self, wanted: float | None) -> float | None:
        if not self._invoker.results_expire:
            return None
        return self._invoker.result_ttl if wanted is None else wanted

    def _end(self, result_id: str) -> AnyResult | None:
        [data] = self._peek(END + result_id)
        return self._read(END, result_id, data)

    def _peek(self, *keys: str) -> list[bytes | EmptyDataType]:
        with _driver_errors(keys[0].partition(":")[2]):
            return self._invoker.results.peek_many(list(keys))

    def _read(self, prefix: str, result_id: str, data: bytes | EmptyDataType) -> AnyResult | None:
        if data is EmptyData:
            return None
        try:
            return load(
                decode_result(self._invoker.accepted, prefix + result_id, data, self._invoker.max_body_size), result_id
            )
        except CommandError:
            # The store refused a record, and the consumer wrote this in its place. The dead letter says why.
            return None


def _latest(end: AnyResult | None, carried: AnyResult, runs: AnyResult | None) -> AnyResult:
    """Who knows most of a task's runs.

    A record is written when a run begins, the message when it ends and is to be followed by another, and the record of
    the end when none follows. Of those that know equally many runs, the last in this order knows how they ended.
    """
    return max((one for one in (end, carried, runs) if one is not None), key=lambda one: len(one.worker_ids))


def _note_run(result: AnyResult, latest: AnyResult, now: datetime | None) -> None:
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{threading.current_thread().name}"
    change(
        result,
        status=TaskResultStatus.RUNNING,
        started_at=latest.started_at or now,
        last_attempted_at=now,
        worker_ids=[*latest.worker_ids, worker_id],
        errors=list(latest.errors),
    )


def _stored(invoker: Invoker, result_id: str) -> list[StoredMessage]:
    queue = invoker.leased_queue
    with _driver_errors(result_id):
        return [] if queue is None else queue.find([result_id])


@contextmanager
def _driver_errors(result_id: str) -> Iterator[None]:
    try:
        yield
    except QueueException:
        raise
    except Exception as error:
        raise DataStoreGetException(f"the result of {result_id} could not be read: {error}") from error
