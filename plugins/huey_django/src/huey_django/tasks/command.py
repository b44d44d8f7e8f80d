"""The command that runs tasks: there is one for all, which carries the task's path, its arguments and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from huey_core.commands import CommandOptions, QueueCommand
from huey_django.tasks.state import as_json, change, dump, load, moment, new_result, seconds
from huey_django.tasks.task import options_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from huey_django.tasks.state import AnyResult, AnyTask

__all__ = ["TaskCommand"]


class TaskCommand(QueueCommand):
    """A call of a task.

    A retry writes the message anew, and with it who has run the task so far and what was raised, in the same step. A
    run that ended without an outcome, because its worker was killed, has left its trace in the result store.

    Args:
        data: The result, of which a message carries what was known when it was written.
        task_id: As for :class:`~huey_core.QueueCommand`; so are the others. It is the id of the result.

    Attributes:
        on_commit: Which transaction it waits for, if it is not the one that the settings say.
        noted: The error that is the last in the result's list.
        ended_before: Whether it was found to have ended before it could be run here.
    """

    command_name: ClassVar[str] = "huey_django.task"
    # Its result is written by huey_django.tasks.running.
    defaults: ClassVar[CommandOptions] = CommandOptions(store_result=False)
    data: AnyResult
    on_commit: bool | str

    def __init__(self, data: AnyResult, task_id: str | None = None, **settings: Any) -> None:
        super().__init__(data, task_id, **settings)
        change(data, id=self.task_id)
        self.noted: BaseException | None = None
        self.ended_before = False

    @classmethod
    def of(cls, task: AnyTask, args: Any, kwargs: Any, alias: str, defaults: Mapping[str, Any]) -> Self:
        """The command of a call.

        Args:
            task: The task.
            args: Its arguments.
            kwargs: Its keyword arguments.
            alias: The backend's alias.
            defaults: Options for what the task does not say itself.

        Raises:
            TypeError: An argument is nothing that JSON has.
            ValueError: Bytes are not UTF-8.
        """
        options = {**defaults, **options_of(task)}
        on_commit = options.pop("on_commit", None)
        if task.priority:
            options["priority"] = task.priority
        command = cls(
            new_result(task, as_json(args), as_json(kwargs), alias),
            eta=seconds(task.run_after),
            overrides=options,
            # For people, and for plugins that trace: to them all tasks would be one command.
            headers={"task": task.module_path},
        )
        if on_commit is not None:
            command.on_commit = on_commit
        return command

    def logger_name(self) -> str:
        """Return the name of the task's module."""
        return self.data.task.func.__module__

    def to_payload(self) -> dict[str, Any]:
        """What is known of the task, but for how it stands: it is written because it is to run."""
        change(self.data, enqueued_at=moment(self.enqueued_at))
        written = dump(self.data)
        return {name: value for name, value in written.items() if name not in {"status", "finished_at", "value"}}

    @classmethod
    def from_payload(cls, payload: Any) -> AnyResult:
        """Read it again, and find the task."""
        return load(payload, "")

    def __repr__(self) -> str:
        return f"<task {self.data.task.module_path} {self.task_id}>"
