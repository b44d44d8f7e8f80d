"""What is scheduled in a queue now: by the code, and by what is kept in the task store."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.commands.periodic import ScheduledEntry
from huey_core.exceptions import DataStoreGetException
from huey_core.invoker.schedules.kept import ScheduleContent, ScheduleRecord, entry_name
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.backends.base import EmptyDataType
    from huey_core.commands.periodic import EntrySource
    from huey_core.invoker.invoker import Invoker
    from huey_core.invoker.schedules.kept import KeptSchedule

__all__ = ["QueueSchedules"]

log: Final = get_logger(__name__)


class QueueSchedules:
    """The schedules of an invoker's queue, as a source of entries: those that are not paused.

    When the task store was read once and does not answer later, what it had said holds; nothing is due before it has
    answered, because it says what is paused.

    Args:
        invoker: The invoker.
        declared: What is scheduled by the code.
    """

    def __init__(self, invoker: Invoker, declared: EntrySource) -> None:
        self._invoker = invoker
        self._log = log.with_fields(queue=invoker.queue.name)
        self._declared = declared
        store = invoker.task_store
        keeps = store is not None and Capability.LOCKS in store.capabilities
        self._record = ScheduleRecord(store, invoker.queue.name) if store is not None and keeps else None
        self._stored: bytes | EmptyDataType | None = None
        self._content = ScheduleContent()
        self._is_failing = False
        self._reported: set[tuple[str, str]] = set()

    @property
    def may_change(self) -> bool:
        """Whether others may change what is scheduled, so that it is worth to ask again and again."""
        return self._record is not None

    def entries(self) -> Iterator[ScheduledEntry]:
        """What is scheduled now.

        Raises:
            Exception: The task store did not answer, and never has.
        """
        content = self._read()
        for entry in self._declared.entries():
            state = content.declared.get(entry.name)
            if state is None:
                yield entry
            elif not state.is_paused:
                yield replace(entry, since=state.since)
        for name, kept in content.kept.items():
            if not kept.is_paused and self._is_known(name, kept):
                yield ScheduledEntry(
                    name=entry_name(self._invoker.queue.name, name),
                    schedule=kept.schedule,
                    make_command=partial(kept.make_command, self._invoker.codec, self._invoker.command_options),
                    missed=kept.missed,
                    overlap=kept.overlap,
                    since=kept.since,
                )

    def _read(self) -> ScheduleContent:
        if self._record is None:
            return self._content
        try:
            stored = self._record.peek()
        except Exception as error:
            if self._stored is None:
                raise
            self._report_failure(error)
            return self._content
        if stored == self._stored:
            self._is_failing = False
            return self._content
        self._stored = stored
        try:
            self._content = self._record.read(stored)
        except DataStoreGetException as error:
            self._report_failure(error)
            return self._content
        self._is_failing = False
        there = {*self._content.kept, *self._content.unreadable}
        self._reported = {each for each in self._reported if each[0] in there}
        for name, reason in self._content.unreadable.items():
            self._report(name, f"what is stored of it cannot be read here: {reason}")
        return self._content

    def _report_failure(self, error: Exception) -> None:
        if not self._is_failing:
            self._log.warning(
                "the schedules cannot be read, so those go on that were read before: %s", error_line(error)
            )
        self._is_failing = True

    def _is_known(self, name: str, kept: KeptSchedule) -> bool:
        command_name = kept.command_name
        if command_name in self._invoker.registry:
            return True
        self._report(
            name, f"no command {command_name!r} is registered here; it is left to consumers that know the command"
        )
        return False

    def _report(self, name: str, problem: str) -> None:
        """Log what is wrong with a schedule, once."""
        if (name, problem) not in self._reported:
            self._reported.add((name, problem))
            self._log.warning("the schedule %r is not run by this consumer: %s", name, problem)
