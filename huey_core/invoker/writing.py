"""The way from an encoded command into a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.backends.leased import Message, Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseQueue
    from huey_core.commands.base import QueueCommand

__all__ = ["message_of", "write_plain"]


def message_of(command: QueueCommand, data: bytes) -> Message:
    """Make the message that carries a command.

    Args:
        command: The command.
        data: The command, encoded.

    Raises:
        Exception: What the ``unique_key=`` of the application raises.
    """
    options = command.options
    unique_key, unique_for = command.unique or (command.unique_key(), options.unique_for)
    return Message(data, command.task_id, options.priority, command.eta, unique_key, unique_for)


def write_plain(queue: BaseQueue, messages: Sequence[Message]) -> list[Written]:
    """Write messages in their order to a queue without leases, which takes their bytes and nothing else."""
    for message in messages:
        queue.write(message.data)
    return [Written(True, message.message_id) for message in messages]
