"""What an invoker does for tasks of an event loop, which it never keeps waiting."""

from __future__ import annotations

import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from huey_core.commands.coroutines import EVENT_LOOP
from huey_core.invoker.placed import PlacedInvoker
from huey_core.invoker.typing import CommandReturning, StoreT_co

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from huey_core.backends.base import BaseDataStore
    from huey_core.invoker.enqueue_in_loop import WritingInvoker
    from huey_core.invoker.results import AsyncData

__all__ = ["InvokerInLoop"]

R = TypeVar("R")

TURN: Final = 0.002
"""Seconds for which commands are made before the event loop has another turn."""


class InvokerInLoop(PlacedInvoker, Generic[StoreT_co]):
    """The part of an :class:`~huey_core.Invoker` that is called in coroutines."""

    @overload
    async def aenqueue(
        self: InvokerInLoop[BaseDataStore], command: CommandReturning[Coroutine[Any, Any, R]]
    ) -> AsyncData[R]: ...

    @overload
    async def aenqueue(self: InvokerInLoop[BaseDataStore], command: CommandReturning[R]) -> AsyncData[R]: ...

    @overload
    async def aenqueue(self, command: CommandReturning[Coroutine[Any, Any, R]]) -> AsyncData[R] | None: ...

    @overload
    async def aenqueue(self, command: CommandReturning[R]) -> AsyncData[R] | None: ...

    async def aenqueue(self, command: Any) -> Any:
        """Do what :meth:`Invoker.enqueue` does without blocking the event loop.

        The plugins' hooks, the encoding and the write are done in a thread, with the context variables of the caller.
        What tasks of one event loop enqueue together travels in one write, in order, and each caller gets its own
        handle or its own error. An error of the server is that of all whose commands were in the write.

        A caller that is cancelled while the command waits for a write that is not yet under way has enqueued nothing;
        afterwards the command is written all the same. The arguments must not be changed before this returns.

        With ``always_eager`` the command has run when this returns: a coroutine function in the caller's event loop,
        any other in a thread.

        Args:
            command: The command.

        Returns:
            What :meth:`Invoker.enqueue` returns.

        Raises:
            Exception: What :meth:`Invoker.enqueue` raises.
        """
        return (await self.aenqueue_many([command]))[0]

    @overload
    async def aenqueue_many(
        self: InvokerInLoop[BaseDataStore], commands: Iterable[CommandReturning[Coroutine[Any, Any, R]]]
    ) -> list[AsyncData[R]]: ...

    @overload
    async def aenqueue_many(
        self: InvokerInLoop[BaseDataStore], commands: Iterable[CommandReturning[R]]
    ) -> list[AsyncData[R]]: ...

    @overload
    async def aenqueue_many(
        self, commands: Iterable[CommandReturning[Coroutine[Any, Any, R]]]
    ) -> list[AsyncData[R]] | list[None]: ...

    @overload
    async def aenqueue_many(self, commands: Iterable[CommandReturning[R]]) -> list[AsyncData[R]] | list[None]: ...

    async def aenqueue_many(self, commands: Iterable[Any]) -> list[Any]:
        """Do what :meth:`Invoker.enqueue_many` does without blocking the event loop; see :meth:`aenqueue`.

        An iterator is asked for commands in the event loop, which has a turn of its own every few milliseconds. More
        than 500 commands are written by themselves, and nobody else's wait behind them.

        Args:
            commands: The commands.

        Returns:
            What :meth:`Invoker.enqueue_many` returns.

        Raises:
            Exception: What :meth:`Invoker.enqueue_many` raises.
        """
        # Of which this class is a part.
        invoker = cast("WritingInvoker", self)
        batch = await _collect(commands)
        if self.always_eager:
            return await _run_eagerly(lambda: invoker.enqueue_many(batch))
        if not batch:
            return []
        return await self._shared.loop_senders.enqueue(invoker, batch)


async def _collect(commands: Iterable[R]) -> list[R]:
    """Return the items of an iterable, and let the event loop go on meanwhile."""
    if isinstance(commands, list | tuple):
        return list(commands)
    import asyncio

    collected = []
    until = time.monotonic() + TURN
    for command in commands:
        collected.append(command)
        if time.monotonic() >= until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN
    return collected


async def _run_eagerly(run: Callable[[], R]) -> R:
    """Run commands in a thread that knows this event loop, and has coroutines awaited there."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    loop = asyncio.get_running_loop()
    context = copy_context()
    context.run(EVENT_LOOP.set, loop)
    # Not in the loop's threads: a command may wait for others that run so, and all of the threads may be taken by such.
    executor = ThreadPoolExecutor(1, "huey-eager")
    try:
        return await loop.run_in_executor(executor, context.run, run)
    finally:
        executor.shutdown(wait=False)
