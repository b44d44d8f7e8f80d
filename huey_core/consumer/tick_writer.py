"""Ticks: every due time of a periodic command is run once, however many consumers there are.

A tick, the pair of an entry and a due time, is a message whose unique key is the tick. Every consumer writes every
tick, and the queue lets one through: there is no leader to elect or to lose. Times are those of the queue's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.commands.schedules import next_due
from huey_core.consumer.due_times import due_now
from huey_core.consumer.queue_schedules import QueueSchedules
from huey_core.exceptions import CommandRejected, DataStoreException, MessageTooLarge, QueueWriteException
from huey_core.invoker.schedules.declared import DeclaredSchedules
from huey_core.invoker.schedules.last_ticks import LastTicks
from huey_core.invoker.schedules.overlap import OneAtATime
from huey_core.safe_logging import get_logger
from huey_core.text import is_users_interrupt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.base import PeriodicQueueCommand, QueueCommand
    from huey_core.commands.periodic import EntrySource, ScheduledEntry
    from huey_core.commands.schedules import Schedule
    from huey_core.invoker.invoker import Invoker

__all__ = ["TickWriter"]

log: Final = get_logger(__name__)

MINUTE: Final = 60

RUNS_NOTED: Final = 5.0
"""The least seconds between two writes of what ran, for schedules that are due more often."""

TICK_REMEMBERED: Final = 3600.0
"""Seconds for which a tick that was written keeps others from writing it again."""


@dataclass(slots=True)
class _Progress:
    """How far a writer is with an entry; the times are in seconds since the epoch."""

    schedule: Schedule
    dealt_with: float | None
    look_at: float
    """Before that, nothing is due."""


class TickWriter:
    """Writes the ticks that are due, and what is to be made up for of those that were missed.

    Args:
        invoker: The invoker to whose queue they are written.
        utc: Whether schedules that name no time zone go by UTC; ``False`` for local time.
        sources: What has entries beside the schedules of the invoker's queue.

    Attributes:
        may_change: Whether others may change these schedules at run time, so that it is worth to look again soon.
    """

    def __init__(self, invoker: Invoker, utc: bool = True, sources: Sequence[EntrySource] = ()) -> None:
        self._invoker = invoker
        self._log = log.with_fields(queue=invoker.queue.name)
        self._declared = DeclaredSchedules(invoker, utc)
        scheduled = QueueSchedules(invoker, self._declared)
        self._sources: tuple[EntrySource, ...] = (scheduled, *sources)
        self.may_change = scheduled.may_change
        self._last_ticks = LastTicks(_locking(invoker.task_store))
        self._progress: dict[str, _Progress] = {}
        self._dealt_with: float | None = None
        self._noted: int | None = None
        self._runs: dict[str, float] = {}
        self._runs_noted = float("-inf")
        self._claimed: set[str] = set()

    def commands(self) -> list[type[PeriodicQueueCommand]]:
        """The periodic commands of this queue that the registry knows."""
        return self._declared.commands()

    def entries(self) -> list[ScheduledEntry]:
        """All that is scheduled here now."""
        return [entry for source in self._sources for entry in source.entries()]

    def next_due(self, now: float) -> float:
        """When to write again, in seconds since the epoch: at the next due time, and at the next minute at the latest.

        Args:
            now: The time; what is due at it is left to :meth:`write`.
        """
        looks = [_following_minute(now)]
        for entry in self.entries():
            known = self._progress_of(entry).look_at
            looks.append(known if known > now else self._next_due(entry, now))
        return min(looks)

    def write(self, now: float) -> int:
        """Write what is due at ``now`` (seconds since the epoch), and return how many ticks this call wrote.

        An entry that cannot be written for a reason of its own is logged and left out.

        Raises:
            Exception: The queue or the task store did not answer. Every entry has had its turn, and the next call
                tries again what was not written.
        """
        if self._dealt_with is not None and now < self._dealt_with:
            # The clock was set back, and what comes by it is due as if nothing had been written.
            self._progress, self._dealt_with, self._noted = {}, None, None
            self._runs_noted = float("-inf")
        entries = self.entries()
        minute = int(now) // MINUTE * MINUTE
        made_up_for = [entry.name for entry in entries if entry.missed != "skip"] if minute != self._noted else []
        last_ticks = self._last_ticks.read(made_up_for)
        self._progress = {entry.name: self._progress_of(entry) for entry in entries}
        written = 0
        outage: Exception | None = None
        for entry in entries:
            progress = self._progress[entry.name]
            if progress.look_at > now:
                continue
            try:
                for due in self._due(entry, progress, now, last_ticks.get(entry.name)):
                    if self._write_tick(entry, due):
                        written += 1
                        self._runs[entry.name] = due
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                outage = error
            else:
                progress.dealt_with = now
                progress.look_at = self._next_due(entry, now)
        if outage is not None:
            raise outage
        self._dealt_with = now
        self._claimed.clear()
        self._note(made_up_for, minute, now)
        return written

    def _note(self, made_up_for: Sequence[str], minute: int, now: float) -> None:
        """Remember until when all was dealt with, once a minute, and what ran."""
        runs: dict[str, float] = {}
        if now - self._runs_noted >= RUNS_NOTED:
            runs, self._runs = self._runs, {}
        if minute != self._noted or runs:
            self._last_ticks.note(made_up_for, int(now), runs)
            self._noted = minute
        if runs:
            self._runs_noted = now

    def _progress_of(self, entry: ScheduledEntry) -> _Progress:
        known = self._progress.get(entry.name)
        if known is not None and known.schedule == entry.schedule:
            return known
        return _Progress(entry.schedule, self._dealt_with, float("-inf"))

    def _due(self, entry: ScheduledEntry, progress: _Progress, now: float, known: float | None) -> list[float]:
        dealt_with = progress.dealt_with
        if entry.since is not None:
            dealt_with = entry.since if dealt_with is None else max(entry.since, dealt_with)
        try:
            return due_now(entry.schedule, entry.missed, now, dealt_with, known)
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            self._log.exception("%s could not say when it is due", entry.name, extra={"command": entry.name})
            return []

    def _next_due(self, entry: ScheduledEntry, now: float) -> float:
        """When to look at an entry again; of one that cannot say when, at the next minute."""
        try:
            due = next_due(entry.schedule, now)
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            # It has been logged where it was asked what is due.
            return _following_minute(now)
        return float("inf") if due is None else due

    def _write_tick(self, entry: ScheduledEntry, due: float) -> bool:
        name, due = entry.name, int(due) if due.is_integer() else due
        tick, fields = f"tick:{name}:{due}", {"command": name}
        unique = Capability.UNIQUE in self._invoker.queue.capabilities
        if not unique and not self._claim(tick):
            return False
        try:
            command = entry.make_command()
            one_at_a_time = OneAtATime.of(self._invoker) if entry.overlap == "skip" else None
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            self._log.exception("could not enqueue %s, due at %s", name, _utc(due), extra=fields)
            return False
        if one_at_a_time is not None and not self._is_let_through(one_at_a_time, entry, due, command):
            return False
        shown, fields["task_id"] = command, command.task_id
        try:
            command.mark_tick(due, (tick, TICK_REMEMBERED) if unique else None)
            created = self._invoker.write_many([command])[0].created
        except CommandRejected as error:
            self._log.info("a plugin rejected %s, due at %s: %s", shown, _utc(due), error, extra=fields)
            created = False
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            if isinstance(error, QueueWriteException | DataStoreException) and not isinstance(error, MessageTooLarge):
                raise
            self._log.exception("could not enqueue %s, due at %s", shown, _utc(due), extra=fields)
            created = False
        self._claimed.discard(tick)
        return created

    def _is_let_through(
        self, one_at_a_time: OneAtATime, entry: ScheduledEntry, due: float, command: QueueCommand
    ) -> bool:
        """Whether a tick is written beside what runs; its command then has the id that all consumers give it."""
        decision, before = one_at_a_time.decide(entry.name, due, command.task_id)
        if decision.due == due and not decision.skips:
            command.task_id = decision.message_id
            return True
        if before is not None:
            # A long run makes a line for the first tick that it costs, and not for each.
            write = self._log.debug if before.skips else self._log.info
            text = "%s, due at %s, is skipped: its run for %s (%s) has not ended"
            shown = entry.name, _utc(due), _utc(decision.let_through), decision.message_id
            write(text, *shown, extra={"command": entry.name, "task_id": decision.message_id})
        return False

    def _claim(self, tick: str) -> bool:
        """Whether this writer is the one to write a tick to a queue that has no unique keys."""
        store = _locking(self._invoker.task_store)
        if store is None or tick in self._claimed:
            return True
        if not store.put_if_absent(tick, b"", TICK_REMEMBERED):
            return False
        # Until it is written, so that the claim does not stand in the way of trying again.
        self._claimed.add(tick)
        return True


def _following_minute(now: float) -> float:
    return now // MINUTE * MINUTE + MINUTE


def _utc(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"


def _locking(store: BaseDataStore | None) -> BaseDataStore | None:
    return store if store is not None and Capability.LOCKS in store.capabilities else None
