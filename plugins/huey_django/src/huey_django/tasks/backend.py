"""The backend that ``TASKS`` names."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.core import checks
from django.tasks import task_backends
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist

from huey_core.backends import Capability
from huey_core.commands import CommandOptions
from huey_core.exceptions import Unsupported
from huey_core.secret import with_secrets_hidden
from huey_django.conf import SettingsError, queues_of_settings, sentence
from huey_django.invokers import DEFAULT_QUEUE, get_invoker, project_invoker
from huey_django.tasks.command import TaskCommand
from huey_django.tasks.options import CHECK_ID, BackendOptions, invokers_at
from huey_django.tasks.records import Records
from huey_django.tasks.running import run_now, with_task_hooks
from huey_django.tasks.task import HueyTask, options_of

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    from django.tasks.base import Task, TaskResult

    from huey_django.invoker import DjangoInvoker
    from huey_django.tasks.state import AnyResult, AnyTask

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["HueyBackend", "invokers_of"]


class HueyBackend(BaseTaskBackend):
    """Runs the tasks of :mod:`django.tasks` through a queue of this project, on whatever server it is.

    The queue ``default`` is the one that the URL or the project names, and another one in ``QUEUES`` is beside it, as
    :func:`~huey_django.get_invoker` has it. Where ``QUEUES`` is left out, it is that one and those in ``SERVE_QUEUES``,
    so that none has to be named twice. Without queues (``QUEUES: []``) a task may name any, and all of them go
    through that first one, so that none is without a consumer.

    Nothing is opened before it is needed, and nothing connects before a task is enqueued or looked up: settings that
    cannot be used are told by ``manage.py check``, and not by the import of a module with tasks.

    Args:
        alias: The alias in ``TASKS``.
        params: What is there under that alias; see :mod:`huey_django.tasks.options` for its ``OPTIONS``.
    """

    task_class = HueyTask
    supports_async_task = True

    is_served_by_run_huey: ClassVar[bool] = True
    """How the settings tell this backend and its subclasses from others, without knowing them."""

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        params = with_secrets_hidden(params)
        super().__init__(alias, params)
        self._given_queues = params.get("QUEUES", [])
        if "QUEUES" not in params and "URL" not in (params.get("OPTIONS") or {}):
            self.queues |= set(queues_of_settings())

    @property
    def supports_defer(self) -> bool:  # type: ignore[override] # the server decides
        """Whether ``run_after`` works."""
        invoker = self._plain_invoker()
        return invoker is None or invoker.task_store is not None or Capability.DELAY in invoker.queue.capabilities

    @property
    def supports_priority(self) -> bool:  # type: ignore[override] # the server decides
        """Whether a task of higher priority goes first."""
        invoker = self._plain_invoker()
        return invoker is None or Capability.PRIORITY in invoker.queue.capabilities

    @property
    def supports_get_result(self) -> bool:  # type: ignore[override] # the server decides
        """Whether results are kept, and waiting tasks can be looked up."""
        invoker = self._plain_invoker()
        if invoker is None:
            return True
        return Records(invoker).kept and (invoker.always_eager or Capability.INSPECT in invoker.queue.capabilities)

    @cached_property
    def backend_options(self) -> BackendOptions:
        """``OPTIONS``, checked.

        Raises:
            SettingsError: One is unknown, or its value cannot be used.
        """
        return BackendOptions.read(self.options)

    def invoker(self, queue_name: str = DEFAULT_QUEUE) -> DjangoInvoker:
        """The invoker of a queue, as it is called in ``QUEUES``.

        Raises:
            SettingsError: The settings cannot be used.
        """
        name = queue_name if queue_name in self.queues else DEFAULT_QUEUE
        url = self.backend_options.url
        return get_invoker(name) if url is None else invokers_at(url).get(name)

    def invokers(self) -> dict[str, DjangoInvoker]:
        """The invokers of all queues by their names in ``QUEUES``, ready for a consumer.

        Raises:
            SettingsError: The settings cannot be used.
        """
        return {name: with_task_hooks(self.invoker(name)) for name in sorted(self.queues or {DEFAULT_QUEUE})}

    def validate_task(self, task: AnyTask) -> None:
        """Refuse a task that this backend cannot run as it is.

        Raises:
            InvalidTask: The message says why.
        """
        super().validate_task(task)
        options, invoker = options_of(task), self._plain_invoker()
        options.pop("on_commit", None)
        if options and invoker is not None:
            try:
                invoker.check_options(CommandOptions.build(**options))
            except Unsupported as error:
                raise InvalidTask(str(error)) from error

    def enqueue(self, task: Task[P, R], args: list[Any], kwargs: dict[str, Any]) -> TaskResult[P, R]:
        """Write a task to its queue, or when the transaction that is open is committed, as commands are.

        Returns:
            Its result. The id is good at once, and :meth:`get_result` knows it when the task is written. With
            ``ALWAYS_EAGER``, the task has run.

        Raises:
            InvalidTask: The backend cannot run it.
            TypeError: An argument is nothing that JSON has. Bytes that are not UTF-8 are a ``ValueError``.
            QueueWriteException: The queue could not be written.
        """
        self.validate_task(task)
        invoker = with_task_hooks(self.invoker(task.queue_name))
        command = TaskCommand.of(task, args, kwargs, self.alias, self.backend_options.for_tasks)
        if invoker.always_eager:
            return cast("TaskResult[P, R]", run_now(invoker, command))
        invoker.enqueue(command)
        return cast("TaskResult[P, R]", command.data)

    def get_result(self, result_id: str) -> AnyResult:
        """What is known of a task. A finished one is known for as long as results are kept (``result_ttl``).

        Raises:
            TaskResultDoesNotExist: There is no such task, not yet or not any more.
            NotImplementedError: There is no store that could keep results, or the queue cannot be inspected.
            CommandNotFound: There is one, but this process cannot import it.
            DataStoreGetException: The server did not answer.
        """
        if not self.supports_get_result:
            return super().get_result(result_id)
        found = (Records(invoker).find(str(result_id)) for invoker in self.invokers().values())
        result = next((one for one in found if one is not None), None)
        if result is None or result.backend != self.alias:
            raise TaskResultDoesNotExist(result_id)
        return result

    def check(self, **_: Any) -> list[checks.CheckMessage]:
        """Report what is wrong with this alias; see :mod:`huey_django.checks` for the identifiers, and for the rest."""
        try:
            if isinstance(self._given_queues, str) or not all(isinstance(name, str) for name in self.queues):
                raise SettingsError("QUEUES is a list of names.", check_id=CHECK_ID)
            options = CommandOptions.build(**self.backend_options.command)
            if _project_is_wrong():
                return []
            self.invoker().check_options(options)
            for name in self.queues:
                self.invoker(name)
        except SettingsError as error:
            return [checks.Error(f"TASKS[{self.alias!r}]: {error.message}", hint=error.hint, id=CHECK_ID)]
        except Unsupported as error:
            return [checks.Error(sentence(f"TASKS[{self.alias!r}]: OPTIONS cannot be used: {error}"), id=CHECK_ID)]
        return []

    def _plain_invoker(self) -> DjangoInvoker | None:
        """The invoker, before any plugin of hooks is loaded; ``None`` when the settings cannot be used."""
        try:
            return self.invoker()
        except SettingsError:
            return None


def invokers_of(alias: str) -> dict[str, DjangoInvoker]:
    """The invokers whose consumers run the tasks of an alias, by the names of its queues.

    Args:
        alias: An alias in ``TASKS``. One whose backend is another has none.

    Raises:
        SettingsError: The settings cannot be used.
        InvalidTaskBackend: There is no such alias, or its backend cannot be imported.
    """
    backend = task_backends[alias]
    return backend.invokers() if isinstance(backend, HueyBackend) else {}


def _project_is_wrong() -> bool:
    """Whether the project's own settings cannot be used, which their own check reports."""
    try:
        project_invoker()
    except SettingsError:
        return True
    return False
