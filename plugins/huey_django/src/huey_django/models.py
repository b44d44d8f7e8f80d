"""What the admin needs of a model: a place in its index, permissions, and entries in its log. There is no table."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote, unquote

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["Command"]


class NoRows(models.Manager["Command"]):
    """Finds nothing and asks no database, so that ``dumpdata`` and others pass over the model."""

    def get_queryset(self) -> models.QuerySet[Command]:
        """An empty result."""
        return super().get_queryset().none()


class Command(models.Model):
    """A command in a queue, or with an empty id the queue itself, as the admin's log names it.

    Attributes:
        address: The queue's name in the project, in which ``/`` is quoted, a ``/``, and the id.
        label: What the log shows.
    """

    address: models.CharField[str, str] = models.CharField(max_length=500, primary_key=True)
    label: models.CharField[str, str] = models.CharField(max_length=200)

    objects: ClassVar[models.Manager[Any]] = NoRows()

    class Meta:
        """No table, and permissions that say what they permit."""

        managed = False
        base_manager_name = "objects"
        verbose_name = _("command")
        verbose_name_plural = _("queues")
        default_permissions = ()
        permissions: ClassVar = [
            ("view_command", "Can view queues and the commands in them"),
            ("view_command_arguments", "Can view the arguments of commands"),
            ("change_command", "Can retry commands, and pause and resume queues"),
            ("delete_command", "Can delete commands"),
        ]

    def __str__(self) -> str:
        return self.label

    @staticmethod
    def address_of(queue: str, message_id: str = "") -> str:
        """The address of a message, or of a queue."""
        return f"{quote(queue, safe='')}/{message_id}"

    @staticmethod
    def parse_address(address: str) -> tuple[str, str]:
        """Take an address apart into the queue's name and the id."""
        queue, _slash, message_id = address.partition("/")
        return unquote(queue), message_id
