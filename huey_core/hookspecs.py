"""Every hook that a plugin may implement: when it is called, where, in which thread, and what an exception does.

A plugin is a module or an object whose functions carry :data:`hookimpl` and are named after a specification below; it
may take any subset of the parameters, by name. It is found through the entry-point group ``huey_core.plugins``, or is
passed to ``Invoker(plugins=[...])``.

There are two kinds of hooks:

* **Control** hooks steer: what they return or raise matters, and their exceptions propagate to the caller. They may
  be wrapped (``@hookimpl(wrapper=True)``), which is how timing and tracing are written.
* **Observer** hooks are told. Each implementation is called by itself; one that raises is logged with its plugin's
  name and counted, the others are still called, and the command is not harmed; so is one that calls ``sys.exit()``.
  They cannot be wrapped.

Where a hook is said to run "in a worker", it runs in the worker thread that runs the command, and what it takes is
added to the command's time. With ``always_eager`` that is the calling thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    import click

    from huey_core.backends.leased import ResultWrite
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.registry import CommandRegistry
    from huey_core.consumer.config import ConsumerConfig
    from huey_core.consumer.consumer import Consumer, Snapshot
    from huey_core.invoker.execution import Execution
    from huey_core.invoker.invoker import Invoker

__all__ = ["OBSERVERS", "PROJECT", "hookimpl"]

PROJECT: Final = "huey_core"
"""The project name under which pluggy finds hook implementations."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of the hook of the same name."""


@hookspec
def huey_command_registered(registry: CommandRegistry, command_class: type[QueueCommand]) -> None:
    """Observe that a command class was registered, usually while its module is imported.

    Thread: the one that decorates. A command that was registered before the plugin was loaded is reported when the
    plugin is loaded.
    """


@hookspec
def huey_before_enqueue(invoker: Invoker, command: QueueCommand) -> None:
    """Control: look at a command before it is serialized, change its headers, ``retries`` or ``eta``, or refuse it.

    Raise :class:`~huey_core.exceptions.CommandRejected` to refuse; nothing is then written and the caller sees the
    exception. It is called for every command, ticks of periodic commands included and retries excepted. Thread: the one
    that enqueues; for a tick, a thread of the consumer.
    """


@hookspec
def huey_after_enqueue(invoker: Invoker, command: QueueCommand) -> None:
    """Observe that a command was written to the queue (and was not a duplicate). Thread: the one that enqueues."""


@hookspec
def huey_before_execute(invoker: Invoker, command: QueueCommand) -> None:
    """Control: keep a command from running by raising, before each attempt, in a worker.

    Core's implementation raises :class:`~huey_core.exceptions.CommandExpired` for a command past its expiry. That and
    :class:`~huey_core.exceptions.CommandRevoked` end the command without a run; any other exception counts as a
    failure of the command.
    """


@hookspec(firstresult=True)
def huey_execute(invoker: Invoker, command: QueueCommand) -> Execution | None:
    """Control: run the command, in a worker. Core's implementation does it, last of all.

    Wrap it to do something around every run. To run commands in another way, return an
    :class:`~huey_core.invoker.execution.Execution` that holds the result. What the command raises passes through.
    """


@hookspec(firstresult=True)
def huey_retry_delay(invoker: Invoker, command: QueueCommand, error: BaseException) -> float | None:
    """Control: decide whether a command that raised is tried again, in a worker.

    Return the delay in seconds, or ``None`` to leave the decision to the next implementation. Core's implementation
    comes last and follows the command's ``retries``, ``retry_delay``, ``retry_backoff``, ``retry_on`` and
    ``give_up_on``. Nobody returning a delay means that the command has failed for good.
    """


@hookspec(firstresult=True)
def huey_store_result(invoker: Invoker, command: QueueCommand, execution: Execution) -> ResultWrite | None:
    """Control: decide what is written to the result store together with the ack, in a worker.

    ``execution`` holds the value, or the error. Core's implementation comes last and stores values and errors as the
    invoker and the command are configured; it returns ``None`` to store nothing.
    """


@hookspec
def huey_command_succeeded(invoker: Invoker, command: QueueCommand, execution: Execution) -> None:
    """Observe that a command returned, before the ack is written, in a worker."""


@hookspec
def huey_command_failed(invoker: Invoker, command: QueueCommand, error: BaseException) -> None:
    """Observe that a command raised and will not be tried again, in a worker."""


@hookspec
def huey_command_retried(invoker: Invoker, command: QueueCommand, error: BaseException, delay: float) -> None:
    """Observe that a command raised and will be tried again after ``delay`` seconds, in a worker."""


@hookspec
def huey_command_revoked(invoker: Invoker, command: QueueCommand) -> None:
    """Observe that a revoked command was dropped without a run, in a worker."""


@hookspec
def huey_command_expired(invoker: Invoker, command: QueueCommand) -> None:
    """Observe that a command was dropped without a run because it had expired, in a worker."""


@hookspec
def huey_command_buried(invoker: Invoker, command: QueueCommand | None, message_id: str, reason: str) -> None:
    """Observe that a message becomes a dead letter, in a worker.

    ``command`` is ``None`` when the message could not be read. A message that the backend itself buries, because it
    killed its consumers, is not reported here: nobody is left to report it.
    """


@hookspec
def huey_consumer_configure(config: ConsumerConfig) -> None:
    """Control: look at or change the consumer's settings before anything connects. Thread: main. May raise."""


@hookspec
def huey_consumer_report(consumer: Consumer) -> list[str]:
    """Control: return lines for the report that a consumer logs when it starts. Thread: main.

    Core's own lines come from an implementation of this hook.
    """
    raise NotImplementedError


@hookspec
def huey_consumer_start(consumer: Consumer) -> None:
    """Control: called before the threads start. Thread: main. Raising keeps the consumer from starting."""


@hookspec
def huey_consumer_heartbeat(consumer: Consumer, snapshot: Snapshot) -> None:
    """Observe the consumer's state, several times a lease, in its heartbeat thread. Must not block for long."""


@hookspec
def huey_consumer_stop(consumer: Consumer, reason: str) -> None:
    """Observe that the consumer has stopped: it runs nothing more, and has given back what did not finish in time.

    Thread: the one that called ``stop()``; the command line has one for that. After a second signal there is no time
    left to call this.
    """


@hookspec
def huey_worker_start(consumer: Consumer, worker: str) -> None:
    """Observe that a worker begins, in that worker's thread and before its first command."""


@hookspec
def huey_worker_stop(consumer: Consumer, worker: str) -> None:
    """Observe that a worker ends, in that worker's thread: the place to close what belongs to the thread."""


@hookspec
def huey_register_commands(cli: click.Group) -> None:
    """Observe the making of the ``huey`` command line, and add subcommands. Thread: main. Called once, before parsing.

    An exception is logged with the plugin's name and the rest of the command line goes on to work.
    """


OBSERVERS: Final = frozenset(
    {
        "huey_command_registered",
        "huey_after_enqueue",
        "huey_command_succeeded",
        "huey_command_failed",
        "huey_command_retried",
        "huey_command_revoked",
        "huey_command_expired",
        "huey_command_buried",
        "huey_consumer_heartbeat",
        "huey_consumer_stop",
        "huey_worker_start",
        "huey_worker_stop",
        "huey_register_commands",
    }
)
"""The hooks whose implementations are called one by one, each isolated."""


def names() -> list[str]:
    """The names of all hooks, in the order in which they are documented above."""
    return [name for name in globals() if name.startswith("huey_")]
