"""An invoker that is named before it exists: for modules with commands that are imported before the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from huey_core.invoker.typing import StoreT_co

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.invoker.invoker import Invoker

__all__ = ["DeferredInvoker"]


@dataclass(frozen=True)
class DeferredInvoker(Generic[StoreT_co]):
    """Stands for the invoker that a function returns; the decorators take one in place of the invoker.

    ::

        @queue_command(DeferredInvoker(lambda: current_app.invoker))
        def send_mail(to, text): ...

    Nothing is asked of the function before a command is used. What the queue cannot do is therefore told at a
    command's first use, and its class is registered in the process's default registry, which that invoker must use.

    Args:
        get: Returns the invoker. It is called at every use and should be quick; it may return another invoker later.
    """

    get: Callable[[], Invoker[StoreT_co]]

    def __get__(self, command: object, command_class: type | None = None) -> Invoker[StoreT_co]:
        """Be the attribute ``invoker`` of a command's class. An enqueued command has an attribute of its own."""
        return self.get()
