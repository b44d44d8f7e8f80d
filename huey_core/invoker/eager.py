"""Running a command at once in the caller, as ``always_eager`` asks.

The command takes the way that a queued one takes: it is written and read back by the serializer, runs through the same
hooks, and its result is put into the result store. Then what follows it is run, in order, and what follows that. Only
the waiting is left out: delays are not waited for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, assert_never, cast

from huey_core.backends.forking import ProcessLock
from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Ack, Bury, Release, Retry, is_final
from huey_core.commands.stored_result import encode_end
from huey_core.exceptions import CommandRetry
from huey_core.features.results import write_result
from huey_core.invoker.results import AsyncData
from huey_core.invoker.runner import CommandRunner, RunningInvoker
from huey_core.message import run_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from huey_core.backends.messages import Message
    from huey_core.backends.outcomes import Arrival, Outcome
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.execution import Execution

__all__ = ["EagerGroups", "EagerInvoker", "run_eagerly", "run_until_done", "run_what_follows"]

log: Final = get_logger(__name__)

MOST_RETRIES: Final = 1000
"""How often a command is run again that asks for that without a bound: nothing that it may wait for takes any time."""


class EagerGroups:
    """The groups of commands that are run at once by one invoker, in this process alone: who has arrived at each.

    A group is forgotten with its last member. One that is never complete is kept.
    """

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._arrived: dict[str, set[str]] = {}

    def is_last(self, arrival: Arrival) -> bool:
        """Note that a member of a group has ended, and say whether it was the last."""
        with self._lock:
            arrived = self._arrived.setdefault(arrival.group, set())
            arrived.add(arrival.member)
            if len(arrived) < arrival.of:
                return False
            del self._arrived[arrival.group]
            return True


class EagerInvoker(RunningInvoker, Protocol):
    """What is needed of an invoker to run its commands at once."""

    @property
    def eager_groups(self) -> EagerGroups:
        """The groups of commands that are run at once."""


def run_eagerly(invoker: EagerInvoker, command: QueueCommand) -> Any:
    """Run a command and return what its call returns: with a result store an :class:`AsyncData`, else its result.

    Without one it raises what the command raised; and in any case why the command, or one that follows it, could not be
    written or read back, was postponed, or asks again and again to be tried again (:class:`CommandRetry`).
    """
    _, outcome, execution = run_until_done(invoker, invoker.codec.encode(command))
    if outcome.result is not None:
        write_result(outcome.result)
    run_what_follows(invoker, outcome)
    if invoker.result_store is None or not is_final(outcome):
        if execution.error is not None:
            raise execution.error
        return execution.value
    if outcome.result is not None:
        return AsyncData(invoker, command.task_id)
    # Nothing is stored, so the handle itself must know that there is nothing to wait for.
    run = run_fields(command.enqueued_at, invoker.now(), execution.duration, 1)
    record = encode_end(invoker.serializer, command.task_id, execution, False, invoker.max_body_size, run=run)
    return AsyncData(invoker, command.task_id, record)


def run_what_follows(invoker: EagerInvoker, outcome: Outcome) -> None:
    """Run what follows a command that was run at once, in order, and then what follows that; store their results.

    What one of them raises is in the log and in its result. One that cannot be run does not keep the others.

    Raises:
        DecodeError: The message of one cannot be read.
        CommandNotFound: One is not registered.
        CommandPostponed: A plugin has postponed one.
        CommandRetry: One asks again and again to be tried again.
        Exception: The result of one could not be written. Of several errors, the first is raised when all is done, and
            the others are logged.
    """
    waiting = deque(_messages_after(invoker, outcome))
    errors: list[BaseException] = []
    while waiting:
        message = waiting.popleft()
        try:
            _, ended, execution = run_until_done(invoker, message.data)
            if not is_final(ended) and execution.error is not None:
                raise execution.error
            waiting.extend(_messages_after(invoker, ended))
            if ended.result is not None:
                write_result(ended.result)
        except Exception as error:
            if errors:
                log.exception("message %s, which was to follow, could not be run", message.message_id)
            errors.append(error)
    if errors:
        raise errors[0]


def _messages_after(invoker: EagerInvoker, outcome: Outcome) -> list[Message]:
    match outcome:
        case Ack(follow_ups=follow_ups, arrivals=arrivals) | Bury(follow_ups=follow_ups, arrivals=arrivals):
            return [*follow_ups, *(each.then for each in arrivals if invoker.eager_groups.is_last(each))]
        case Release() | Retry():
            return []
        case _:
            assert_never(outcome)


def run_until_done(invoker: RunningInvoker, data: bytes) -> tuple[QueueCommand, Outcome, Execution]:
    """Run a message in the caller, and again as long as it is retried.

    That ends after :data:`MOST_RETRIES` runs that have asked for it without a bound.

    Returns:
        The command of the last run, how that ended, and what it came to.

    Raises:
        DecodeError: The message cannot be read.
        CommandNotFound: The command is not registered.
        Exception: What a plugin's ``huey_after_claim`` raised.
    """
    runner = CommandRunner(invoker)
    unbounded = 0
    while True:
        # Read here and not by the runner: what it cannot read it buries, of which the caller would learn nothing.
        command = invoker.codec.decode(data)
        delivery = Delivery(data, command.task_id, "eager", 1)
        runner.prepare([delivery])
        outcome, execution = runner.run_command(command, delivery)
        error = execution.error
        # By its type, for whatever a command raises may answer anything for its class.
        if issubclass(type(error), CommandRetry) and cast("CommandRetry", error).max_retries is None:
            unbounded += 1
            if unbounded > MOST_RETRIES:
                note = f"with always_eager, which waits for nothing, it has asked for that {unbounded:,} times"
                cast("CommandRetry", error).add_note(note)
        match outcome:
            case Retry() if outcome.data != data and unbounded <= MOST_RETRIES:
                data = outcome.data
            case Ack() | Bury() | Release() | Retry():
                # What was postponed, or goes back as it came, was not run at all, and would not be the next time.
                return command, outcome, execution
            case _:
                assert_never(outcome)
