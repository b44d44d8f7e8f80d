"""Between a :class:`~django.tasks.TaskResult` and plain values, as messages and the result store carry it.

It is written as an object, in which what is empty is left out:

================= ==========================================================================
``task``          the dotted path of the task
``backend``       the alias in ``TASKS``
``queue``         the name of the queue, as Django has it
``priority``      the priority
``run_after``     the time before which it does not run
``options``       further options of :class:`~huey_django.tasks.task.HueyTask`
``args, kwargs``  the arguments
``status``        ``READY`` where it is left out
``enqueued_at``   when it was enqueued; so ``started_at``, ``last_attempted_at``, ``finished_at``
``worker_ids``    who ran it, in order
``errors``        the errors of its attempts: pairs of the path of an exception's class, and a traceback
``value``         what it returned
================= ==========================================================================

Times are seconds since the epoch (UTC). Nothing in it is code: the path of a task is only followed to a
:class:`~django.tasks.Task`, and the path of an exception's class not at all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.tasks.base import Task, TaskError, TaskResult, TaskResultStatus
from django.utils.json import normalize_json
from django.utils.module_loading import import_string

from huey_core.exceptions import CommandNotFound
from huey_django.tasks.task import OPTIONS, HueyTask, options_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    AnyResult: TypeAlias = TaskResult[..., Any]
    AnyTask: TypeAlias = Task[..., Any]

__all__ = ["as_json", "change", "dump", "load", "moment", "new_result", "return_value", "seconds"]


def moment(seconds: float | None) -> datetime | None:
    """A point in time as Django has it: aware with ``USE_TZ``, and otherwise naive and local."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)


def seconds(moment: datetime | None) -> float | None:
    """Seconds since the epoch."""
    return None if moment is None else moment.timestamp()


def change(result: AnyResult, **values: Any) -> None:
    """Set attributes of a result, which are read-only for everybody but the backend."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def return_value(result: AnyResult) -> Any:
    """What a task returned, also of a result that does not tell because it was not successful."""
    return getattr(result, "_return_value")  # noqa: B009 - the type stubs do not have it


def as_json(value: Any) -> Any:
    """A value as it comes back from JSON, which is how Django says that arguments and values travel.

    A text of a class of its own, such as a member of ``TextChoices``, comes back as a text.

    Raises:
        TypeError: It is nothing that JSON has.
        ValueError: Bytes are not UTF-8.
    """
    return json.loads(json.dumps(normalize_json(value)))


def new_result(task: AnyTask, args: Any, kwargs: Any, backend: str) -> AnyResult:
    """The result of a task that is about to be enqueued, with arguments that JSON has."""
    return TaskResult(
        task=task,
        id="",
        status=TaskResultStatus.READY,
        enqueued_at=None,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(args),
        kwargs=kwargs,
        backend=backend,
        errors=[],
        worker_ids=[],
    )


def dump(result: AnyResult) -> dict[str, Any]:
    """Write a result; see the module."""
    task = result.task
    values = {
        "task": task.module_path,
        "backend": result.backend,
        "queue": task.queue_name,
        "priority": task.priority,
        "run_after": seconds(task.run_after),
        "options": options_of(task),
        "args": result.args,
        "kwargs": result.kwargs,
        "status": result.status.value,
        "enqueued_at": seconds(result.enqueued_at),
        "started_at": seconds(result.started_at),
        "last_attempted_at": seconds(result.last_attempted_at),
        "finished_at": seconds(result.finished_at),
        "worker_ids": result.worker_ids,
        "errors": [[error.exception_class_path, error.traceback] for error in result.errors],
    }
    written = {name: value for name, value in values.items() if value}
    if return_value(result) is not None:
        written["value"] = return_value(result)
    return written


def load(written: Mapping[str, Any], result_id: str) -> AnyResult:
    """Read what :func:`dump` wrote.

    Raises:
        CommandNotFound: Its task is none that this process can import.
        InvalidTask: The backend does not take the task as it was enqueued, or not any more.
        InvalidTaskBackend: This process has no backend of that alias.
        TypeError: It is nothing that :func:`dump` writes; so says ``ValueError``.
    """
    try:
        task = _task(written["task"])
        wanted = {
            "priority": written.get("priority", 0),
            "queue_name": written["queue"],
            "run_after": moment(written.get("run_after")),
            "backend": written["backend"],
        }
        if isinstance(task, HueyTask):
            # A later version may know more of them.
            wanted |= {name: value for name, value in written.get("options", {}).items() if name in OPTIONS}
        changes = {name: value for name, value in wanted.items() if value != getattr(task, name)}
        if changes:
            task = task.using(**changes)
        result = new_result(task, written.get("args", []), written.get("kwargs", {}), written["backend"])
        change(
            result,
            id=result_id,
            status=TaskResultStatus(written.get("status", "READY")),
            enqueued_at=moment(written.get("enqueued_at")),
            started_at=moment(written.get("started_at")),
            last_attempted_at=moment(written.get("last_attempted_at")),
            finished_at=moment(written.get("finished_at")),
            worker_ids=list(written.get("worker_ids", [])),
            errors=[
                TaskError(exception_class_path=path, traceback=traceback)
                for path, traceback in written.get("errors", [])
            ],
            _return_value=written.get("value"),
        )
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    return result


def _task(path: str) -> AnyTask:
    """The task at a path. What a message names is never called, nor used, if it is something else."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise CommandNotFound(f"no task {path!r} can be imported: {error}") from error
    if not isinstance(found, Task):
        raise CommandNotFound(f"{path!r} is no task of django.tasks")
    return found
