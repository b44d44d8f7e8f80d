"""What is scheduled by the code: the periodic commands that a registry knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.periodic import ScheduledEntry, is_run_by, periodic_commands
from huey_core.commands.schedules import ByMinute, by_local_time
from huey_core.safe_logging import get_logger
from huey_core.text import is_users_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from huey_core.commands.base import PeriodicQueueCommand
    from huey_core.commands.schedules import Schedule
    from huey_core.hookspecs.protocols import InvokerLike
    from huey_core.safe_logging import SafeLogger

__all__ = ["DeclaredSchedules"]

log: Final = get_logger(__name__)


class DeclaredSchedules:
    """The periodic commands of an invoker's queue, as a source of entries.

    Args:
        invoker: The invoker.
        utc: Whether schedules that name no time zone go by UTC; ``False`` for local time.
    """

    def __init__(self, invoker: InvokerLike, utc: bool = True) -> None:
        self._invoker = invoker
        self._log = log.with_fields(queue=invoker.queue.name)
        self._utc = utc

    def commands(self) -> list[type[PeriodicQueueCommand]]:
        """The classes of these commands."""
        return [one for one in periodic_commands(self._invoker.registry) if is_run_by(one, self._invoker)]

    def entries(self) -> Iterator[ScheduledEntry]:
        """One for each of these commands."""
        for command_class in self.commands():
            yield ScheduledEntry(
                name=command_class.command_name,
                schedule=self._schedule_of(command_class),
                make_command=_maker(command_class),
                missed=command_class.missed,
                overlap=command_class.overlap,
            )

    def _schedule_of(self, command_class: type[PeriodicQueueCommand]) -> Schedule:
        schedule = command_class.schedule
        if schedule is None:
            return ByMinute(_Validates(command_class, self._log), local=not self._utc)
        return schedule if self._utc else by_local_time(schedule)


@dataclass(frozen=True, slots=True)
class _Validates:
    """Asks a command whether it is due; one that cannot say is not."""

    command_class: type[PeriodicQueueCommand]
    log: SafeLogger = field(compare=False)

    def __call__(self, at: datetime) -> bool:
        try:
            return self.command_class().validate_datetime(at)
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            name = self.command_class.command_name
            self.log.exception("%s could not say whether it is due at %s", name, at, extra={"command": name})
            return False


def _maker(command_class: type[PeriodicQueueCommand]) -> Callable[[], PeriodicQueueCommand]:
    return lambda: command_class(((), {}) if issubclass(command_class, FunctionCommand) else None)
