"""Which of the entry points that claim one name is used: never a silent guess.

A blocked entry does not take part. Of several distributions the one that ``HUEY_PLUGIN_CHOICE`` names is used; without
such a choice, nobody is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.exceptions import PluginBlocked, PluginConflict, PluginNotFound
from huey_core.plugins.environment import CHOICE, DISABLE, chosen_distributions, disabled_names, is_named, normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.plugins.discovery import Entry

__all__ = ["select"]


def select(claims: Sequence[Entry]) -> Entry:
    """Choose among all entry points of one group that have one name.

    Args:
        claims: At least one entry point.

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
