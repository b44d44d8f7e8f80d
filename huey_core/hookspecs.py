"""Every hook that a plugin may implement: when it is called, where, in which thread, and what an exception does.

A plugin is a module or an object whose functions carry :data:`hookimpl` and are named after a specification below; it
may take any subset of the parameters, by name. It is found through the entry-point group ``huey_core.plugins``, or is
passed to ``Invoker(plugins=[...])``.

There are two kinds of hooks:

* **Control** hooks steer: what they return or raise matters, and their exceptions propagate to the caller. They may
  be wrapped (``@hookimpl(wrapper=True)``), which is how timing and tracing are written. Of those that return the first
  result, the first implementation that does not return ``None`` decides, and the rest are not called.
* **Observer** hooks are notified. Each implementation is called by itself; one that raises is logged with its plugin's
  name and counted, the others are still called, and the command is not harmed; so is one that calls ``sys.exit()``.
  They cannot be wrapped.

Where a hook is said to run "in a worker", it runs in the worker thread that runs the command, and what it takes is
added to the command's time. With ``always_eager`` that is the calling thread.

These docstrings are the reference: ``docs/generate.py`` makes ``docs/plugins/hooks-reference.md`` of them. Each begins
with "Called when", "before" or "after"; ``When`` says precisely when, ``Thread`` where, and for a control hook
``Errors`` what becomes of an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pluggy

from huey_core.commands.base import CommandInvoker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import click

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.outcomes import ResultWrite
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.execution import Execution
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer
    from huey_core.settings import ConsumerConfig
    from huey_core.snapshot import Snapshot

__all__ = ["OBSERVERS", "PROJECT", "ConsumerLike", "InvokerLike", "hookimpl"]

PROJECT: Final = "huey_core"
"""The project name under which pluggy finds hook implementations."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of the hook of the same name."""

F = TypeVar("F", bound="Callable[..., None]")

_observers: Final[list[str]] = []


def observer(hook: F) -> F:
    """Specify a hook that only observes."""
    _observers.append(hook.__name__)
    return hookspec(hook)


class InvokerLike(CommandInvoker, Protocol):
    """What hooks, and others that the :class:`~huey_core.Invoker` itself needs, may use of it, as it describes it."""

    registry: CommandRegistry
    result_store: BaseDataStore | None
    result_ttl: float | None
    serializer: Serializer
    accepted: Mapping[str, Serializer]
    max_body_size: int

    @property
    def results(self) -> BaseDataStore:
        """The result store, or a ``ConfigurationError``."""

    @property
    def results_expire(self) -> bool:
        """Whether the result store forgets values by itself."""

    def now(self) -> float:
        """The current time in seconds since the epoch, by the queue's clock as far as it is known."""

    def enqueue(self, command: QueueCommand) -> Any:
        """Write another command to the queue, and return the handle on its result."""


class ConsumerLike(Protocol):
    """What a hook may use of the :class:`~huey_core.consumer.Consumer` that it is given, as that describes it."""

    config: ConsumerConfig
    lease: float

    @property
    def invoker(self) -> InvokerLike:
        """The invoker whose commands it runs."""

    @property
    def name(self) -> str:
        """What it is called among the consumers of its queue."""

    def snapshot(self) -> Snapshot:
        """What it holds and has done."""


@observer
def huey_command_registered(registry: CommandRegistry, command_class: type[QueueCommand]) -> None:
    """Called when a command class was registered.

    A command that was registered before the plugin was loaded is reported when the plugin is loaded.

    When: A function is decorated, or a subclass of ``QueueCommand`` is defined: usually while a module is imported.
    Thread: The one that decorates.

    Args:
        registry: The registry that has the command now.
        command_class: The class that was made of the function.
    """


