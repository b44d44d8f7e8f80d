"""Running tasks: what is done around a :class:`~huey_django.tasks.command.TaskCommand`, as hooks of its invoker.

Django's signals are sent here. What a receiver raises is logged, and harms neither the caller nor the task:

* ``task_enqueued`` when the message was written, which is after the commit for a task that waited for one. A consumer
  may be so quick that its ``task_started`` comes first;
* ``task_started`` in the worker, at the beginning of every attempt;
* ``task_finished`` in the worker, when the task has ended for good, just before that is written.
"""

from __future__ import annotations

from asyncio import CancelledError
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from django.tasks.base import TaskContext, TaskError, TaskResultStatus
from django.tasks.signals import task_enqueued, task_finished, task_started

from huey_core.commands import Execution
from huey_core.exceptions import EncodeError
from huey_core.hookspecs import hookimpl
from huey_core.invoker import run_until_done, run_what_follows, traceback_of_command, write_result
from huey_core.names import dotted_name
from huey_core.safe_logging import get_logger
from huey_core.text import traceback_of, traceback_text
from huey_core.unicode import escape_surrogates
from huey_django.tasks.command import TaskCommand
from huey_django.tasks.records import Records
from huey_django.tasks.state import as_json, change, moment

if TYPE_CHECKING:
    from types import TracebackType

    from django.dispatch import Signal

    from huey_core.backends import ResultWrite
    from huey_core.commands import QueueCommand
    from huey_core.invoker import Invoker
    from huey_django.invoker import DjangoInvoker
    from huey_django.tasks.state import AnyResult

__all__ = ["TASK_HOOKS", "TaskHooks", "run_now", "with_task_hooks"]

log: Final = get_logger(__name__)

KEPT_ERRORS: Final = 20
"""The most errors of one task that are kept, the latest: a message carries those of all attempts before it."""


class TaskHooks:
    """Runs tasks, and writes what becomes of them. Other commands pass by."""

    @hookimpl
    def huey_after_enqueue(self, command: QueueCommand) -> None:
        if isinstance(command, TaskCommand):
            _send(task_enqueued, command.data)

    @hookimpl
    def huey_execute(self, invoker: Invoker, command: QueueCommand) -> Execution | None:
        if not isinstance(command, TaskCommand):
            return None
        # The traceback of a failure begins in the task.
        __tracebackhide__ = True
        result = command.data
        try:
            command.ended_before = not Records(invoker).begin(command)
        except Exception:
            # It is known here, and will be written with the outcome.
            log.warning("%r is run although its beginning could not be written", command, exc_info=True)
        if command.ended_before:
            log.info("%r has ended already and is not run again", command)
            return Execution()
        _send(task_started, result)
        try:
            returned = _call(result)
        except CancelledError as error:
            # Not an Exception, and nobody but the task itself can have asked for it.
            raise RuntimeError("the coroutine was cancelled") from error
        value = _carried(command, returned)
        change(result, status=TaskResultStatus.SUCCESSFUL, finished_at=moment(invoker.now()), _return_value=value)
        return Execution(value)

    @hookimpl(tryfirst=True)
    def huey_retry_delay(self, command: QueueCommand, error: BaseException) -> None:
        # For the message that a retry will write. Whether there is one, others decide.
        if isinstance(command, TaskCommand):
            _note(command, error)

    @hookimpl
    def huey_store_result(self, invoker: Invoker, command: QueueCommand, execution: Execution) -> ResultWrite | None:
        if not isinstance(command, TaskCommand) or command.ended_before:
            return None
        if execution.error is not None:
            _fail(invoker, command, execution.error)
        if execution.dropped:
            _send(task_finished, command.data)
        return Records(invoker).end(command)

    @hookimpl
    def huey_command_succeeded(self, command: QueueCommand) -> None:
        if isinstance(command, TaskCommand) and not command.ended_before:
            _send(task_finished, command.data)

    @hookimpl
    def huey_command_failed(self, invoker: Invoker, command: QueueCommand, error: BaseException) -> None:
        if isinstance(command, TaskCommand):
            _fail(invoker, command, error)
            # The error is being handled, so the log entry that Django makes of this has its traceback.
            BaseException.with_traceback(error, _from_task_on(command.data, error))
            _send(task_finished, command.data)


TASK_HOOKS: Final = TaskHooks()


def with_task_hooks(invoker: DjangoInvoker) -> DjangoInvoker:
    """Let the consumers of an invoker run tasks, and return it.

    Raises:
        QueueException: One of its other plugins cannot be used.
    """
    invoker.plugins.register(TASK_HOOKS, "huey_django.tasks")
    return invoker


def run_now(invoker: Invoker, command: TaskCommand) -> AnyResult:
    """Run a task in the caller, as ``ALWAYS_EAGER`` asks; delays are not waited for.

    Returns:
        Its result, also when it raised.
    """
    [message] = invoker.prepare([command])
    _send(task_enqueued, command.data)
    ran, outcome, _ = run_until_done(invoker, message.data)
    if outcome.result is not None:
        write_result(outcome.result)
    run_what_follows(invoker, outcome)
    result: AnyResult = ran.data
    return result


def _call(result: AnyResult) -> Any:
    context = [TaskContext(task_result=result)] if result.task.takes_context else []
    # Copies, because the next try begins with what was passed, whatever this one does to it.
    args, kwargs = deepcopy(result.args), deepcopy(result.kwargs)
    try:
        return result.task.call(*context, *args, **kwargs)
    except BaseException as error:
        error.__traceback__ = _from_task_on(result, error)
        raise


def _carried(command: TaskCommand, returned: Any) -> Any:
    """What a task returned, as JSON has it.

    Raises:
        EncodeError: JSON does not have it. The task has done its work, and nobody tries again what raises this. The
            result tells what Django's own backends tell, which is the error behind it.
    """
    try:
        return as_json(returned)
    except (TypeError, ValueError, RecursionError) as error:
        refused = EncodeError(f"JSON cannot carry what the task returned: {error}")
        _note(command, refused, shown=error)
        raise refused from error


def _note(command: TaskCommand, error: BaseException, shown: BaseException | None = None) -> None:
    """Add an error to the result's list, unless it is the last there; ``shown`` is what stands there in its place."""
    if command.noted is error:
        return
    command.noted = error
    shown = shown or error
    traceback = _traceback(command.data, shown)
    errors = [*command.data.errors, TaskError(exception_class_path=dotted_name(type(shown)), traceback=traceback)]
    change(command.data, errors=errors[-KEPT_ERRORS:])


def _fail(invoker: Invoker, command: TaskCommand, error: BaseException) -> None:
    _note(command, error)
    if command.data.status != TaskResultStatus.FAILED:
        finished_at = moment(invoker.now())
        change(command.data, status=TaskResultStatus.FAILED, finished_at=finished_at, _return_value=None)


def _traceback(result: AnyResult, error: BaseException) -> str:
    return escape_surrogates(traceback_text(error, _from_task_on(result, error)))


def _from_task_on(result: AnyResult, error: BaseException) -> TracebackType | None:
    """The traceback of an error from the task's function on: what is before it tells nobody anything."""
    code = getattr(result.task.func, "__code__", None)
    frame = traceback_of(error)
    while frame is not None and frame.tb_frame.f_code is not code:
        frame = frame.tb_next
    return frame or traceback_of_command(error)


def _send(signal: Signal, result: AnyResult) -> None:
    signal.send_robust(type(result.task.get_backend()), task_result=result)
