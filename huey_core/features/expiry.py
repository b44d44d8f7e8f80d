"""Expiry: a command that waited for too long is dropped without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.exceptions import CommandExpired
from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand
    from huey_core.hookspecs import InvokerLike

__all__ = ["Expiry"]


class Expiry:
    """Drops a command whose option ``expires`` or ``expire_time`` has passed."""

    # First, so that nobody prepares for what will not run.
    @hookimpl(tryfirst=True)
    def huey_before_execute(self, invoker: InvokerLike, command: QueueCommand) -> None:
        if command.expires_at is not None and invoker.now() > command.expires_at:
            raise CommandExpired(f"{command.command_name} {command.task_id} had expired before it could start")
