"""An invoker that is named before it exists: for modules with commands that are imported before the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from huey_core.commands.options import OptionTable
from huey_core.invoker.typing import StoreT_co
from huey_core.plugins.installed_options import installed_options
from huey_core.plugins.known import KNOWN_OPTIONS
from huey_core.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from huey_core.commands.option import CommandOption
    from huey_core.invoker.invoker import Invoker

__all__ = ["DeferredInvoker"]


@dataclass(frozen=True)
class DeferredInvoker(Generic[StoreT_co]):
    """Stands for the invoker that a function returns; the decorators take one in place of the invoker.

    ::

        @queue_command(DeferredInvoker(lambda: current_app.invoker))
        def send_mail(to, text): ...

    Nothing is asked of the function before a command is used. What the queue cannot do is therefore told at a
    command's first use, and so is an option of a plugin that the invoker does not have. The command's class is
    registered in the process's default registry, which that invoker must use.

    Args:
        get: Returns the invoker. It is called at every use and should be quick; it may return another invoker later.
        plugins: Returns the plugins that the invoker is given by ``plugins=``, for their options; asked when a command
            has an option that neither core nor an installed plugin offers.
    """

    get: Callable[[], Invoker[StoreT_co]]
    plugins: Callable[[], Iterable[Any]] = tuple

    @cached_property
    def command_options(self) -> OptionTable:
        """The options that commands may have before the invoker is there."""
        return OptionTable(installed_options, self._given_options, known=KNOWN_OPTIONS)

    def _given_options(self) -> Mapping[str, CommandOption[Any]]:
        return PluginManager(self.plugins(), installed=False).options.by_name

    def __get__(self, command: object, command_class: type | None = None) -> Invoker[StoreT_co]:
        """Be the attribute ``invoker`` of a command's class. An enqueued command has an attribute of its own."""
        return self.get()
