"""What is known of a schedule at one moment, of whichever kind it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from huey_core.invoker.schedules.declared import DeclaredSchedules
from huey_core.invoker.schedules.kept import entry_name
from huey_core.invoker.schedules.last_ticks import LastTicks
from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.commands.periodic import ScheduledEntry
    from huey_core.commands.schedules import Schedule
    from huey_core.features.revocation import RevokingInvoker
    from huey_core.invoker.schedules.kept import KeptSchedule, ScheduleRecord

__all__ = ["ScheduleInfo", "ScheduleState", "schedule_infos"]

log: Final = get_logger(__name__)


class ScheduleState(enum.StrEnum):
    """Whether consumers run a schedule."""

    ACTIVE = "active"
    PAUSED = "paused"
    REVOKED = "revoked"
    """Its command is revoked, so what it enqueues is dropped."""
    UNREADABLE = "unreadable"
    """What is stored cannot be read here; another version may have written it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """A schedule as it was when it was asked for. Times are in seconds since the epoch.

    Attributes:
        name: Its name; of a declared one that of its command.
        command_name: The registered name of the command that it runs; empty where that cannot be read.
        schedule: Says when it is due; ``None`` where that is not known here.
        state: Whether consumers run it.
        is_declared: Whether it is declared in code, and so neither changed nor removed at run time.
        missed: What becomes of ticks that nobody could write: ``"skip"``, ``"once"`` or ``"all"``.
        overlap: What becomes of a tick while the run of an earlier one has not ended: ``"allow"`` or ``"skip"``.
        next_run: When it is due the next time; ``None`` while it is paused, and when it is never due again.
        last_run: The time of its last tick; ``None`` before the first.
    """

    name: str
    command_name: str = ""
    schedule: Schedule | None = None
    state: ScheduleState
    is_declared: bool
    missed: str = "skip"
    overlap: str = "allow"
    next_run: float | None = None
    last_run: float | None = None


def schedule_infos(
    invoker: RevokingInvoker,
    record: ScheduleRecord,
    now: float,
    utc: bool = True,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Iterator[ScheduleInfo]:
    """Look at the schedules of an invoker's queue.

    Args:
        invoker: The invoker.
        record: What is kept of them.
        now: The time, in seconds since the epoch.
        utc: Whether consumers go by UTC, where a declared schedule names no time zone; ``False`` for local time.
        wanted: Says of a name whether that schedule is wanted.

    Raises:
        DataStoreException: What is stored cannot be read.
    """
    content = record.read()
    revoked = invoker.revocations.revoked_commands(now)
    runs = LastTicks(record.store).runs()
    paused = {name for name, state in content.declared.items() if state.is_paused}

    def info(
        name: str, known: KeptSchedule | ScheduledEntry, is_paused: bool, command_name: str | None = None
    ) -> ScheduleInfo:
        is_declared, command_name = command_name is None, command_name or name
        is_revoked = command_name in revoked
        return ScheduleInfo(
            name=name,
            command_name=command_name,
            schedule=known.schedule,
            state=ScheduleState.PAUSED if is_paused else ScheduleState.REVOKED if is_revoked else ScheduleState.ACTIVE,
            is_declared=is_declared,
            missed=known.missed,
            overlap=known.overlap,
            next_run=None if is_paused else _next_run(known.schedule, now),
            last_run=runs.get(name if is_declared else entry_name(invoker.queue.name, name)),
        )

    for name in filter(wanted, content.unreadable):
        yield ScheduleInfo(name=name, state=ScheduleState.UNREADABLE, is_declared=False)
    for name, kept in content.kept.items():
        if wanted(name):
            yield info(name, kept, kept.is_paused, kept.command_name)
    declared = {entry.name: entry for entry in DeclaredSchedules(invoker, utc).entries()}
    for name, entry in declared.items():
        if wanted(name):
            yield info(name, entry, name in paused)
    for name in filter(wanted, paused - declared.keys()):
        # Other processes declare it.
        yield ScheduleInfo(name=name, command_name=name, state=ScheduleState.PAUSED, is_declared=True)


def _next_run(schedule: Schedule, now: float) -> float | None:
    try:
        due = schedule.next_after(datetime.fromtimestamp(now, UTC))
        return None if due is None else due.timestamp()
    except Exception as error:  # noqa: BLE001 - a schedule may be the application's code
        log.warning("%r could not say when it is due: %s", schedule, error_line(error))
        return None
