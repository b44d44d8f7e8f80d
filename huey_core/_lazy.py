"""Names that a package lists and whose modules are imported when they are first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["lazy"]


def lazy(package: str, **modules: str) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package, given the module that has it for each name."""

    def import_name(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return import_name
