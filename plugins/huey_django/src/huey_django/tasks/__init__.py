"""A backend for Django's own tasks, :mod:`django.tasks`; it needs Django 6.0 or newer.

::

    TASKS = {
        "default": {
            "BACKEND": "huey_django.tasks.HueyBackend",
            "QUEUES": ["default", "mail"],
            "OPTIONS": {"URL": "redis://localhost:6379/0", "RETRIES": 3},
        }
    }

On an older Django this module can be imported, as ``run_huey`` does for every application, and is empty.
"""

from __future__ import annotations

import django

if django.VERSION >= (6, 0):
    from huey_django.tasks.backend import HueyBackend, invokers_of
    from huey_django.tasks.task import HueyTask

__all__ = ["HueyBackend", "HueyTask", "invokers_of"]
