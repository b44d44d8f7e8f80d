"""What most applications need to decorate functions: ``queue_command``, ``periodic_command``, ``crontab``, ``every``.

The first two take the invoker, or a :class:`~huey_core.invoker.DeferredInvoker` where it is made later.
"""

from __future__ import annotations

import inspect
import types
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, Unpack, overload

from huey_core.command_function import CommandFunction, registry_of
from huey_core.commands.base import PeriodicQueueCommand
from huey_core.commands.crontab import crontab
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.schedules import Schedule, every
from huey_core.commands.signature import Signature, check_unique_key, name_of, python_function
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.deferred import DeferredInvoker
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.schedules.overlap import OneAtATime
from huey_core.invoker.typing import StoreT_co
from huey_core.names import dotted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.options import GivenOptions, OtherOptions
    from huey_core.invoker.results import AsyncData


__all__ = ["CommandFunction", "crontab", "every", "periodic_command", "queue_command"]

P = ParamSpec("P")
R = TypeVar("R")


class CommandDecorator(Protocol[StoreT_co]):
    """What :func:`queue_command` returns. What it decorates returns, when called, what the invoker's type says.

    The handle of an ``async def`` is on what awaiting the function gives.
    """

    @overload
    def __call__(
        self: CommandDecorator[BaseDataStore], function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> CommandFunction[P, Coroutine[Any, Any, R], AsyncData[R]]: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self: CommandDecorator[BaseDataStore], function: Callable[P, R], /
    ) -> CommandFunction[P, R, AsyncData[R]]: ...

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> CommandFunction[P, Coroutine[Any, Any, R], AsyncData[R] | None]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> CommandFunction[P, R, AsyncData[R] | None]: ...


class PeriodicDecorator(Protocol[StoreT_co]):
    """What :func:`periodic_command` returns: the same for functions of no arguments."""

    @overload
    def __call__(
        self: PeriodicDecorator[BaseDataStore], function: Callable[[], Coroutine[Any, Any, R]], /
    ) -> CommandFunction[[], Coroutine[Any, Any, R], AsyncData[R]]: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self: PeriodicDecorator[BaseDataStore], function: Callable[[], R], /
    ) -> CommandFunction[[], R, AsyncData[R]]: ...

    @overload
    def __call__(
        self, function: Callable[[], Coroutine[Any, Any, R]], /
    ) -> CommandFunction[[], Coroutine[Any, Any, R], AsyncData[R] | None]: ...

    @overload
    def __call__(self, function: Callable[[], R], /) -> CommandFunction[[], R, AsyncData[R] | None]: ...


def queue_command(
    invoker: Invoker[StoreT_co] | DeferredInvoker[StoreT_co],
    retries: int = 0,
    retry_delay: float | timedelta = 0,
    *,
    name: str | None = None,
    **options: Unpack[OtherOptions],
) -> CommandDecorator[StoreT_co]:
    """Decorate a function so that calling it enqueues a command for the consumer.

    ::

        @queue_command(invoker, retries=3, retry_delay=10, retry_backoff=2)
        def send_mail(to, text): ...

    Args:
        invoker: The invoker to enqueue with, or a deferred one.
        retries: How many more times a command that raised is tried.
        retry_delay: The pause before the first retry, in seconds or as a timedelta.
        name: The command's registered name; the function's module and qualified name when ``None``. Producers and
            consumers must agree on it. A ``functools.partial`` or an object with ``__call__`` needs one.
        options: Other options of core, see :data:`~huey_core.commands.CORE_OPTIONS`, or of a plugin of the invoker; of
            a deferred one, of an installed plugin or one that it names.

    Returns:
        A decorator that makes a :class:`CommandFunction`.

    Raises:
        ConfigurationError: An option is unknown, its value cannot be used, two contradict each other, or what is
            decorated is no function, a generator function, or a command already.
        Unsupported: The queue cannot honour an option.
        CommandConflict: Another function is registered under this name.
    """
    body = _bound("queue_command", invoker, {"retries": retries, "retry_delay": retry_delay, **options})

    def decorate(function: Callable[P, R]) -> CommandFunction[P, R, Any]:
        _check_function("queue_command", function, name)
        command_class = _command_class(FunctionCommand, function, name, body)
        registry_of(invoker).register(command_class)
        return CommandFunction(invoker, function, command_class)

    return decorate