@hookspec
def huey_before_enqueue(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called before a command is encoded: to change its headers, ``retries`` or ``eta``, or to refuse it.

    When: Once for each command that is enqueued, calls of ``enqueue_many`` and ticks of periodic commands included. Not
    for a retry, which is the same message.
    Thread: The one that enqueues; for a tick, the consumer's thread ``huey-periodic``.
    Errors: Whoever enqueues gets the exception; raise :class:`~huey_core.exceptions.CommandRejected` to refuse. Nothing
    is written then, of a batch neither. For a tick it is logged, and the command is left out for that minute.

    Args:
        invoker: The invoker that enqueues.
        command: The command. Its ``headers``, a dictionary of texts, travel with the message.
    """


@observer
def huey_after_enqueue(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called after a command was written to the queue, unless it was a duplicate.

    When: After the write, once for each new message.
    Thread: The one that enqueues.

    Args:
        invoker: The invoker that enqueued.
        command: The command.
    """


@hookspec
def huey_before_execute(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called before a command runs: to keep it from running, by raising.

    Core's implementation raises :class:`~huey_core.exceptions.CommandExpired` for a command past its expiry.

    When: Before each run of a command, retries and redeliveries included, once it is known not to be revoked.
    Thread: In a worker.
    Errors: :class:`~huey_core.exceptions.CommandRevoked` and :class:`~huey_core.exceptions.CommandExpired` end the
    command without a run, with that as its result. Any other exception counts as a failure of the command, and it may
    be retried.

    Args:
        invoker: The invoker whose command it is.
        command: The command.
    """


@hookspec(firstresult=True)
def huey_execute(invoker: InvokerLike, command: QueueCommand) -> Execution | None:
    """Called when a command is to run: to run it.

    Core's implementation does it, last of all. Wrap it to do something around every run, which is how timing and
    tracing are written. To run commands in another way, return an ``Execution`` of one's own.

    When: For each run, after ``huey_before_execute``.
    Thread: In a worker.
    Errors: What the command raises passes through, and so does what an implementation raises: the command has failed,
    and may be retried.

    Args:
        invoker: The invoker whose command it is.
        command: The command.

    Returns:
        An :class:`~huey_core.commands.Execution` that holds what the command returned, or ``None`` to leave
        the run to the next implementation.
    """


@hookspec(firstresult=True)
def huey_retry_delay(invoker: InvokerLike, command: QueueCommand, error: BaseException) -> float | None:
    """Called after a command raised: to decide whether it is retried, and when.

    Core's implementation comes last and follows the command's ``retries``, ``retry_delay``, ``retry_backoff``,
    ``retry_on`` and ``give_up_on``.

    When: After a command raised, unless its result could not be encoded: it has done its work then.
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


@hookspec(firstresult=True)
def huey_store_result(invoker: InvokerLike, command: QueueCommand, execution: Execution) -> ResultWrite | None:
    """Called after a command ended: to decide what is written to the result store together with the ack.

    Core's implementation comes last and stores values and errors as the invoker and the command are configured.

    When: After a command returned, failed for good, or was dropped without a run. Not for one that was delivered too
    often without an outcome: nobody knows what it was, and core stores the error in any case.
    Thread: In a worker.
    Errors: After a run it counts as a failure of the command. After a failure it is logged, and what
        core would store is stored.

    Args:
        invoker: The invoker whose command it is.
        command: The command.
        execution: How it ended: ``value``, or ``error`` when it ended without one; ``dropped`` when it did not run.

    Returns:
        A :class:`~huey_core.backends.ResultWrite`, or ``None`` to leave the decision to the next implementation.
        When nobody returns one, nothing is stored.
    """


@observer
def huey_command_succeeded(invoker: InvokerLike, command: QueueCommand, execution: Execution) -> None:
    """Called after a command returned.

    When: After the run, before the ack is written. A consumer that is killed in between runs the command again.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
        execution: What it returned (``value``), after how many seconds (``duration``).
    """


@observer
def huey_command_failed(invoker: InvokerLike, command: QueueCommand, error: BaseException) -> None:
    """Called after a command raised that will not be retried.

    When: After its last run, before the outcome is written.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
        error: What it raised.
    """


@observer
def huey_command_retried(invoker: InvokerLike, command: QueueCommand, error: BaseException, delay: float) -> None:
    """Called after a command raised that will be retried.

    When: After a run that failed, before the retry is written.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it is.
        command: The command; ``command.retries`` is how many retries it had left, this one included.
        error: What it raised.
        delay: Seconds until the next run.
    """


@observer
def huey_command_revoked(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called when a revoked command is dropped without a run.

    When: In place of the run.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
    """


@observer
def huey_command_expired(invoker: InvokerLike, command: QueueCommand) -> None:
    """Called when a command is dropped without a run because it has expired.

    When: In place of the run.
    Thread: In a worker.

    Args:
        invoker: The invoker whose command it was.
        command: The command.
    """


@observer
def huey_command_buried(invoker: InvokerLike, command: QueueCommand | None, message_id: str, reason: str) -> None:
    """Called when a message becomes a dead letter.

    When: A command has failed for good, unless it has ``keep_failed=False``, or a message could not be read for too
    often: before that is written. A message was delivered too often without an outcome: soon after a claim has buried
    it, in this consumer or another, unless an operator has requeued it in between. This is reported at least once: once
    more when the consumer that reports it is killed, or cannot reach the server, before it has said so.
    Thread: In a worker, or in the thread that reports dead letters.

    Args:
        invoker: The invoker of the consumer.
        command: The command. ``None`` when the message could not be read, and for one that was delivered too often,
            because to read it may be what has killed its consumers.
        message_id: The message's id, under which an operator finds it.
        reason: Why, in one line.
    """


@hookspec
def huey_consumer_configure(config: ConsumerConfig) -> None:
    """Called when a consumer is made: to look at or change its settings.

    When: A consumer is made, before anything connects. The settings are checked again afterwards.
    Thread: Main, or whichever makes the consumer.
    Errors: The consumer is not made, and whoever makes it gets the exception.

    Args:
        config: The settings, as attributes: ``config.threads``.
    """


@hookspec
def huey_consumer_report(consumer: ConsumerLike) -> list[str]:
    """Called when a consumer starts: to add lines to the report that it logs.

    Core's own lines come from an implementation of this hook.

    When: A consumer starts, once the server has answered.
    Thread: Main, or whichever starts the consumer.
    Errors: The consumer does not start, and whoever starts it gets the exception.

    Args:
        consumer: The consumer.

    Returns:
        Lines of text. Those of all implementations are logged; one that begins with ``warning: `` as a warning, without
        that word.
    """
    raise NotImplementedError


@hookspec
def huey_consumer_start(consumer: ConsumerLike) -> None:
    """Called before a consumer's threads start: to prepare what it needs, or to keep it from starting.

    When: After the report, before the threads start.
    Thread: Main, or whichever starts the consumer.
    Errors: The consumer does not start, and whoever starts it gets the exception.

    Args:
        consumer: The consumer.
    """


@observer
def huey_consumer_heartbeat(consumer: ConsumerLike, snapshot: Snapshot) -> None:
    """Called when a consumer's heartbeat is due: to see its state.

    When: Three times a lease, for as long as the consumer runs.
    Thread: The one that renews the leases. An implementation that blocks for long costs leases.

    Args:
        consumer: The consumer.
        snapshot: How much it holds (``in_flight``), what runs and for how long (``running``), and what it has done
            (``stats``).
    """


@observer
def huey_consumer_stop(consumer: ConsumerLike, reason: str) -> None:
    """Called after a consumer has stopped.

    It claims nothing more, and every lease was given back, unless the server was away. A command that did not finish in
    time may still run.

    When: At the end of a graceful stop. After a second signal there is no time left to call this.
    Thread: The one that called ``stop()``; the command line has one for that.

    Args:
        consumer: The consumer.
        reason: Why, in a few words.
    """


@observer
def huey_worker_start(consumer: ConsumerLike, worker: str) -> None:
    """Called before a worker runs its first command.

    When: Before its first command.
    Thread: That worker's own.

    Args:
        consumer: The consumer.
        worker: The worker's name.
    """


@observer
def huey_worker_stop(consumer: ConsumerLike, worker: str) -> None:
    """Called after a worker's last command: the place to close what belongs to its thread, such as a connection.

    When: After its last command.
    Thread: That worker's own.

    Args:
        consumer: The consumer.
        worker: The worker's name.
    """


@observer
def huey_register_commands(cli: click.Group) -> None:
    """Called before the ``huey`` command line is parsed: to add subcommands to it.

    A plugin cannot replace a command of core's.

    When: Once, before the command line is parsed.
    Thread: Main.

    Args:
        cli: The command line, to which ``@cli.command()`` adds one.
    """


OBSERVERS: Final = frozenset(_observers)
"""The hooks whose implementations are called one by one, each isolated."""


def names() -> list[str]:
    """The names of all hooks, in the order in which they are documented above."""
    return [name for name in globals() if name.startswith("huey_")]
