"""What a task store keeps of schedules: those that were made at run time, and which declared ones are paused.

All of a queue are one JSON value, which is changed by compare-and-swap: two processes that change it at once lose
nothing. What another version has written is kept as it is when the value is changed, and of an entry only those fields
are read that are known here. An entry that cannot be read concerns nobody but the schedule that it is of: it is not due
for this process, and others may know more.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from huey_core.backends.json_value import JSONValue
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.schedules.stored import read_schedule
from huey_core.message import read_header
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.codec import CommandCodec
    from huey_core.commands.options import OptionTable
    from huey_core.commands.schedules import Schedule

__all__ = [
    "MAX_NAME",
    "MAX_SIZE",
    "MOST_SCHEDULES",
    "SCHEDULE_HEADER",
    "DeclaredState",
    "KeptSchedule",
    "ScheduleContent",
    "ScheduleRecord",
    "check_choice",
    "check_schedule_name",
    "entry_name",
    "stored_message",
]

MOST_SCHEDULES: Final = 1000
"""The most schedules of a queue that are made at run time."""

MAX_SIZE: Final = 256 * 2**10
"""The most bytes that they take together, arguments included: every consumer reads them after each change."""

MAX_NAME: Final = 100
"""The most characters of a schedule's name."""

RESUMED_REMEMBERED: Final = 7 * 86400.0
"""Seconds for which it is remembered when a declared schedule was resumed; no tick is made up for that is older."""

CHOICES: Final = {"missed": ("skip", "once", "all"), "overlap": ("allow", "skip")}
"""What may become of ticks that nobody could write, and of those that come while an earlier run has not ended."""

LATEST: Final = 253_402_300_799
"""The last time that a date can be of, in seconds since the epoch."""

SCHEDULE_HEADER: Final = "huey-schedule"
"""The header of a command that says by which kept schedule it runs."""

_KEPT: Final = "kept"
_DECLARED: Final = "declared"

