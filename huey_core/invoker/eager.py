"""Running a command at once in the caller, as ``always_eager`` asks.

The command takes the way that a queued one takes: it is written and read back by the serializer, runs through the same
hooks, and its result is put into the result store. Only the waiting is left out: delays are not waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huey_core.backends.leased import Ack, Bury, Delivery, Retry
from huey_core.invoker.results import AsyncData
from huey_core.invoker.runner import CommandRunner
from huey_core.invoker.stored_result import write_result

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand
    from huey_core.invoker.invoker import Invoker

__all__ = ["run_eagerly"]


def run_eagerly(invoker: Invoker, command: QueueCommand) -> Any:
    """Run a command and return what its call returns.

    Returns:
        An :class:`AsyncData` with a result store, otherwise what the command returned.

    Raises:
        Exception: What the command raised, where there is no result store to keep it.
        EncodeError: The serializer cannot carry the arguments or the result.
    """
    data = invoker.codec.encode(command)
    runner = CommandRunner(invoker, unreadable_deliveries=1)
    outcome, execution = runner.run(Delivery(data, command.task_id, "eager", 1))
    while isinstance(outcome, Retry):
        outcome, execution = runner.run(Delivery(outcome.data, command.task_id, "eager", 1))
    if invoker.result_store is None:
        if execution.error is not None:
            raise execution.error
        return execution.value
    if isinstance(outcome, Ack | Bury) and outcome.result is not None:
        write_result(outcome.result)
    return AsyncData(invoker, command.task_id)
