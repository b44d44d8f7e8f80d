"""Telling the plugins of an invoker which commands there are, and which come to be."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.commands.base import QueueCommand
    from huey_core.invoker.invoker import Invoker
    from huey_core.plugins.manager import PluginManager

__all__ = ["tell_of_commands"]


def tell_of_commands(invoker: Invoker, manager: PluginManager) -> Callable[[], object]:
    """Tell of the commands in an invoker's registry, and from now on of each that is registered.

    A registry usually lives as long as its process. It does not keep the invoker alive, and forgets these plugins when
    the invoker is gone.

    Returns:
        A function that ends it before that. Calling it again does nothing.
    """
    registry = invoker.registry

    def tell(command_class: type[QueueCommand]) -> None:
        manager.notify("huey_command_registered", registry=registry, command_class=command_class)

    known = [registry.get(name) for name in registry]
    registry.on_register.append(tell)
    end = weakref.finalize(invoker, registry.on_register.remove, tell)
    for command_class in known:
        tell(command_class)
    return end
