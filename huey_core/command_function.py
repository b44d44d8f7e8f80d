"""A decorated function, as the application calls it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Set
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Self, TypeVar, Unpack

from huey_core.commands.local_time import to_epoch
from huey_core.commands.option_checks import MAX_SECONDS, find_exceptions, seconds
from huey_core.commands.registry import CommandRegistry, default_registry
from huey_core.commands.signature import check_unique_key, is_bound_in_a_class
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.invoker import Invoker

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from huey_core.commands.function_command import FunctionCommand
    from huey_core.commands.options import CommandOptions, GivenOptions
    from huey_core.invoker.deferred import DeferredInvoker

__all__ = ["CommandFunction", "registry_of"]

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
        registry, command_name = registry_of(self._source), self.command_class.command_name
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


def registry_of(invoker: Invoker | DeferredInvoker) -> CommandRegistry:
    """Where the commands of an invoker are registered."""
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
