"""The Django application."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["HueyConfig"]


class HueyConfig(AppConfig):
    """Registers the system checks. Nothing connects, and no application's commands are imported."""

    name = "huey_django"
    verbose_name = "Task queue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Called by Django when every application is loaded."""
        from huey_django import checks

        checks.register_all()
