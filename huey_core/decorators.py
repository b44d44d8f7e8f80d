"""What most applications need to decorate functions: ``queue_command``, ``periodic_command``, ``crontab``, ``every``.

The first two take the invoker, or a :class:`~huey_core.invoker.DeferredInvoker` where it is made later.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterable, Mapping, Set
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack, overload

from huey_core.commands.base import PeriodicQueueCommand
from huey_core.commands.crontab import crontab
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.local_time import to_epoch
from huey_core.commands.option_checks import MAX_SECONDS, find_exceptions, seconds
from huey_core.commands.registry import CommandRegistry, default_registry
from huey_core.commands.schedules import Schedule, every
from huey_core.commands.signature import Signature, check_unique_key, is_bound_in_a_class, name_of, python_function
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.deferred import DeferredInvoker
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.overlap import OneAtATime
from huey_core.invoker.typing import StoreT_co
from huey_core.names import dotted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime, timedelta

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.options import CommandOptions, GivenOptions, OtherOptions
    from huey_core.invoker.results import AsyncData


__all__ = ["CommandFunction", "crontab", "every", "periodic_command", "queue_command"]

_NO_ARGUMENTS: Final = (str, bytes, bytearray, Mapping, Set)
"""What can be iterated over and is no list of arguments: one value, or several in no order."""

P = ParamSpec("P")
R = TypeVar("R")
Handle = TypeVar("Handle")
"""What a call returns: an ``AsyncData`` of the function's result, or that or ``None``."""


