"""Lets programs of the original API run unchanged: ``import huey`` then finds this package."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["install_as_huey"]

MODULES: Final = (
    "backends",
    "backends.base",
    "bin",
    "bin.config",
    "decorators",
    "exceptions",
    "queue",
)


def install_as_huey() -> None:
    """Make ``huey`` and the modules of its original API importable, as names for those of this package.

    Call it once, before anything imports ``huey``; nothing is changed by merely importing this package.

    Raises:
        ConfigurationError: Another ``huey``, such as the one on PyPI, was imported already.
    """
    present = sys.modules.get("huey")
    ours = importlib.import_module("huey_core")
    if present is not None and present is not ours:
        where = getattr(present, "__file__", None) or "an unknown place"
        raise ConfigurationError(
            f"another package called huey was imported already, from {where}; call install_as_huey() before that, "
            "and do not use both in one program"
        )
    aliases: dict[str, ModuleType] = {"huey": ours}
    for name in MODULES:
        aliases[f"huey.{name}"] = importlib.import_module(f"huey_core.{name}")
    sys.modules.update(aliases)
