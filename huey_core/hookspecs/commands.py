"""The hooks around a command: its definition, enqueueing and runs, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from huey_core.hookspecs.declaring import control, observer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import ResultWrite
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.execution import Execution
    from huey_core.commands.join import Join
    from huey_core.commands.option import CommandOption
    from huey_core.commands.registry import CommandRegistry
    from huey_core.hookspecs.protocols import InvokerLike

__all__ = [
    "huey_after_claim",
    "huey_after_enqueue",
    "huey_before_enqueue",
    "huey_before_execute",
    "huey_command_buried",
    "huey_command_cancelled",
    "huey_command_expired",
    "huey_command_failed",
    "huey_command_postponed",
    "huey_command_registered",
    "huey_command_retried",
    "huey_command_revoked",
    "huey_command_succeeded",
    "huey_execute",
    "huey_follow_ups",
    "huey_retry_delay",
    "huey_store_result",
]

IN_WORKER: Final = "a worker runs no command meanwhile"


@control(slow="the program that uses the plugin starts that much later", wrapped=False)
def huey_command_options() -> list[CommandOption[Any]]:
    """Called when a plugin is loaded: to offer options that commands may have.

    A command then has the option as it has core's: by a decorator, by ``.using(...)``, in its message. The plugin obeys
    it in other hooks, where ``command.options[OPTION]`` is its value.

    When: The plugin is loaded: with its invoker's plugins, and to look for an option that core does not have. So it may
    be called several times, and answers the same each time.
    Process: Any that enqueues, runs or defines commands.
    Thread: The one that loads the plugin.
    Errors: Whoever loads the plugin gets a ``PluginRefused``, a ``ConfigurationError``, that names it.

    Returns:
        The options. Core and other plugins must have none of the same names.
    """
    raise NotImplementedError


@observer(slow="the program that defines the command starts that much later")
def huey_command_registered(registry: CommandRegistry, command_class: type[QueueCommand]) -> None:
    """Called when a command class was registered.

    A command that was registered before the plugin was loaded is reported when the plugin is loaded.

    When: A function is decorated, or a subclass of ``QueueCommand`` is defined: usually while a module is imported.
    Process: Any that imports the module of the command.
    Thread: The one that decorates.

    Args:
        registry: The registry that has the command now.
        command_class: The class that was made of the function.
    """


@control(slow="whoever enqueues has to wait; for a tick, all periodic commands do")
def huey_before_enqueue(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called before a command is encoded: to change its headers, ``retries`` or ``eta``, or to refuse it.

    When: Once for each command that is enqueued, calls of ``enqueue_many``, ticks of periodic commands and what follows
    another command included. Not for a retry, which is the same message.
    Process: The one that enqueues; for a tick, the consumer's; for what follows a command, that of ``huey_follow_ups``.
    Thread: The one that enqueues, and for ``acall`` and ``aenqueue`` one beside the event loop, with the context
    variables of the caller; for a tick, the consumer's thread ``huey-periodic``; for what follows a command, that of
    ``huey_follow_ups``.
    Errors: Whoever enqueues gets the exception; raise :class:`~huey_core.exceptions.CommandRejected` to refuse. Nothing
    is written then, of a batch neither. For a tick it is logged, and the command is left out for that time; for what
    follows a command, see ``huey_follow_ups``.

    Args:
        invoker: The invoker that enqueues.
        command: The command. Its ``headers``, a dictionary of texts, travel with the message.
    """


