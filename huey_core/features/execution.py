"""The features of core that are written as a plugin: expiry, retries and the storing of results.

They go through the same hooks as anybody's plugin, so whatever a plugin may want to change about them it can.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.execution import Execution
from huey_core.exceptions import CommandExpired
from huey_core.features.results import result_of
from huey_core.hookspecs import InvokerLike, hookimpl

if TYPE_CHECKING:
    from huey_core.backends.outcomes import ResultWrite
    from huey_core.commands.base import QueueCommand

__all__ = ["CoreFeatures"]

_UNSET: Final = object()


class CoreFeatures:
    """Core's implementations of the control hooks. All of them come last."""

    @hookimpl(trylast=True)
    def huey_before_execute(self, invoker: InvokerLike, command: QueueCommand) -> None:
        if command.expires_at is not None and invoker.now() > command.expires_at:
            raise CommandExpired(f"{command.command_name} {command.task_id} had expired before it could start")

    @hookimpl(trylast=True)
    def huey_execute(self, invoker: InvokerLike, command: QueueCommand) -> Execution:
        value = command.execute()
        return Execution(_run_coroutine(value) if isinstance(value, CoroutineType) else value)

    @hookimpl(trylast=True)
    def huey_retry_delay(self, invoker: InvokerLike, command: QueueCommand, error: BaseException) -> float | None:
        if command.retries > 0 and command.options.may_retry(error):
            return command.options.delay_before_retry(command.retried)
        return None

    @hookimpl(trylast=True)
    def huey_store_result(
        self, invoker: InvokerLike, command: QueueCommand, execution: Execution
    ) -> ResultWrite | None:
        return result_of(invoker, command, execution)


def _run_coroutine(coroutine: CoroutineType[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, in an event loop of its own and, as far as others can tell, in this context."""
    # Most programs that enqueue never need it, and it takes longer to import than all of this package.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    # A task cannot enter a context in which its thread is already.
    context = copy_context()

    def run() -> Any:
        with asyncio.Runner() as runner:
            return runner.run(coroutine, context=context)

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
        # Not an Exception, and nobody but the command itself can have asked for it.
        raise RuntimeError("the coroutine was cancelled") from error
    finally:
        for variable, value in context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)
