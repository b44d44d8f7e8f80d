"""The options that the installed plugins offer, for commands that are defined where no invoker is known."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from huey_core.commands.options import default_table
from huey_core.plugins.discovery import PLUGINS, Entry, entries
from huey_core.plugins.known import KNOWN_OPTIONS
from huey_core.plugins.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huey_core.commands.option import CommandOption

__all__ = ["installed_options"]


def installed_options() -> Mapping[str, CommandOption[Any]]:
    """The options of the installed plugins by name; the plugins are loaded at the first call.

    Raises:
        PluginException: Two of them offer the same option, or one cannot be used.
    """
    return _options_of(entries(PLUGINS))


@functools.lru_cache(maxsize=1)
def _options_of(installed: tuple[Entry, ...]) -> Mapping[str, CommandOption[Any]]:
    return PluginManager().options.by_name


default_table.add_source(installed_options, known=KNOWN_OPTIONS)
