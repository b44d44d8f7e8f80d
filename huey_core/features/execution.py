"""The running of a command: its function is called, and a coroutine that it returns is run to its end."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from contextvars import copy_context
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.context import CURRENT
from huey_core.commands.execution import Execution
from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from huey_core.backends.messages import Delivery
    from huey_core.commands.base import QueueCommand
    from huey_core.hookspecs import InvokerLike
    from huey_core.workers.interruption import Interruption

__all__ = ["Execute"]

_UNSET: Final = object()


class Execute:
    """Runs a command in the thread that is to run it."""

    @hookimpl(trylast=True)
    def huey_execute(self, invoker: InvokerLike, command: QueueCommand) -> Execution:
        _, delivery, _, interruption = CURRENT.get()
        timeout = command.options.timeout
        began = time.perf_counter()
        value = interruption.call(delivery, timeout, command.execute)
        if isinstance(value, CoroutineType):
            # One that was interrupted before it began would otherwise be said not to have been awaited.
            with closing(value) as coroutine:
                run = partial(_run_coroutine, coroutine, delivery, interruption)
                value = interruption.call(delivery, timeout, run)
        return Execution(value, None, False, time.perf_counter() - began)


def _run_coroutine(coroutine: CoroutineType[Any, Any, Any], delivery: Delivery, interruption: Interruption) -> Any:
    """Run a coroutine to its end, in an event loop of its own and, as far as others can tell, in this context."""
    # Most programs that enqueue never need it, and it takes longer to import than all of this package.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    # A task cannot enter a context in which its thread is already.
    context = copy_context()

    async def task() -> Any:
        if (this := asyncio.current_task()) is not None:
            interruption.run_in(this)
        return await coroutine

    def run() -> Any:
        with asyncio.Runner() as runner:
            return runner.run(task(), context=context)

    is_in_loop = False
    with suppress(RuntimeError):
        is_in_loop = asyncio.get_running_loop().is_running()
    try:
        if not is_in_loop:
            return run()
        # A command that is run at once may be called in a coroutine, and a thread has room for one running loop.
        with ThreadPoolExecutor(1, "huey-eager") as thread:
            return thread.submit(run).result()
    except asyncio.CancelledError as error:
        if (interrupted := interruption.error(delivery)) is not None:
            raise interrupted from error
        # Not an Exception, and nobody but the command itself can have asked for it.
        raise RuntimeError("the coroutine was cancelled") from error
    finally:
        for variable, value in context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)
