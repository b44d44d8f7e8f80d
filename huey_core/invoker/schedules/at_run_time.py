"""Schedules at run time: what ``invoker.schedules`` is.

A schedule has a name, a command, and says when that runs. Those that are made here are kept in the task store, where
every consumer of the queue finds them; those that are declared in code, by ``periodic_command``, are listed beside them
under the names of their commands.

A pause is no revocation, though both keep commands from running. Several schedules may be of one command, which a
revocation would stop at once, and with it the calls that are made by hand, a run of the paused schedule among them. And
a consumer writes no ticks of a schedule that is paused, while those of a revoked command fill the queue to be dropped.
"""

from __future__ import annotations

import json
from copy import copy
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from huey_core.exceptions import ConfigurationError, DecodeError, ScheduleNotFound
from huey_core.invoker.arguments import check_command
from huey_core.invoker.schedules.declared import DeclaredSchedules
from huey_core.invoker.schedules.info import ScheduleInfo, schedule_infos
from huey_core.invoker.schedules.kept import (
    SCHEDULE_HEADER,
    ScheduleRecord,
    check_choice,
    check_schedule_name,
    stored_message,
)
from huey_core.invoker.schedules.overlap import OneAtATime, OverlapInvoker
from huey_core.invoker.schedules.stored import stored_form
from huey_core.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.codec import CommandCodec
    from huey_core.commands.periodic import ScheduledEntry
    from huey_core.commands.schedules import Schedule
    from huey_core.exceptions import QueueException
    from huey_core.features.revocation import Revocations

__all__ = ["Schedules", "SchedulingInvoker"]

MOST_NAMED: Final = 10
"""How many names of schedules an error lists."""

_UNCHANGED: Final[Any] = object()


class SchedulingInvoker(OverlapInvoker, Protocol):
    """What is needed of an invoker to have schedules."""

    check_arguments: bool
    always_eager: bool
    codec: CommandCodec

    @property
    def revocations(self) -> Revocations:
        """The revocations in its task store."""


@runtime_checkable
class CommandMaker(Protocol):
    """A decorated function, by what makes the command of a call of it."""

    def command(self) -> QueueCommand:
        """Make the command of a call without arguments."""


