"""Notifies plugins of the commands in a registry: of those that are there, and of each that is registered later."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from huey_core import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.commands.base import QueueCommand
    from huey_core.commands.registry import CommandRegistry
    from huey_core.plugins.manager import PluginManager

__all__ = ["notify_registrations"]


def notify_registrations(registry: CommandRegistry, manager: PluginManager, owner: object) -> Callable[[], object]:
    """Call ``huey_command_registered`` for each command of a registry, now and whenever one is registered.

    A registry usually lives as long as its process. So the owner of the plugins is not kept alive, and when it is gone
    they are notified no more; the function that is returned ends it before that.
    """

    def notify(command_class: type[QueueCommand]) -> None:
        manager.notify(hookspecs.huey_command_registered, registry=registry, command_class=command_class)

    known = registry.follow(notify)
    end = weakref.finalize(owner, registry.on_register.remove, notify)
    for command_class in known:
        notify(command_class)
    return end
