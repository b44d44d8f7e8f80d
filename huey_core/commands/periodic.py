"""Which commands are periodic, whose consumers run a command, and what is scheduled as a consumer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from huey_core.commands.base import PeriodicQueueCommand
from huey_core.commands.sharing import share_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.commands.base import CommandInvoker, QueueCommand
    from huey_core.commands.registry import CommandRegistry
    from huey_core.commands.schedules import Schedule

__all__ = ["EntrySource", "ScheduledEntry", "is_run_by", "periodic_commands"]


@dataclass(frozen=True, slots=True)
class ScheduledEntry:
    """What a consumer enqueues by the clock.

    Attributes:
        name: What it is called among all that is scheduled in one queue. With the due time it makes the tick.
        schedule: When it is due.
        make_command: Makes the command of one tick. What it raises is logged, and costs this tick alone.
        missed: What becomes of due times at which no consumer could enqueue it: ``"skip"``, ``"once"`` or ``"all"``.
        overlap: What becomes of a due time at which the run before has not ended: ``"allow"`` or ``"skip"``.
        since: Seconds since the epoch: of what was due until then, nothing is made up for. ``None``: all is.
    """

    name: str
    schedule: Schedule
    make_command: Callable[[], QueueCommand]
    missed: str = "skip"
    overlap: str = "allow"
    since: float | None = None


class EntrySource(Protocol):
    """Where entries come from."""

    def entries(self) -> Iterable[ScheduledEntry]:
        """What is scheduled now.

        It is asked at every due time, every minute, and every two seconds where schedules may be changed at run time,
        by one thread, and so has to be quick.

        Raises:
            Exception: A server did not answer; the consumer asks again after a pause.
        """


def periodic_commands(registry: CommandRegistry) -> list[type[PeriodicQueueCommand]]:
    """The periodic commands of a registry, in the order of their names."""
    return [found for name in registry if issubclass(found := registry.get(name), PeriodicQueueCommand)]


def is_run_by(command_class: type[QueueCommand], invoker: CommandInvoker) -> bool:
    """Whether consumers of an invoker's queue run a command: by the clock too, if it is periodic."""
    queue = command_class.defaults.queue
    if command_class.invoker is None:
        if queue is None:
            # By the clock it runs in one queue; whoever calls it says in which.
            is_default = invoker.queue.name == invoker.default_queue
            return is_default or not issubclass(command_class, PeriodicQueueCommand)
        return queue == invoker.queue.name
    return share_queue(command_class.invoker, invoker, queue)
