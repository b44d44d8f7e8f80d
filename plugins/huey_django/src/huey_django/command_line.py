"""The project as an application for the commands of huey-core that take one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

from huey_django.discovery import autodiscover
from huey_django.invokers import get_invoker

if TYPE_CHECKING:
    from huey_django.invoker import DjangoInvoker

__all__ = ["application"]


def application() -> DjangoInvoker:
    """Load the project that ``DJANGO_SETTINGS_MODULE`` names, with all of its commands, and return its invoker.

    ::

        DJANGO_SETTINGS_MODULE=mysite.settings huey periodic list huey_django.application

    Raises:
        SettingsError: A setting is missing or cannot be used.
        Exception: What the project's modules raise.
    """
    django.setup()
    autodiscover()
    return get_invoker()