class CommandFunction(Generic[P, R, Handle]):
    """A decorated function. Calling it enqueues a command; :meth:`call_local` runs the function itself.

    Attributes:
        command_class: The class of its commands.
        function: The function as it was written.
    """

    def __init__(
        self,
        invoker: Invoker | DeferredInvoker,
        function: Callable[P, R],
        command_class: type[FunctionCommand[R]],
        overrides: Mapping[str, Any] | None = None,
        options: CommandOptions | None = None,
    ) -> None:
        # What an object has in its __dict__ is its own, and would hide the methods of this class.
        functools.update_wrapper(self, function, updated=["__dict__"] if type(function) is FunctionType else [])
        self.function = function
        self.command_class = command_class
        self._overrides = overrides or {}
        self._new: Callable[..., FunctionCommand[R]] = command_class
        if options is not None:
            self._new = functools.partial(_new_with_options, command_class, self._overrides, options)
        self._source = invoker
        self._checked: Invoker | None = invoker if isinstance(invoker, Invoker) else None

    def __set_name__(self, owner: type, name: str) -> None:
        """Refuse to be a method, when the class is made.

        Raises:
            ConfigurationError: The function was written in the class, and Python would pass it the object.
        """
        written_in = self.command_class.__module__, self.command_class.__qualname__.rpartition(".")[0]
        if written_in != (owner.__module__, owner.__qualname__) or not is_bound_in_a_class(self.function):
            return
        registry, command_name = _registry(self._source), self.command_class.command_name
        if command_name in registry and registry.get(command_name) is self.command_class:
            registry.unregister(command_name)
        raise ConfigurationError(
            f"{owner.__qualname__}.{name} is a method, and a command is called without self: write @staticmethod above "
            "the decorator, or decorate a function outside of the class"
        )

    @property
    def invoker(self) -> Invoker:
        """The invoker that it was decorated for.

        Raises:
            Unsupported: It was deferred, and its queue cannot honour the command's options.
            ConfigurationError: It was deferred, and its plugins do not offer one of them.
        """
        if isinstance(self._source, Invoker):
            return self._source
        invoker = self._source.get()
        if invoker is not self._checked:
            invoker.check_options(self.command_class.defaults)
            self._checked = invoker
        return invoker

    def _on_queue(self) -> Invoker:
        """The invoker of the queue that calls are written to."""
        invoker, queue = self.invoker, self._overrides.get("queue", self.command_class.defaults.queue)
        return invoker if queue is None else invoker.on_queue(queue)

    # Everything after the slash is the function's own, a parameter that is called self included.
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """Enqueue a call.

        Returns:
            An :class:`~huey_core.AsyncData` with a result store, otherwise ``None``; with ``always_eager`` and
            without a result store, what the function returned.

        Raises:
            TypeError: The function does not take these arguments.
            EncodeError: An argument cannot be carried by the invoker's serializer.
            QueueWriteException: The queue could not be written.
        """
        return self.invoker.enqueue(self._new((args, kwargs)))  # type: ignore[return-value]

    def command(self, /, *args: P.args, **kwargs: P.kwargs) -> FunctionCommand[R]:
        """Make the command of a call without enqueueing it, for :meth:`Invoker.enqueue_many`.

        Arguments may be missing, which is refused when it is enqueued.

        Raises:
            TypeError: The function does not take these arguments, whatever others came with them.
        """
        command = self._new((args, kwargs))
        try:
            command.check_arguments()
        except TypeError:
            self._check_incomplete(command, args, kwargs)
        return command

    def _check_incomplete(self, command: FunctionCommand[R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            command.signature.takes_partial(*args, **kwargs)
        except TypeError:
            # Asked no sooner, because a deferred invoker may not be there yet.
            if self.invoker.check_arguments:
                command.signature.check(args, kwargs, command.is_option)

    def call_local(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now, as if it were not decorated."""
        return self.function(*args, **kwargs)

    def schedule(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        eta: datetime | None = None,
        convert_utc: bool = True,
        *,
        delay: float | timedelta | None = None,
    ) -> Handle:
        """Enqueue a call to be run at a time in the future. A time in the past runs as soon as possible.

        Args:
            args: The arguments of the call.
            kwargs: Its keyword arguments.
            eta: When to run. An aware time is taken as it is. A naive one is local time; of one that occurs twice
                when the clocks go back, the first is meant unless ``fold=1``, and one that the clocks skip is moved
                forward by what they skip.
            convert_utc: ``False`` when a naive ``eta`` is in UTC already.
            delay: Instead of ``eta``: how long from now, in seconds or as a timedelta.

        Returns:
            What a call returns.

        Raises:
            ConfigurationError: The time cannot be used, or what is given is no list of arguments.
            TypeError: The function does not take these arguments.
            Unsupported: The queue cannot delay messages and there is no task store to schedule them in.
        """
        return self.invoker.enqueue(self._scheduled(args, kwargs, eta, convert_utc, delay))  # type: ignore[return-value]

    async def acall(self, /, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """Enqueue a call without blocking the event loop: ``handle = await add.acall(1, 2)``.

        Calls that come together travel in one write, and each caller gets its own handle or its own error; see
        :meth:`Invoker.aenqueue`.

        Returns:
            What a call returns.

        Raises:
            Exception: What a call raises.
        """
        return await (await self._invoker_in_loop()).aenqueue(self._new((args, kwargs)))  # type: ignore[return-value]

    async def aschedule(
        self,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        eta: datetime | None = None,
        convert_utc: bool = True,
        *,
        delay: float | timedelta | None = None,
    ) -> Handle:
        """Do what :meth:`schedule` does without blocking the event loop, as :meth:`acall` does.

        Args:
            args: The arguments of the call.
            kwargs: Its keyword arguments.
            eta: When to run.
            convert_utc: ``False`` when a naive ``eta`` is in UTC already.
            delay: Instead of ``eta``: how long from now, in seconds or as a timedelta.

        Returns:
            What a call returns.

        Raises:
            Exception: What :meth:`schedule` raises.
        """
        invoker = await self._invoker_in_loop()
        return await invoker.aenqueue(self._scheduled(args, kwargs, eta, convert_utc, delay))  # type: ignore[return-value]

    async def _invoker_in_loop(self) -> Invoker:
        if self._checked is not None:
            return self.invoker
        # A deferred one may be about to be made, which imports a driver and plugins.
        import asyncio

        return await asyncio.to_thread(lambda: self.invoker)

    def _scheduled(
        self,
        args: Iterable[Any] | None,
        kwargs: Mapping[str, Any] | None,
        eta: datetime | None,
        convert_utc: bool,
        delay: float | timedelta | None,
    ) -> FunctionCommand[R]:
        if args is not None and (isinstance(args, _NO_ARGUMENTS) or not isinstance(args, Iterable)):
            raise ConfigurationError(f"schedule() takes the arguments as a sequence: args=({args!r},)")
        if kwargs is not None and not isinstance(kwargs, Mapping):
            raise ConfigurationError(f"schedule() takes keyword arguments as a mapping: kwargs={{...}}, not {kwargs!r}")
        if not isinstance(convert_utc, bool):
            raise ConfigurationError(
                f"convert_utc must be True or False, not {convert_utc!r}; how long to wait is given by name: delay=60"
            )
        if eta is not None and delay is not None:
            raise ConfigurationError("schedule() takes either eta= or delay=, not both")
        at = None if eta is None else to_epoch(eta, convert_utc)
        if delay is not None:
            at = self.invoker.now() + seconds("delay", delay, least=-MAX_SECONDS)
        return self._new((tuple(args or ()), dict(kwargs or {})), eta=at)

    def using(self, /, **options: Unpack[GivenOptions]) -> Self:
        """The same function with other options, for one call: ``send.using(priority=5, retries=3)(to)``.

        Args:
            options: Any options of core or of a plugin of the invoker.

        Raises:
            ConfigurationError: An option is unknown, its value cannot be used, or it contradicts another.
            Unsupported: The queue cannot honour it.
        """
        overrides = {**self._overrides, **self.invoker.command_options.check(find_exceptions(options))}
        together = self.command_class.defaults.with_values(overrides)
        together.check_together()
        check_unique_key(self.function, together)
        self.invoker.check_options(together)
        made = type(self)(self._source, self.function, self.command_class, overrides, together)
        # Otherwise an acall() of it would have a thread look up an invoker that is there.
        made._checked = self._checked
        return made

    def revoke(self, revoke_until: datetime | None = None, revoke_once: bool = False) -> None:
        """Keep all calls of this function from running that are in its queue.

        Calls in other queues, which they were written to by ``.using(queue=...)``, go on: revoke those by
        ``function.using(queue=...).revoke()``.

        Args:
            revoke_until: When the revocation ends; naive is local time. ``None``: when it is restored.
            revoke_once: Let it end with the first call that it kept from running.

        Raises:
            ConfigurationError: ``revoke_until`` is no time.
            Unsupported: The invoker has no task store, or one that cannot keep revocations.
        """
        until = None if revoke_until is None else to_epoch(revoke_until, name="revoke_until")
        self._on_queue().revocations.revoke_command(self.command_class.command_name, until, revoke_once)

    def restore(self) -> bool:
        """Take a :meth:`revoke` back, and say whether there was one."""
        return self._on_queue().revocations.restore_command(self.command_class.command_name)

    def is_revoked(self, dt: datetime | None = None) -> bool:
        """Whether calls of this function are revoked, now or at ``dt`` (naive is local time)."""
        now = self.invoker.now() if dt is None else to_epoch(dt, name="dt")
        return self._on_queue().revocations.is_command_revoked(self.command_class.command_name, now)

    def __repr__(self) -> str:
        return f"<command {self.command_class.command_name}>"


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
        _registry(invoker).register(command_class)
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
        _registry(invoker).register(command_class)
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
        hint = f"; a line of cron is read by crontab.parse({given!r})" if isinstance(given, str) else ""
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


def _registry(invoker: Invoker | DeferredInvoker) -> CommandRegistry:
    return invoker.registry if isinstance(invoker, Invoker) else default_registry


def _new_with_options(
    command_class: type[FunctionCommand[R]],
    overrides: Mapping[str, Any],
    options: CommandOptions,
    data: Any,
    eta: float | None = None,
) -> FunctionCommand[R]:
    command = command_class(data, eta=eta)
    command.override_checked(overrides, options)
    return command


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
