"""What the log says of single runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.commands.context import log_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.commands.base import QueueCommand
    from huey_core.safe_logging import SafeLogger

__all__ = ["RunLog"]

log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log of the runs of one queue.

    Attributes:
        queue_name: The name of the queue.
        log_commands: Whether each command that ended is one line of level INFO.
    """

    queue_name: str
    log_commands: bool

    def of(
        self,
        message: Delivery | StoredMessage,
        command: QueueCommand | None = None,
        duration: float | None = None,
    ) -> SafeLogger:
        """The logger whose records have the fields of a message, and as far as they are known those of its run."""
        name = None if command is None else command.command_name
        return log.with_fields(**log_fields(self.queue_name, message, name, duration))

    def ended(self, how: str, command: QueueCommand, delivery: Delivery, duration: float) -> None:
        """Say that a command has ended, if that is wanted."""
        if self.log_commands:
            self.of(delivery, command, duration).info("%s %s after %.3f s", command, how, duration)
