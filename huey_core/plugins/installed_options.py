"""The options that the installed plugins offer, for commands that are defined where no invoker is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.options import default_table
from huey_core.plugins.discovery import PLUGINS, Entry, entries
from huey_core.plugins.known import KNOWN_OPTIONS
from huey_core.plugins.loading import is_loading
from huey_core.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huey_core.commands.option import CommandOption

__all__ = ["installed_options"]

_latest: Final[dict[tuple[Entry, ...], Mapping[str, CommandOption[Any]]]] = {}
"""The options of the plugins that are installed, and of none that were."""


def installed_options() -> Mapping[str, CommandOption[Any]]:
    """The options of the installed plugins by name; the plugins are loaded at the first call.

    Raises:
        PluginException: Two of them offer the same option, or one cannot be used.
    """
    installed = entries(PLUGINS)
    options = _latest.get(installed)
    if options is None:
        options = PluginManager().options.by_name
        # The module of a plugin may define commands, and this is then called before the plugin is complete.
        if not is_loading():
            _latest.clear()
            _latest[installed] = options
    return options


default_table.add_source(installed_options, known=KNOWN_OPTIONS)
