"""Which options of commands the plugins of one application offer, and that no two offer the same."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.option import CommandOption
from huey_core.exceptions import PluginRefused
from huey_core.hookspecs import PROJECT
from huey_core.plugins.selection import DISABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OfferedOptions"]


class OfferedOptions:
    """The options of plugins, by plugin and by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, CommandOption[Any]] = {}
        self._by_plugin: dict[str, tuple[CommandOption[Any], ...]] = {}

    @property
    def by_name(self) -> Mapping[str, CommandOption[Any]]:
        """Every option, by its name."""
        return self._by_name

    @property
    def by_plugin(self) -> Mapping[str, tuple[CommandOption[Any], ...]]:
        """The options of each plugin that offers any, by the plugin's name, in the order of registration."""
        return MappingProxyType(self._by_plugin)

    def add(self, plugin: str, answer: object) -> None:
        """Add what a plugin has answered to ``huey_command_options``, or all of it not.

        Raises:
            PluginRefused: It is no list of options, or core or another plugin has one of the same name.
        """
        if not isinstance(answer, list | tuple) or not all(isinstance(one, CommandOption) for one in answer):
            raise PluginRefused(
                f"plugin {plugin!r} is refused: huey_command_options() returns a list of CommandOption, not {answer!r}",
                plugin=plugin,
            )
        found: dict[str, CommandOption[Any]] = {}
        for option in answer:
            other = plugin if option.name in found else self._owner(option.name)
            if other is not None:
                raise PluginRefused(
                    f"plugins {other!r} and {plugin!r} both offer the option {option.name!r}; block one of them with "
                    f"{DISABLE} or plugins=['no:{plugin}'], or ask its author for another name",
                    plugin=plugin,
                )
            found[option.name] = option
        # Whoever looks meanwhile, in another thread, goes on with the one that was there.
        self._by_name = {**self._by_name, **found}
        if found:
            self._by_plugin = {**self._by_plugin, plugin: tuple(found.values())}

    def _owner(self, name: str) -> str | None:
        if name in CORE_OPTIONS:
            return PROJECT
        return next((plugin for plugin, rows in self._by_plugin.items() if name in {row.name for row in rows}), None)
