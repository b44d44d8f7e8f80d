"""Finding the commands of a project: its applications' modules ``commands`` and ``tasks``."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from django.apps import apps
from django.utils.module_loading import module_has_submodule

__all__ = ["MODULES", "autodiscover"]

MODULES: Final = ("commands", "tasks")
"""The modules that are imported, in this order, where an application has them."""

OURS: Final = __name__.rpartition(".")[0]
"""This application, whose module ``tasks`` is something else, and cannot be imported by every Django."""


def autodiscover() -> None:
    """Import the modules of every installed application that may have commands. Nothing connects.

    Raises:
        Exception: What a module raised while it was imported. Only a module that is not there is passed over.
    """
    for app in apps.get_app_configs():
        for name in MODULES if app.name != OURS else ():
            if module_has_submodule(app.module, name):
                import_module(f"{app.name}.{name}")
