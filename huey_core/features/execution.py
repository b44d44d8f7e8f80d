"""The running of a command: its function is called, and a coroutine that it returns is run to its end."""

from __future__ import annotations

import time
from contextlib import closing
from types import CoroutineType
from typing import TYPE_CHECKING

from huey_core.commands.context import CURRENT
from huey_core.commands.coroutines import run_to_end
from huey_core.commands.execution import Execution
from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand
    from huey_core.hookspecs import InvokerLike

__all__ = ["Execute"]


class Execute:
    """Runs a command in the thread, or in the task of an event loop, that is to run it."""

    @hookimpl(trylast=True)
    def huey_execute(self, invoker: InvokerLike, command: QueueCommand) -> Execution:
        _, delivery, _, interruption = CURRENT.get()
        timeout = command.options.timeout
        began = time.perf_counter()
        value = interruption.call(delivery, timeout, command.execute)
        if isinstance(value, CoroutineType):
            # One that was interrupted before it began would otherwise be said not to have been awaited.
            with closing(value) as coroutine:
                # Within the task: an event loop that is interrupted while it begins or ends may wait for ever.
                value = run_to_end(interruption.call_async(delivery, timeout, lambda: coroutine))
        return Execution(value, None, False, time.perf_counter() - began)

    async def huey_execute_async(self, invoker: InvokerLike, command: QueueCommand) -> Execution:
        """Await what the other runs to its end."""
        _, delivery, _, interruption = CURRENT.get()
        began = time.perf_counter()
        value = await interruption.call_async(delivery, command.options.timeout, command.execute)
        return Execution(value, None, False, time.perf_counter() - began)
