"""The core's decorators, without the invoker: it is the project's, made from the settings when it is first needed."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, Self, TypeVar, Unpack, overload

from huey_core import decorators as core
from huey_core.decorators import CommandFunction, crontab, every
from huey_core.exceptions import ConfigurationError
from huey_core.invoker import DeferredInvoker
from huey_django.conf import HueySettings
from huey_django.invokers import get_invoker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from huey_core.commands import FunctionCommand, GivenOptions, Schedule
    from huey_core.invoker import AsyncData

__all__ = ["DjangoCommandFunction", "crontab", "every", "periodic_command", "queue_command"]

P = ParamSpec("P")
R = TypeVar("R")
Handle = TypeVar("Handle")

PROJECT: Final = DeferredInvoker(get_invoker, plugins=lambda: HueySettings.load().invoker["plugins"])


class DjangoCommandFunction(CommandFunction[P, R, Handle]):
    """A decorated function of a Django project."""

    def using(self, /, *, on_commit: bool | str | None = None, **options: Unpack[GivenOptions]) -> Self:
        """The same function with other options, for one call: ``send.using(on_commit=False)(to)``.

        Args:
            on_commit: As for :func:`queue_command`.
            options: Any options of :class:`~huey_core.commands.CommandOptions`.

        Raises:
            ConfigurationError: An option is unknown or its value cannot be used.
            Unsupported: The queue cannot honour it.
        """
        _check_on_commit(on_commit)
        waits = self
        if on_commit is not None:
            waits = type(self)(self._source, self.function, _committing(self.command_class, on_commit), self._overrides)
        return super(DjangoCommandFunction, waits).using(**options)


class DjangoDecorator(Protocol):
    """What :func:`queue_command` returns where it is called with options; whether results are kept, settings say."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> DjangoCommandFunction[P, Coroutine[Any, Any, R], AsyncData[R] | None]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> DjangoCommandFunction[P, R, AsyncData[R] | None]: ...


class DjangoPeriodicDecorator(Protocol):
    """What :func:`periodic_command` returns: the same for functions of no arguments."""

    @overload
    def __call__(
        self, function: Callable[[], Coroutine[Any, Any, R]], /
    ) -> DjangoCommandFunction[[], Coroutine[Any, Any, R], AsyncData[R] | None]: ...

    @overload
    def __call__(self, function: Callable[[], R], /) -> DjangoCommandFunction[[], R, AsyncData[R] | None]: ...


@overload
def queue_command(
    function: Callable[P, Coroutine[Any, Any, R]], /
) -> DjangoCommandFunction[P, Coroutine[Any, Any, R], AsyncData[R] | None]: ...


@overload
def queue_command(function: Callable[P, R], /) -> DjangoCommandFunction[P, R, AsyncData[R] | None]: ...


@overload
def queue_command(
    *, name: str | None = None, on_commit: bool | str | None = None, **options: Unpack[GivenOptions]
) -> DjangoDecorator: ...


def queue_command(
    function: Callable[P, R] | None = None,
    /,
    *,
    retries: int = 0,
    name: str | None = None,
    on_commit: bool | str | None = None,
    **options: Any,
) -> Any:
    """Decorate a function so that calling it enqueues a command; with or without parentheses.

    ::

        @queue_command
        def count_words(text): ...

        @queue_command(retries=3, retry_delay=10)
        def send_mail(to, text): ...

    Args:
        function: The function, when there are no parentheses.
        retries: How many more times a command that raised is tried.
        name: The command's registered name; the function's module and qualified name when ``None``.
        on_commit: Inside a transaction, write the command when it is committed, and never if it is rolled back:
            ``True`` for the default database, the alias of another one, or ``False`` to write at once. ``None`` takes
            the setting ``ON_COMMIT``, which is ``True`` unless the project says otherwise.
        options: The other options of :func:`huey_core.queue_command`.

    Raises:
        ConfigurationError: An option is unknown or its value cannot be used.
        CommandConflict: Another function is registered under this name.
    """
    if function is not None and not callable(function):
        raise ConfigurationError(
            f"queue_command takes a function or keyword options, not {function!r}; the invoker is the project's"
        )
    _check_on_commit(on_commit)
    decorate = core.queue_command(PROJECT, retries, name=name, **options)

    def wrap(function: Callable[P, R]) -> DjangoCommandFunction[P, R, Any]:
        return _for_django(decorate(function), on_commit)

    return wrap if function is None else wrap(function)


def periodic_command(
    validate_datetime: Schedule | Callable[[datetime], bool],
    *,
    name: str | None = None,
    missed: str = "skip",
    overlap: str = "allow",
    on_commit: bool | str | None = None,
    **options: Unpack[GivenOptions],
) -> DjangoPeriodicDecorator:
    """Decorate a function of no arguments so that ``run_huey`` runs it by the clock.

    ::

        @periodic_command(crontab(hour=3, minute=0))
        def clean_up(): ...

    Args:
        validate_datetime: When to run: a :class:`~huey_core.commands.Schedule`, as of :func:`crontab` or :func:`every`,
            or a function that says whether to run in the minute that begins at a naive time.
        name: The command's registered name; see :func:`queue_command`.
        missed: What becomes of due times at which no consumer could run it: ``"skip"``, ``"once"`` or ``"all"``.
        overlap: What becomes of a due time at which the run for an earlier one has not ended: ``"allow"``, ``"skip"``.
        on_commit: As for :func:`queue_command`, when the function is called; the clock has no transaction.
        options: The other options of :func:`huey_core.periodic_command`.

    Raises:
        ConfigurationError: An option is unknown or its value cannot be used.
        CommandConflict: Another function is registered under this name.
    """
    _check_on_commit(on_commit)
    decorate = core.periodic_command(PROJECT, validate_datetime, name=name, missed=missed, overlap=overlap, **options)

    def wrap(function: Callable[[], R]) -> DjangoCommandFunction[[], R, Any]:
        return _for_django(decorate(function), on_commit)

    return wrap


def _check_on_commit(value: object) -> None:
    # Whether there is such a database, the settings know, which may not be ready; the system check asks them.
    if not isinstance(value, bool | str | None):
        raise ConfigurationError(f"on_commit is True, False or the alias of a database, not {value!r}")


def _for_django(made: CommandFunction[P, R, Any], on_commit: bool | str | None) -> DjangoCommandFunction[P, R, Any]:
    command_class = made.command_class
    command_class.option_names |= {"on_commit"}
    if on_commit is not None:
        command_class.on_commit = on_commit  # type: ignore[attr-defined]
    return DjangoCommandFunction(PROJECT, made.function, command_class)


def _committing(command_class: type[FunctionCommand[Any]], on_commit: bool | str) -> type[FunctionCommand[Any]]:
    """The same class of commands, with another ``on_commit``. It is not registered: consumers need not know it."""
    body = {"on_commit": on_commit, "command_name": command_class.command_name}
    return types.new_class(
        command_class.__name__, (command_class,), {"declare": False}, lambda names: names.update(body)
    )