@observer(slow="whoever enqueues has to wait")
def huey_after_enqueue(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called after a command was written to the queue, unless it was a duplicate.

    When: After the write, once for each new message.
    Process: The one that enqueues; for a tick, the consumer's.
    Thread: As for ``huey_before_enqueue``.

    Args:
        invoker: The invoker that enqueued.
        command: The command.
    """


@control(slow="what was claimed is started that much later")
def huey_after_claim(invoker: InvokerLike, deliveries: Sequence[Delivery]) -> None:
    """Called after messages were claimed: to find out for all of them at once what would cost a round trip for each.

    Core's implementation looks whether anything may be revoked at all.

    When: Once for each claim that brings messages, before any of them runs; with ``always_eager`` before each run. With
    worker processes, once for each batch that one of them is sent.
    Process: The worker's: the consumer's, or a worker process.
    Thread: The one that claims; in a worker process, a worker; with ``always_eager`` the calling one.
    Errors: All that was claimed is given back, and is claimed again after a pause. With ``always_eager`` the caller
    gets the exception.

    Args:
        invoker: The invoker whose queue it is.
        deliveries: What was claimed: each has the message's bytes, its id and the number of the delivery. Whether a
            message can be read is not known yet.
    """


@control(slow=IN_WORKER, awaited=True)
def huey_before_execute(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called before a command runs: to keep it from running, by raising.

    Core's implementations come first: nothing is prepared for a command that was revoked, for which one raises
    :class:`~huey_core.exceptions.CommandRevoked`, or is past its expiry, for which another raises
    :class:`~huey_core.exceptions.CommandExpired`.

    When: Before each run of a command, retries and redeliveries included.
    Process: The worker's.
    Thread: In a worker.
    Errors: :class:`~huey_core.exceptions.CommandRevoked` and :class:`~huey_core.exceptions.CommandExpired` end the
    command without a run, with that as its result. :class:`~huey_core.exceptions.CommandPostponed` puts its message
    back for later, and the run does not count. Any other exception counts as a failure of the command, and it may be
    retried.

    Args:
        invoker: The invoker whose command it is.
        command: The command.
    """


@control(slow=IN_WORKER, firstresult=True, awaited=True)
def huey_execute(invoker: InvokerLike, command: QueueCommand) -> Execution | None:
    """Called when a command is to run: to run it.

    Core's implementation does it, last of all. Wrap it to do something around every run, which is how timing and
    tracing are written. To run commands in another way, return an ``Execution`` of one's own.

    When: For each run, after ``huey_before_execute``.
    Process: The worker's.
    Thread: In a worker.
    Errors: What the command raises passes through, and so does what an implementation raises: the command has failed,
    and may be retried.

    Args:
        invoker: The invoker whose command it is.
        command: The command.

    Returns:
        An :class:`~huey_core.commands.Execution` that holds what the command returned and how long it took, or
        ``None`` to leave the run to the next implementation. An ``error`` in it counts as if it was raised.
    """


@control(slow=IN_WORKER, firstresult=True, awaited=True)
def huey_retry_delay(invoker: InvokerLike, command: QueueCommand, error: BaseException) -> float | None:
    """Called after a command raised: to decide whether it is retried, and when.

    Core's implementation comes last and follows a :class:`~huey_core.exceptions.CommandRetry`, by which a command asks
    to be tried again, or else its ``retries``, ``retry_delay``, ``retry_backoff``, ``retry_on`` and ``give_up_on``.

    When: After a command raised, unless its result could not be encoded: it has done its work then. Nor when it was
    cancelled, or has cancelled itself.
    Process: The worker's.
    Thread: In a worker.
    Errors: The exception is logged, and the command has failed for good.

    Args:
        invoker: The invoker whose command it is.
        command: The command; ``command.retries`` is how many retries it has left.
        error: What it raised.

    Returns:
        The pause in seconds before the next run, or ``None`` to leave the decision to the next implementation. When
        nobody returns a pause, the command has failed for good.
    """


@control(slow=IN_WORKER, firstresult=True, awaited=True)
def huey_store_result(invoker: InvokerLike, command: QueueCommand, execution: Execution) -> ResultWrite | None:
    """Called after a command ended: to decide what is written to the result store together with the ack.

    Core's implementation comes last and stores values and errors as the invoker and the command are configured.

    When: After a command returned, failed for good, was cancelled, or was dropped without a run. Not for one that was
    delivered too often without an outcome: nobody knows what it was, and core stores the error in any case.
    Process: The worker's.
    Thread: In a worker.
    Errors: After a run it counts as a failure of the command. After a failure it is logged, and what
        core would store is stored.

    Args:
        invoker: The invoker whose command it is.
        command: The command.
        execution: How it ended: ``value``, or ``error`` when it ended without one; ``dropped`` when it was
            revoked, had expired, or was cancelled.

    Returns:
        A :class:`~huey_core.backends.ResultWrite`, or ``None`` to leave the decision to the next implementation.
        When nobody returns one, nothing is stored.
    """


@control(slow=IN_WORKER, awaited=True)
def huey_follow_ups(
    invoker: InvokerLike,
    command: QueueCommand | None,
    execution: Execution,
    message_id: str,
    headers: Mapping[str, str],
) -> list[QueueCommand | Join]:
    """Called when a command has ended for good: to say which commands follow it.

    They are written in the same atomic step as the ack, or as the burial: whatever is killed, each is enqueued once for
    an end that took effect, and never without it. They go through ``huey_before_enqueue`` as others do, and not through
    ``huey_after_enqueue``.

    When: After a command returned, failed for good, was cancelled, or was dropped without a run, after
    ``huey_store_result``; when its message could not be read for too often; when a claim has buried it, once that is
    reported; and once more, with the error, when its outcome can never be written. Not for a retry.
    Process: The worker's; for a message that a claim has buried, or that has ended its worker process, the consumer's.
    Thread: In a worker, or in one that reports dead letters or settles outcomes.
    Errors: After a success it counts as a failure of the command, which may be retried. After a failure it is logged,
    and nothing follows. Nor does it when a command that is to follow is refused by ``huey_before_enqueue``, or cannot
    be encoded.

    Args:
        invoker: The invoker whose command it is.
        command: The command. ``None`` when its message was not read, because it could not be, or because that may be
            what has killed its consumers.
        execution: How it ended: ``value``, or ``error`` when it ended without one.
        message_id: The command's identifier.
        headers: Its headers, which are known when the command is not.

    Returns:
        Commands of the same queue, and a :class:`~huey_core.commands.Join` for each group of which the command is a
        member. Those of all implementations are written.
    """
    raise NotImplementedError


@observer(slow=IN_WORKER)
def huey_command_succeeded(invoker: InvokerLike, command: QueueCommand, execution: Execution) -> None:
    """Called after a command returned.

    When: After the run, before the ack is written. A consumer that is killed in between runs the command again.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
        execution: What it returned (``value``), after how many seconds (``duration``).
    """


@observer(slow=IN_WORKER)
def huey_command_failed(invoker: InvokerLike, command: QueueCommand, error: BaseException) -> None:
    """Called after a command raised that will not be retried.

    When: After its last run, before the outcome is written.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
        error: What it raised.
    """


@observer(slow=IN_WORKER)
def huey_command_retried(invoker: InvokerLike, command: QueueCommand, error: BaseException, delay: float) -> None:
    """Called after a command raised that will be retried.

    When: After a run that failed, before the retry is written.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it is.
        command: The command; ``command.retries`` is how many retries it had left, this one included, which takes none
            of them if ``error`` is a :class:`~huey_core.exceptions.CommandRetry`.
        error: What it raised.
        delay: Seconds until the next run.
    """


@observer(slow=IN_WORKER)
def huey_command_postponed(invoker: InvokerLike, command: QueueCommand, delay: float) -> None:
    """Called when a command is put back for later, because an implementation of ``huey_before_execute`` said "not now".

    When: In place of the run, before that is written.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it is.
        command: The command.
        delay: Seconds until it is tried again, at the latest.
    """


@observer(slow=IN_WORKER)
def huey_command_revoked(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called when a revoked command is dropped without a run.

    When: In place of the run.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
    """


@observer(slow=IN_WORKER)
def huey_command_cancelled(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called after a command was cancelled while it ran, be it that it has cancelled itself.

    When: After the run, before the ack is written. Not when its lease was lost: another run of it counts then.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
    """


@observer(slow=IN_WORKER)
def huey_command_expired(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called when a command is dropped without a run because it has expired.

    When: In place of the run.
    Process: The worker's.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
    """


@observer(slow="a worker runs no command meanwhile, or further dead letters are reported later")
def huey_command_buried(invoker: InvokerLike, command: QueueCommand | None, message_id: str, reason: str) -> None:
    """Called when a message becomes a dead letter.

    When: A command has failed for good, unless it has ``keep_failed=False``, or a message could not be read for too
    often: before that is written. A message was delivered too often without an outcome: soon after a claim has buried
    it, in this consumer or another, unless an operator has requeued it in between. It has ended its worker process in
    its last delivery: before that is written. What a claim has buried is reported at least once: once
    more when the consumer that reports it is killed, or cannot reach the server, before it has said so.
    Process: The worker's, or the consumer's.
    Thread: In a worker, or in the thread that reports dead letters.

    Args:
        invoker: The invoker of the consumer.
        command: The command. ``None`` when the message could not be read, and for one that was delivered too often,
            because to read it may be what has killed its consumers.
        message_id: The message's id, under which an operator finds it.
        reason: Why, in one line.
    """
