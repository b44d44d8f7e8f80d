"""Running a command at once in the caller, as ``always_eager`` asks.

The command takes the way that a queued one takes: it is written and read back by the serializer, runs through the same
hooks, and its result is put into the result store. Only the waiting is left out: delays are not waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Ack, Bury, Release, Retry, is_final
from huey_core.features.results import encode_end, write_result
from huey_core.invoker.results import AsyncData
from huey_core.invoker.runner import CommandRunner

if TYPE_CHECKING:
    from huey_core.backends.outcomes import Outcome
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.execution import Execution
    from huey_core.invoker.runner import RunningInvoker

__all__ = ["run_eagerly", "run_until_done"]


def run_eagerly(invoker: RunningInvoker, command: QueueCommand) -> Any:
    """Run a command and return what its call returns: with a result store an :class:`AsyncData`, else its result.

    Without one it raises what the command raised; and in any case why the command could not be written or read back.
    """
    _, outcome, execution = run_until_done(invoker, invoker.codec.encode(command))
    if invoker.result_store is None or not is_final(outcome):
        if execution.error is not None:
            raise execution.error
        return execution.value
    if outcome.result is not None:
        write_result(outcome.result)
        return AsyncData(invoker, command.task_id)
    # Nothing is stored, so the handle itself must know that there is nothing to wait for.
    record = encode_end(invoker.serializer, command.task_id, execution, False, invoker.max_body_size)
    return AsyncData(invoker, command.task_id, record)


def run_until_done(invoker: RunningInvoker, data: bytes) -> tuple[QueueCommand, Outcome, Execution]:
    """Run a message in the caller, and again as long as it is retried.

    Returns:
        The command of the last run, how that ended, and what it came to.

    Raises:
        DecodeError: The message cannot be read.
        CommandNotFound: The command is not registered.
        Exception: What a plugin's ``huey_after_claim`` raised.
    """
    runner = CommandRunner(invoker)
    while True:
        # Read here and not by the runner: what it cannot read it buries, of which the caller would learn nothing.
        command = invoker.codec.decode(data)
        delivery = Delivery(data, command.task_id, "eager", 1)
        runner.prepare([delivery])
        outcome, execution = runner.run_command(command, delivery)
        match outcome:
            case Retry() if outcome.data != data:
                data = outcome.data
            case Ack() | Bury() | Release() | Retry():
                # What was postponed, or goes back as it came, was not run at all, and would not be the next time.
                return command, outcome, execution
            case _:
                assert_never(outcome)
