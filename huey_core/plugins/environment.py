"""The environment variables that steer plugins.

* ``HUEY_DISABLE_PLUGINS=a,b`` blocks plugins, by entry-point name or by distribution.
* ``HUEY_PLUGIN_CHOICE=redis=huey-redis,json=huey-core`` says which distribution serves a name that several claim.
* ``HUEY_TRACE_PLUGINS=1`` logs every call of a hook.

They are read when they are needed, so a program may still set them before its first look-up.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
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


def chosen_distributions() -> dict[str, str]:
    """Return what ``HUEY_PLUGIN_CHOICE`` says: for each normalised plugin name the distribution that serves it.

    Raises:
        ConfigurationError: An item is not written ``name=distribution``.
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
