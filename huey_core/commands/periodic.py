"""Which commands are periodic, and whose consumers run a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.commands.base import PeriodicQueueCommand
from huey_core.commands.sharing import share_queue

if TYPE_CHECKING:
    from huey_core.commands.base import CommandInvoker, QueueCommand
    from huey_core.commands.registry import CommandRegistry

__all__ = ["is_run_by", "periodic_commands"]


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
