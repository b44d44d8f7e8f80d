"""Which plugins are used: what the environment says, and never a silent guess among those that claim one name.

* ``HUEY_DISABLE_PLUGINS=a,b`` blocks plugins, by entry-point name or by distribution.
* ``HUEY_PLUGIN_CHOICE=redis=huey-redis,json=huey-core`` says which distribution serves a name that several claim;
  without such a choice, none of them does.
* ``HUEY_TRACE_PLUGINS=1`` logs every call of a hook.

They are read when they are needed, so a program may still set them before its first look-up.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError, PluginBlocked, PluginConflict, PluginNotFound
from huey_core.plugins.discovery import GROUPS, entries
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.plugins.discovery import Entry

__all__ = [
    "CHOICE",
    "DISABLE",
    "TRACE",
    "chosen_distributions",
    "disabled_names",
    "is_named",
    "is_tracing",
    "normalise",
    "not_installed",
    "select",
]

DISABLE: Final = "HUEY_DISABLE_PLUGINS"
CHOICE: Final = "HUEY_PLUGIN_CHOICE"
TRACE: Final = "HUEY_TRACE_PLUGINS"


def normalise(name: str) -> str:
    """Write a name as packaging tools compare it: lower case, with every run of ``- _ . +`` as one ``-``."""
    return re.sub(r"[-_.+]+", "-", name.strip()).lower()


def disabled_names() -> dict[str, str]:
    """Return what ``HUEY_DISABLE_PLUGINS`` lists: each normalised name, with its spelling there."""
    return {normalise(name): name for name in _items(DISABLE)}


def is_named(entry: Entry, names: dict[str, str] | set[str]) -> bool:
    """Say whether normalised names contain an entry's name or its distribution."""
    return normalise(entry.name) in names or normalise(entry.distribution) in names


def not_installed(names: dict[str, str]) -> list[str]:
    """Return which of normalised names, by their spelling, no installed plugin and no distribution of one has."""
    installed = [entry for group in GROUPS for entry in entries(group)] if names else []
    return [name for key, name in names.items() if not any(is_named(entry, {key}) for entry in installed)]


def chosen_distributions() -> dict[str, str]:
    """Return what ``HUEY_PLUGIN_CHOICE`` says: for each normalised plugin name the distribution that serves it.

    An item that is not written ``name=distribution`` is a :class:`ConfigurationError`.
    """
    choices = {}
    for item in _items(CHOICE):
        name, equals, distribution = (part.strip() for part in item.partition("="))
        if not (name and equals and distribution):
            raise ConfigurationError(f"{CHOICE} contains {item!r}; write name=distribution, as in redis=huey-redis")
        choices[normalise(name)] = distribution
    return choices


def is_tracing() -> bool:
    """Say whether ``HUEY_TRACE_PLUGINS`` is set to anything but ``0`` or nothing."""
    return os.environ.get(TRACE, "").strip() not in ("", "0")


def _items(variable: str) -> list[str]:
    text = os.environ.get(variable, "")
    check_unicode(f"the environment variable {variable}", text)
    return [item.strip() for item in text.split(",") if item.strip()]


def select(claims: Sequence[Entry]) -> Entry:
    """Choose among the entry points of one group that have one name, of which there is at least one.

    Raises:
        PluginBlocked: ``HUEY_DISABLE_PLUGINS`` blocks all of them.
        PluginConflict: Several are left and no choice was made.
        PluginNotFound: ``HUEY_PLUGIN_CHOICE`` names a distribution that is not among them.
        ConfigurationError: ``HUEY_PLUGIN_CHOICE`` cannot be read.
    """
    disabled = disabled_names()
    allowed = [entry for entry in claims if not is_named(entry, disabled)]
    if not allowed:
        first = claims[0]
        raise PluginBlocked(
            f"{first.label!r} of {_sources(claims)} is blocked by the environment variable {DISABLE}",
            plugin=first.name,
            distribution=first.distribution,
        )

    name, label = allowed[0].name, allowed[0].label
    choice = chosen_distributions().get(normalise(name))
    if choice is not None:
        left = [entry for entry in allowed if normalise(entry.distribution) == normalise(choice)]
        if not left:
            raise PluginNotFound(
                f"{CHOICE} chooses {choice!r} for {label!r}, but what provides it is {_sources(allowed)}",
                plugin=name,
                distribution=choice,
            )
        allowed = left
    if len(allowed) > 1:
        raise PluginConflict(
            f"{label!r} is claimed by {_sources(allowed)}; choose one with "
            f'{CHOICE}="{label}={allowed[0].distribution}", uninstall one, or block one with '
            f"{DISABLE}={allowed[-1].distribution}",
            plugin=name,
        )
    return allowed[0]


def _sources(claims: Sequence[Entry]) -> str:
    return " and ".join(f"{entry.source} ({entry.value})" for entry in claims)
