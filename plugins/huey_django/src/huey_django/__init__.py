"""The task queue huey-core for Django.

::

    INSTALLED_APPS = [..., "huey_django"]
    HUEY = "redis://localhost:6379/0"

and in ``commands.py`` or ``tasks.py`` of an application::

    from huey_django import crontab, periodic_command, queue_command


    @queue_command
    def send_mail(to, text): ...

Importing this needs no settings and connects nothing.
"""

from __future__ import annotations

from huey_django._version import __version__
from huey_django.command_line import application
from huey_django.decorators import crontab, every, periodic_command, queue_command
from huey_django.invokers import get_invoker

__all__ = ["__version__", "application", "crontab", "every", "get_invoker", "periodic_command", "queue_command"]