def periodic_command(
    invoker: Invoker[StoreT_co] | DeferredInvoker[StoreT_co],
    validate_datetime: Schedule | Callable[[datetime], bool],
    *,
    name: str | None = None,
    missed: str = "skip",
    overlap: str = "allow",
    **options: Unpack[GivenOptions],
) -> PeriodicDecorator[StoreT_co]:
    """Decorate a function of no arguments so that the consumer runs it by the clock.

    ::

        @periodic_command(invoker, crontab(hour=3, minute=0))
        def clean_up(): ...

    However many consumers run, it runs once at each due time.

    Args:
        invoker: The invoker whose consumers run it, or a deferred one.
        validate_datetime: When to run: a :class:`~huey_core.commands.Schedule`, as of :func:`crontab` or :func:`every`,
            or a function that says whether to run in the minute that begins at a naive time, in UTC or local by the
            consumer's ``UTC`` setting.
        name: The command's registered name; see :func:`queue_command`.
        missed: What becomes of due times at which no consumer could run it: ``"skip"``, ``"once"`` or ``"all"``.
        overlap: What becomes of a due time at which the run for an earlier one has not ended, be it that it is still
            waiting: ``"allow"`` runs both, ``"skip"`` leaves it out. Calls of the function are not looked at.
        options: As for :func:`queue_command`.

    Returns:
        A decorator that makes a :class:`CommandFunction`; calling the function enqueues it at once.

    Raises:
        ConfigurationError: As for :func:`queue_command`, or the function needs an argument.
        Unsupported: As for :func:`queue_command`, or ``overlap="skip"`` cannot be kept with this queue and task store.
    """
    bound = _bound("periodic_command", invoker, options)
    body = {**bound, "missed": missed, "overlap": overlap, **_timing(validate_datetime)}
    if overlap == "skip" and isinstance(invoker, Invoker) and not invoker.always_eager:
        queue = bound["defaults"].queue
        OneAtATime.of(invoker if queue is None else invoker.on_queue(queue))

    def decorate(function: Callable[[], R]) -> CommandFunction[[], R, Any]:
        _check_function("periodic_command", function, name)
        try:
            Signature(function).check((), {})
        except TypeError as error:
            raise ConfigurationError(f"nobody calls a periodic command with arguments, but {error}") from None
        command_class = _command_class(PeriodicFunctionCommand, function, name, body)
        registry_of(invoker).register(command_class)
        return CommandFunction(invoker, function, command_class)

    return decorate


class PeriodicFunctionCommand(FunctionCommand[Any], PeriodicQueueCommand, declare=False):
    """A run of a function that was decorated with :func:`periodic_command`."""


def _timing(given: object) -> dict[str, Any]:
    """What the class of a periodic command has from what says when it runs."""
    timing: dict[str, Any] = {}
    if isinstance(given, type):
        raise ConfigurationError(
            f"validate_datetime is a class, where one of its objects is meant: {given.__name__}(...)"
        )
    if isinstance(given, Schedule):
        timing["schedule"] = given
    elif not callable(given):
        hint = ""
        if isinstance(given, str):
            hint = f"; a line of cron is read by crontab.parse({given!r})"
        elif isinstance(given, int | float | timedelta):
            hint = f"; a period is every({given!r})"
        raise ConfigurationError(
            f"validate_datetime must be a schedule, such as crontab(), or a function of a datetime, not {given!r}{hint}"
        )
    if callable(given):
        timing["validate_datetime"] = lambda self, dt: given(dt)
    return timing


def _bound(decorator: str, invoker: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the class of a command has from its invoker; options that its queue cannot honour are refused."""
    if not isinstance(invoker, Invoker | DeferredInvoker):
        raise ConfigurationError(f"{decorator} takes the invoker first, as in @{decorator}(invoker), not {invoker!r}")
    options = invoker.command_options.build(given)
    if isinstance(invoker, Invoker):
        invoker.check_options(options)
    return {"defaults": options, "invoker": invoker}


def _check_function(decorator: str, function: object, name: str | None) -> None:
    """Refuse what is no function, or one whose call only makes something that no serializer carries."""
    if isinstance(function, CommandFunction):
        raise ConfigurationError(f"{function.command_class.command_name} is a command already; decorate its .function")
    if isinstance(function, type) or not callable(function):
        raise ConfigurationError(f"{decorator} decorates a function, not {function!r}")
    if name is None and not (hasattr(function, "__qualname__") and getattr(function, "__module__", None)):
        raise ConfigurationError(
            f"{decorator} decorates a function, not {function!r}, which has no name that consumers could know it by; "
            "give it one with name='...'"
        )
    called = python_function(function)
    if called is not None and (inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called)):
        raise ConfigurationError(
            f"{called.__qualname__}() is a generator, and a call of it runs nothing: let it return what it yields"
        )


def _command_class(
    base: type[FunctionCommand[Any]], function: Callable[..., Any], name: str | None, body: dict[str, Any]
) -> type[FunctionCommand[Any]]:
    check_unique_key(function, body["defaults"])
    # What is called in place of a function has no name of its own, and often a module and a text that are its class's.
    described = function if hasattr(function, "__qualname__") else python_function(function) or function
    attributes = {
        "__doc__": described.__doc__,
        "__module__": described.__module__,
        "__qualname__": getattr(function, "__qualname__", name),
        "command_name": name or dotted_name(function),
        "function": staticmethod(function),
        "signature": Signature(function),
        **body,
    }
    return types.new_class(name_of(function), (base,), {"declare": False}, lambda body: body.update(attributes))