Content = dict[str, Any]
"""The value as it is stored: under ``kept`` and ``declared`` an object for each schedule, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSchedule:
    """A schedule that was made at run time.

    Attributes:
        schedule: Says when it is due.
        message: The command that runs then, as the codec writes it.
        options: Options of the call that are of no use to whoever runs it, so that no message carries them.
        since: No tick of an earlier time is made up for: when it was made, changed or resumed the last time, in seconds
            since the epoch.
        missed: What becomes of ticks that nobody could write; see :class:`~huey_core.PeriodicQueueCommand`.
        overlap: What becomes of a tick while the run of an earlier one has not ended; see there too.
        is_paused: Whether it writes no ticks until it is resumed.
    """

    schedule: Schedule
    message: bytes
    options: Mapping[str, Any]
    since: float
    missed: str = "skip"
    overlap: str = "allow"
    is_paused: bool = False

    @property
    def command_name(self) -> str:
        """The registered name of the command."""
        return read_header(self.message).command_name

    def make_command(self, codec: CommandCodec, table: OptionTable) -> QueueCommand:
        """Make the command of a run: a call with an id of its own, which was not enqueued yet.

        Args:
            codec: Reads the message.
            table: The options that commands may have here; others are left out.

        Raises:
            DecodeError: The message cannot be read here.
            CommandNotFound: The command is not registered here.
            ConfigurationError: An option has a value that cannot be used here.
        """
        command = codec.decode(self.message)
        command.task_id = command.create_id()
        command.override_checked({**command.overrides, **table.check_known(self.options)})
        command.retries = command.options.retries
        command.enqueued_at = None
        return command

    @classmethod
    def of_entry(cls, entry: Any) -> KeptSchedule:
        """Read what is stored.

        Raises:
            ValueError: It cannot be read: somebody else may have written it, or a later version.
        """
        match entry:
            case {"schedule": stored, "message": str(message), "since": since} if _is_time(since):
                pass
            case _:
                raise ValueError("it is no object with schedule, message and since")
        options, is_paused = entry.get("options", {}), entry.get("paused", False)
        if not isinstance(options, dict) or type(is_paused) is not bool:
            raise ValueError(f"options are {options!r} and paused is {is_paused!r}")
        return cls(
            schedule=read_schedule(stored),
            message=base64.b64decode(message, validate=True),
            options=options,
            since=float(since),
            missed=check_choice("missed", entry.get("missed", "skip")),
            overlap=check_choice("overlap", entry.get("overlap", "allow")),
            is_paused=is_paused,
        )


@dataclass(frozen=True, slots=True)
class DeclaredState:
    """What was said at run time of a periodic command that is declared in code.

    Attributes:
        is_paused: Whether it writes no ticks until it is resumed.
        since: When that was said, in seconds since the epoch: no tick of an earlier time is made up for.
    """

    is_paused: bool
    since: float

    @classmethod
    def of_entry(cls, entry: Any) -> DeclaredState | None:
        """Read what is stored; ``None`` where it cannot be read."""
        match entry:
            case {"is_paused": bool(is_paused), "since": since} if _is_time(since):
                return cls(is_paused, float(since))
        return None


@dataclass(frozen=True, slots=True)
class ScheduleContent:
    """What is stored, as far as it can be read here.

    Attributes:
        kept: The schedules that were made at run time, by their names.
        unreadable: Of those that cannot be read here, why.
        declared: What was said of declared ones, by the names of their commands.
    """

    kept: Mapping[str, KeptSchedule] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, DeclaredState] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Content) -> ScheduleContent:
        """Read all entries of a value."""
        kept, unreadable = {}, {}
        for name, entry in _entries(content, _KEPT).items():
            # As for whoever changes it, that is none.
            if entry is None:
                continue
            try:
                kept[name] = KeptSchedule.of_entry(entry)
            except ValueError as error:
                unreadable[name] = str(error)
        states = {name: DeclaredState.of_entry(entry) for name, entry in _entries(content, _DECLARED).items()}
        return cls(kept, unreadable, {name: state for name, state in states.items() if state is not None})


class ScheduleRecord:
    """The value in which the schedules of a queue are.

    Args:
        store: The task store. It must have :attr:`Capability.LOCKS`.
        queue_name: The name of the queue: one store may be that of several.
    """

    def __init__(self, store: BaseDataStore, queue_name: str) -> None:
        self.store = store
        self.key = f"schedules:{queue_name}"
        self._value: JSONValue[Content] = JSONValue(store, self.key, {})

    def peek(self) -> bytes | EmptyDataType:
        """The stored bytes, by which a change is known."""
        return self.store.peek(self.key)

    def read(self, stored: bytes | EmptyDataType | None = None) -> ScheduleContent:
        """Read the schedules, or those in what :meth:`peek` has returned.

        Raises:
            DataStoreGetException: The value cannot be read, or the store not be asked.
        """
        return ScheduleContent.of(self._value.read() if stored is None else self._value.decode(stored))

    def change_kept(self, name: str, change: Callable[[Any], Any], *, is_bounded: bool = False) -> None:
        """Replace the entry of a schedule by what a function makes of it.

        Args:
            name: The schedule's name.
            change: Takes the entry as it is stored, or ``None`` where there is none, and returns another, or ``None``
                for no entry. It may be called several times; what it raises leaves the value as it is.
            is_bounded: Whether it is refused beyond the bounds. A pause and a removal never are.

        Raises:
            ConfigurationError: There would be too many schedules, or too large ones.
            DataStoreException: The value cannot be read or written.
        """

        def changed(entries: dict[str, Any]) -> dict[str, Any]:
            new = change(entries.pop(name, None))
            return entries if new is None else {**entries, name: new}

        self._change(_KEPT, changed, is_bounded=is_bounded)

    def pause_declared(self, command_name: str, is_paused: bool, now: float) -> None:
        """Pause a declared schedule or resume it, if it is not so already, at ``now`` (seconds since the epoch)."""

        def changed(entries: dict[str, Any]) -> dict[str, Any]:
            state = DeclaredState.of_entry(entries.pop(command_name, None))
            if (state is not None and state.is_paused) is not is_paused:
                state = DeclaredState(is_paused, now)
            if state is not None:
                entries[command_name] = asdict(state)
            return {name: entry for name, entry in entries.items() if not _is_over(entry, now)}

        self._change(_DECLARED, changed)

    def _change(
        self, part: str, change: Callable[[dict[str, Any]], dict[str, Any]], *, is_bounded: bool = False
    ) -> None:
        def changed(before: Content) -> Content:
            after = {**before, part: change(dict(_entries(before, part)))}
            if is_bounded:
                _check_bounds(after)
            return after

        self._value.change(changed)


def _is_time(value: object) -> bool:
    """Whether what is stored as a time can be one, in seconds since the epoch."""
    return type(value) in {int, float} and 0 <= cast("float", value) <= LATEST


def _is_over(entry: Any, now: float) -> bool:
    """Whether a declared schedule was resumed so long ago that nothing is made up for of the time before."""
    state = DeclaredState.of_entry(entry)
    return state is not None and not state.is_paused and state.since < now - RESUMED_REMEMBERED


def entry_name(queue_name: str, name: str) -> str:
    """What a schedule is called among all that is scheduled: one store may be that of several queues."""
    return f"schedule:{queue_name}:{name}"


def check_choice(name: str, value: object) -> str:
    """Return what is chosen of :data:`CHOICES`, or refuse what is none of them.

    Raises:
        ConfigurationError: The message says what can be chosen.
    """
    if value not in CHOICES[name]:
        *others, last = map(repr, CHOICES[name])
        raise ConfigurationError(f"{name} must be {', '.join(others)} or {last}, not {value!r}")
    return str(value)


def stored_message(message: bytes) -> str:
    """A message as it is stored in JSON."""
    return base64.b64encode(message).decode("ascii")


def check_schedule_name(name: object) -> None:
    """Refuse what is no name for a schedule.

    Raises:
        ConfigurationError: The message says what a name may be.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"a schedule's name must be a text, not {name!r}")
    check_unicode("a schedule's name", name)
    if not name.isprintable() or name != name.strip() or not 1 <= len(name) <= MAX_NAME:
        raise ConfigurationError(
            f"{name[: MAX_NAME + 1]!r} is no name for a schedule: that is 1 to {MAX_NAME} printable characters, and "
            "no space at either end"
        )


def _entries(content: Content, part: str) -> dict[str, Any]:
    found = content.get(part, {})
    return found if isinstance(found, dict) else {}


def _check_bounds(content: Content) -> None:
    if len(_entries(content, _KEPT)) > MOST_SCHEDULES:
        raise ConfigurationError(
            f"a queue keeps {MOST_SCHEDULES:,} schedules at the most: remove one, or have one schedule whose command "
            "finds out what there is to do"
        )
    size = len(json.dumps(content))
    if size > MAX_SIZE:
        raise ConfigurationError(
            f"the schedules of a queue take {size:,} bytes with this one, and may take {MAX_SIZE:,}: keep the data "
            "elsewhere, and pass a reference to it as the argument"
        )
