"""A task with the options of a command.

From Django 6.1 on, the decorator takes them: ``@task(retries=3, retry_delay=10)``. On 6.0 it refuses what it does not
know, and they are given with ``using``, for a call or for good::

    send_mail.using(retries=3).enqueue("ada@example.org")

    send_mail = task(send_mail).using(retries=3)

What is not given is as ``OPTIONS`` in the setting ``TASKS`` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from django.tasks.base import Task
from django.tasks.exceptions import InvalidTask

from huey_core.commands import CommandOptions
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import TypeAlias

    AnyTask: TypeAlias = Task[..., Any]
else:
    AnyTask = Task

__all__ = ["COMMAND_OPTIONS", "OPTIONS", "HueyTask", "options_of"]

COMMAND_OPTIONS: Final = (
    "retries",
    "retry_delay",
    "retry_backoff",
    "retry_max_delay",
    "retry_jitter",
    "retry_on",
    "give_up_on",
    "expires",
    "result_ttl",
    "keep_failed",
)
"""The options of a command that a task has, too. Priority is Django's; a unique key would share a result's id."""

OPTIONS: Final = (*COMMAND_OPTIONS, "on_commit")
"""What a task has beyond Django's own attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HueyTask(AnyTask):
    """A :class:`django.tasks.Task` with the options of :class:`~huey_core.commands.CommandOptions`.

    Attributes:
        on_commit: As for :func:`huey_django.queue_command`.

    Raises:
        InvalidTask: The value of an option cannot be used, or the backend cannot honour it.
    """

    retries: int | None = None
    retry_delay: float | timedelta | None = None
    retry_backoff: float | None = None
    retry_max_delay: float | timedelta | None = None
    retry_jitter: float | None = None
    retry_on: Any = None
    give_up_on: Any = None
    expires: float | timedelta | None = None
    result_ttl: float | timedelta | None = None
    keep_failed: bool | None = None
    on_commit: bool | str | None = None

    def __post_init__(self) -> None:
        given = options_of(self)
        on_commit = given.pop("on_commit", None)
        if not isinstance(on_commit, bool | str | None):
            raise InvalidTask(f"on_commit must be True, False or the alias of a database, not {on_commit!r}")
        try:
            checked = CommandOptions.build(**given)
        except ConfigurationError as error:
            raise InvalidTask(str(error)) from error
        for name in given:
            # In the form in which they travel, so that a task that comes back with its result is the same one.
            object.__setattr__(self, name, getattr(checked, name))
        # Not super(): a class with slots is made twice, and super() would mean the first one.
        Task.__post_init__(self)

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | None = None,
        backend: str | None = None,
        **options: Any,
    ) -> HueyTask:
        """The same task with other values, where they are not ``None``.

        Args:
            priority: As Django has it.
            queue_name: As Django has it.
            run_after: As Django has it.
            backend: As Django has it.
            options: The attributes of this class.

        Raises:
            InvalidTask: A value cannot be used.
            TypeError: There is no such option.
        """
        values = {"priority": priority, "queue_name": queue_name, "run_after": run_after, "backend": backend, **options}
        return replace(self, **{name: value for name, value in values.items() if value is not None})


def options_of(task: AnyTask) -> dict[str, Any]:
    """The options beyond Django's that a task was given; a task of another class has none."""
    named = ((name, getattr(task, name, None)) for name in OPTIONS)
    return {name: value for name, value in named if value is not None}
