"""The hooks of a consumer, from its settings to its end, and that of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.hookspecs.declaring import control, observer

if TYPE_CHECKING:
    import click

    from huey_core.hookspecs.protocols import ConsumerLike
    from huey_core.settings import ConsumerConfig
    from huey_core.snapshot import Snapshot

__all__ = [
    "WARNING",
    "huey_consumer_configure",
    "huey_consumer_heartbeat",
    "huey_consumer_report",
    "huey_consumer_start",
    "huey_consumer_stop",
    "huey_loop_start",
    "huey_loop_stop",
    "huey_register_commands",
    "huey_worker_start",
    "huey_worker_stop",
]

WARNING: Final = "warning: "
"""What a line of the start-up report begins with that is to be logged as a warning; the log shows the rest of it."""


@control(slow="the consumer starts that much later")
def huey_consumer_configure(config: ConsumerConfig) -> None:
    """Called when a consumer is made: to look at or change its settings.

    When: A consumer is made, before anything connects. The settings are checked again afterwards.
    Process: The consumer's; and each worker process, with the settings as they were given.
    Thread: Main, or whichever makes the consumer.
    Errors: The consumer is not made, and whoever makes it gets the exception.

    Args:
        config: The settings, as attributes: ``config.worker_type``.
    """


@control(slow="the consumer starts that much later")
def huey_consumer_report(consumer: ConsumerLike) -> list[str]:
    """Called when a consumer starts: to add lines to the report that it logs.

    Core's own lines come from an implementation of this hook.

    When: A consumer starts, once the server has answered.
    Process: The consumer's.
    Thread: Main, or whichever starts the consumer.
    Errors: The consumer does not start, and whoever starts it gets the exception.

    Args:
        consumer: The consumer.

    Returns:
        Lines of text. Those of all implementations are logged; one that begins with ``warning: `` as a warning, without
        that word.
    """
    raise NotImplementedError


@control(slow="the consumer starts that much later")
def huey_consumer_start(consumer: ConsumerLike) -> None:
    """Called before a consumer's threads start: to prepare what it needs, or to keep it from starting.

    When: After the report, before the threads start. What it begins is ended by ``huey_consumer_stop``, which is called
    too when this raises.
    Process: The consumer's.
    Thread: Main, or whichever starts the consumer.
    Errors: The consumer does not start, and whoever starts it gets the exception.

    Args:
        consumer: The consumer.
    """


@observer(slow="the next heartbeat comes that much later, and others take the consumer for dead when that is too late")
def huey_consumer_heartbeat(consumer: ConsumerLike, snapshot: Snapshot) -> None:
    """Called when a consumer's heartbeat is due: to see its state.

    When: Once in ``HEARTBEAT`` seconds (``consumer.config.heartbeat``), for as long as the consumer runs, and while it
    stops.
    Process: The consumer's.
    Thread: One of its own, which does nothing else. No lease depends on it.

    Args:
        consumer: The consumer.
        snapshot: How much it holds (``in_flight``), what runs and for how long (``running``), what it has done
            (``stats``), what its plugins have done amiss (``hook_faults``), and what keeps it from running commands
            (``problems``).
    """


@observer(slow="the consumer ends that much later")
def huey_consumer_stop(consumer: ConsumerLike, reason: str) -> None:
    """Called after a consumer has stopped.

    It claims nothing more, and every lease was given back, unless the server was away. A command that did not finish in
    time may still run.

    When: At the end of a graceful stop, and when a consumer cannot start after all. After a second signal there is no
    time left to call this.
    Process: The consumer's.
    Thread: The one that called ``stop()``; the command line has one for that.

    Args:
        consumer: The consumer.
        reason: Why, in a few words.
    """


@control(slow="the consumer starts that much later", wrapped=False, awaited=True)
def huey_loop_start(consumer: ConsumerLike) -> None:
    """Called before the first command of an event loop: to make what its commands share.

    A client session that is made here can be used by every ``async def`` command, and lives as long as the loop.

    When: After ``huey_consumer_start``, before the first command. Only where the worker pool has an event loop. What it
    begins is ended by ``huey_loop_stop``, which is called too when this raises.
    Process: The worker's.
    Thread: That of the event loop.
    Errors: The consumer does not start, and whoever starts it gets the exception.

    Args:
        consumer: The consumer.
    """


@observer(slow="the consumer ends that much later", awaited=True)
def huey_loop_stop(consumer: ConsumerLike) -> None:
    """Called after the last command of an event loop: to close what ``huey_loop_start`` has made.

    When: After the last command has ended. Not when one does not end within the shutdown timeout.
    Process: The worker's.
    Thread: That of the event loop.

    Args:
        consumer: The consumer.
    """


@observer(slow="the worker runs its first command that much later")
def huey_worker_start(consumer: ConsumerLike, worker: str) -> None:
    """Called before a worker runs its first command.

    When: Before its first command.
    Process: The worker's.
    Thread: That worker's own.

    Args:
        consumer: The consumer. In a worker process, what stands for it there: it has the same name and settings, an
            invoker of its own, and its snapshot is of that process.
        worker: The worker's name.
    """


@observer(slow="the consumer ends that much later")
def huey_worker_stop(consumer: ConsumerLike, worker: str) -> None:
    """Called after a worker's last command: the place to close what belongs to its thread, such as a connection.

    When: After its last command.
    Process: The worker's.
    Thread: That worker's own.

    Args:
        consumer: The consumer. In a worker process, what stands for it there: it has the same name and settings, an
            invoker of its own, and its snapshot is of that process.
        worker: The worker's name.
    """


@observer(slow="the command line answers that much later")
def huey_register_commands(cli: click.Group) -> None:
    """Called before the ``huey`` command line is parsed: to add subcommands to it.

    A plugin cannot replace a command of core's.

    When: Once, before the command line is parsed.
    Process: That of the command line.
    Thread: Main.

    Args:
        cli: The command line, to which ``@cli.command()`` adds one.
    """