class Schedules:
    """The schedules of an invoker's queue.

    Every consumer of the queue that runs periodic commands takes part, and each tick is run once.

    Args:
        invoker: The invoker.
        store: Its task store. It must have :attr:`Capability.LOCKS`.

    Attributes:
        record: What the task store keeps of them.
    """

    def __init__(self, invoker: SchedulingInvoker, store: BaseDataStore) -> None:
        self._invoker = invoker
        self.record = ScheduleRecord(store, invoker.queue.name)

    def add(
        self,
        name: str,
        command: QueueCommand | CommandMaker,
        schedule: Schedule,
        *,
        missed: str = "skip",
        overlap: str = "allow",
        paused: bool = False,
        replace: bool = False,
    ) -> None:
        """Have a command run by a schedule, from now on.

        Args:
            name: What it is called among the schedules of the queue: 1 to 100 printable characters.
            command: The command of a call, such as ``report.command("pdf")``, or a decorated function that is called
                without arguments. Its arguments and options are kept as a message of the queue.
            schedule: Says when: a :func:`~huey_core.crontab`, by UTC where it names no time zone, or an
                :func:`~huey_core.every`.
            missed: What becomes of ticks that no consumer could write: ``"skip"``, ``"once"`` or ``"all"``.
            overlap: What becomes of a tick while the run of an earlier one has not ended, be it that it is still
                waiting: ``"allow"`` runs both, ``"skip"`` leaves it out.
            paused: Whether it is paused at first.
            replace: Whether it takes the place of a schedule of this name; by default that is an error.

        Raises:
            ConfigurationError: The name, the command or the schedule cannot be used, there is a schedule of this name,
                or there are too many.
            Unsupported: ``overlap="skip"`` cannot be kept with this queue.
            TypeError: It is no command, or a call that the function does not take.
            EncodeError: An argument cannot be carried by the serializer.
            DataStoreException: What is stored cannot be read, or others change it all the time.
        """
        check_schedule_name(name)
        if self._declared(name) is not None:
            raise ConfigurationError(
                f"{name!r} is the name of a periodic command, which has a schedule of its own: choose another name"
            )
        if not isinstance(paused, bool):
            raise ConfigurationError(f"paused must be True or False, not {paused!r}")
        new = {
            "schedule": stored_form(schedule),
            **self._kept_call(name, command),
            "since": self._now(),
            "missed": check_choice("missed", missed),
            "overlap": self._checked_overlap(overlap),
            "paused": paused,
        }

        def added(entry: Any) -> dict[str, Any]:
            if entry is not None and not replace:
                raise ConfigurationError(
                    f"there is a schedule {name!r} already: change() it, or add it with replace=True"
                )
            return new

        self.record.change_kept(name, added, is_bounded=True)

    def change(
        self,
        name: str,
        *,
        schedule: Schedule = _UNCHANGED,
        command: QueueCommand | CommandMaker = _UNCHANGED,
        missed: str = _UNCHANGED,
        overlap: str = _UNCHANGED,
    ) -> None:
        """Give a schedule another time, another command, or both. What is not given stays as it is.

        What it has enqueued before runs as it was. When ``schedule`` is given, nothing is made up for that was due
        before.

        Raises:
            ScheduleNotFound: There is none of this name.
            ConfigurationError: It is declared in code, or what is given cannot be used.
            Unsupported: ``overlap="skip"`` cannot be kept with this queue.
            TypeError: The command is none, or a call that the function does not take.
            EncodeError: An argument cannot be carried by the serializer.
            DataStoreException: What is stored cannot be read, or others change it all the time.
        """
        fields: dict[str, Any] = {}
        if schedule is not _UNCHANGED:
            fields |= {"schedule": stored_form(schedule), "since": self._now()}
        if command is not _UNCHANGED:
            fields |= self._kept_call(name, command)
        if missed is not _UNCHANGED:
            fields["missed"] = check_choice("missed", missed)
        if overlap is not _UNCHANGED:
            fields["overlap"] = self._checked_overlap(overlap)

        def changed(entry: Any) -> dict[str, Any]:
            return {**_readable(name, entry), **fields}

        self._change_kept(name, "changed", changed, is_bounded=True)

    def pause(self, name: str) -> None:
        """Have a schedule enqueue nothing until it is resumed. What it has enqueued runs.

        Raises:
            ScheduleNotFound: There is none of this name.
            DataStoreException: What is stored cannot be read, or others change it all the time.
        """
        self._pause(name, is_paused=True)

    def resume(self, name: str) -> None:
        """Have a paused schedule go on. Nothing is made up for that was due while it was paused.

        Raises:
            ScheduleNotFound: There is none of this name.
            DataStoreException: What is stored cannot be read, or others change it all the time.
        """
        self._pause(name, is_paused=False)

    def remove(self, name: str) -> None:
        """Forget a schedule. What it has enqueued runs.

        Raises:
            ScheduleNotFound: There is none of this name.
            ConfigurationError: It is declared in code.
            DataStoreException: What is stored cannot be read, or others change it all the time.
        """
        self._change_kept(name, "removed", lambda entry: None)

    def run(self, name: str) -> Any:
        """Enqueue one run of a schedule now, also of one that is paused. Its next tick comes all the same.

        Returns:
            What a call of the command returns: its result can be waited for.

        Raises:
            ScheduleNotFound: There is none of this name.
            CommandNotFound: Its command is not registered in this process.
            DecodeError: What is stored of it, or of its command, cannot be read here.
            QueueException: It could not be enqueued; see :meth:`Invoker.enqueue`.
        """
        content = self.record.read()
        if (reason := content.unreadable.get(name)) is not None:
            raise DecodeError(f"what is stored of the schedule {name!r} cannot be read here: {reason}")
        kept = content.kept.get(name)
        if kept is not None:
            return self._invoker.enqueue(kept.make_command(self._invoker.codec, self._invoker.command_options))
        declared = self._declared(name)
        if declared is None:
            raise self._not_found(name)
        return self._invoker.enqueue(declared.make_command())

    def get(self, name: str, utc: bool = True) -> ScheduleInfo:
        """One schedule, with when it runs next and has run last; see :meth:`list`.

        Raises:
            ScheduleNotFound: There is none of this name.
            DataStoreException: What is stored cannot be read.
        """
        for info in schedule_infos(self._invoker, self.record, self._now(), utc, name.__eq__):
            return info
        raise self._not_found(name)

    def list(self, utc: bool = True) -> list[ScheduleInfo]:
        """All schedules of the queue by name: those that are kept, and those that this process has declared.

        A declared one that this process does not know is there too while it is paused.

        Args:
            utc: Whether consumers go by UTC, as their setting says, where a declared schedule names no time zone;
                ``False`` for local time.

        Raises:
            DataStoreException: What is stored cannot be read.
        """
        found = schedule_infos(self._invoker, self.record, self._now(), utc)
        return sorted(found, key=lambda info: info.name)

    def _now(self) -> float:
        """The time by the clock that consumers go by."""
        queue = self._invoker.leased_queue
        return self._invoker.now() if queue is None else queue.now()

    def _kept_call(self, schedule: str, given: QueueCommand | CommandMaker) -> dict[str, Any]:
        """What is kept of a call: a message as if it had never been enqueued, which does not expire yet."""
        command = given.command() if isinstance(given, CommandMaker) else given
        check_command(command, self._invoker.check_arguments)
        name, queue = command.command_name, command.options.queue
        if command.eta is not None:
            raise ConfigurationError(f"{command!r} has a time of its own; when it runs is for the schedule to say")
        if queue is not None and self._invoker.on_queue(queue) is not self._invoker:
            raise ConfigurationError(
                f"{name} is a command of the queue {queue!r}, whose consumers see to its schedules: use "
                f"invoker.on_queue({queue!r}).schedules"
            )
        table = self._invoker.command_options
        options = {option: value for option, value in command.overrides.items() if not table.find(option).travels}
        for option, value in options.items():
            if not _is_json(value):
                raise ConfigurationError(
                    f"{option}={value!r} of {name} cannot be kept in the task store: give it to the decorator instead"
                )
        kept = copy(command)
        kept.headers = {**command.headers, SCHEDULE_HEADER: schedule}
        kept.enqueued_at, kept.expires_at = self._invoker.now(), None
        return {"message": stored_message(self._invoker.codec.encode(kept)), "options": options}

    def _checked_overlap(self, overlap: str) -> str:
        if check_choice("overlap", overlap) == "skip" and not self._invoker.always_eager:
            OneAtATime.of(self._invoker)
        return overlap

    def _change_kept(self, name: str, done: str, change: Callable[[Any], Any], *, is_bounded: bool = False) -> None:
        def changed(entry: Any) -> Any:
            if entry is None:
                raise self._not_found(name, done)
            return change(entry)

        self.record.change_kept(name, changed, is_bounded=is_bounded)

    def _pause(self, name: str, *, is_paused: bool) -> None:
        now = self._now()

        def changed(entry: Any) -> Any:
            if _readable(name, entry).get("paused", False) is not is_paused:
                return {**entry, "paused": is_paused, "since": now}
            return entry

        content = self.record.read()
        if name in content.kept or name in content.unreadable:
            self._change_kept(name, "paused", changed)
        elif name in content.declared or self._declared(name) is not None:
            self.record.pause_declared(name, is_paused, now)
        else:
            raise self._not_found(name)

    def _declared(self, name: str) -> ScheduledEntry | None:
        return next((entry for entry in DeclaredSchedules(self._invoker).entries() if entry.name == name), None)

    def _not_found(self, name: str, done: str = "") -> QueueException:
        if done and self._declared(name) is not None:
            return ConfigurationError(
                f"{name!r} is declared in code, by periodic_command, and cannot be {done} at run time: change the "
                "code, or pause() it and add() a schedule of the same command"
            )
        content = self.record.read()
        declared = (entry.name for entry in DeclaredSchedules(self._invoker).entries())
        known = sorted({*content.kept, *content.unreadable, *declared})
        hint = did_you_mean(name, known) or (f"; there are {', '.join(known[:MOST_NAMED])}" if known else "")
        return ScheduleNotFound(f"the queue {self._invoker.queue.name!r} has no schedule {name!r}{hint}")


def _readable(name: str, entry: Any) -> dict[str, Any]:
    """An entry of which at least some fields can be read, whatever version wrote it."""
    if not isinstance(entry, dict):
        raise ConfigurationError(f"what is stored of the schedule {name!r} cannot be read: remove() it")
    return entry


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
