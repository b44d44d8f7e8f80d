"""When a schedule is due, in the form in which a task store keeps it: core's own kinds, as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from huey_core.commands.crontab import crontab
from huey_core.commands.schedules import Every, Schedule, every
from huey_core.exceptions import ConfigurationError

__all__ = ["read_schedule", "stored_form"]

_FIELDS: Final = crontab(minute="*").fields.keys() | {"tz"}
_LINE: Final = frozenset({"line", "tz"})


def stored_form(schedule: object) -> dict[str, Any]:
    """Write a schedule as JSON.

    Raises:
        ConfigurationError: It is none of core's.
    """
    if isinstance(schedule, crontab):
        when = schedule.fields if schedule.line is None else {"line": schedule.line}
        return {"crontab": {**when, "tz": schedule.tz}}
    if isinstance(schedule, Every):
        return {"every": schedule.period.total_seconds()}
    if isinstance(schedule, str):
        raise ConfigurationError(f"a schedule is no text: a line of cron is read by crontab.parse({schedule!r})")
    if isinstance(schedule, int | float | timedelta):
        raise ConfigurationError(f"a schedule is not {schedule!r}: a period is every({schedule!r})")
    raise ConfigurationError(
        f"a schedule that is kept in the task store is a crontab(...) or an every(...), and not {schedule!r}: other "
        "processes read it, and do not have your code; declare a command with it: @periodic_command(invoker, ...)"
    )


def read_schedule(stored: object) -> Schedule:
    """Read what :func:`stored_form` has written.

    Raises:
        ConfigurationError: It cannot be read: a later version may have written it.
    """
    match stored:
        case {"crontab": dict(given)}:
            fields: dict[str, Any] = given
            if fields.keys() == _FIELDS:
                return crontab(**fields)
            if fields.keys() == _LINE:
                return crontab.parse(**fields)
        case {"every": float() | int() as seconds}:
            return every(seconds)
    raise ConfigurationError(f"no schedule that is known here: {stored!r}")
