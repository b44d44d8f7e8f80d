"""Running a coroutine to its end, in a thread that has to wait for it."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from contextvars import Context

__all__ = ["EVENT_LOOP", "run_to_end"]

R = TypeVar("R")

EVENT_LOOP: Final[ContextVar[asyncio.AbstractEventLoop]] = ContextVar("huey_core.event_loop")
"""The event loop of the worker pool whose thread runs a command that is not a coroutine function."""

_UNSET: Final = object()


def run_to_end(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end and, as far as others can tell, in this context.

    It is run in :data:`EVENT_LOOP` if there is one, so that what belongs to that can be used; else in an event loop of
    its own.

    Raises:
        BaseException: What the coroutine raises.
    """
    # Most programs that enqueue never need it, and it takes longer to import than all of this package.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    # A task cannot enter a context in which its thread is already.
    context = copy_context()
    home = EVENT_LOOP.get(None)

    def run() -> R:
        with asyncio.Runner() as runner:
            return runner.run(coroutine, context=context)

    is_in_loop = False
    with suppress(RuntimeError):
        is_in_loop = asyncio.get_running_loop().is_running()
    try:
        if is_in_loop:
            # A command that is run at once may be called in a coroutine, and a thread has room for one running loop.
            with ThreadPoolExecutor(1, "huey-eager") as thread:
                return thread.submit(run).result()
        return run() if home is None else _run_in(home, coroutine, context)
    finally:
        for variable, value in context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)


def _run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, R], context: Context) -> R:
    """Run a coroutine in the event loop of another thread, and wait for its end."""
    from concurrent.futures import Future

    ended: Future[R] = Future()
    # An event loop does not keep its tasks.
    tasks: list[asyncio.Task[None]] = []

    async def run() -> None:
        try:
            value = await coroutine
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            ended.set_exception(error)
        else:
            ended.set_result(value)

    loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(run(), context=context)))
    return ended.result()
