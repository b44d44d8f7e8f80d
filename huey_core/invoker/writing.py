"""The way from an encoded command into a queue of either kind, in as few calls as the queue allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.backends.leased import LeasedQueue, Message, Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseQueue
    from huey_core.commands.base import QueueCommand

__all__ = ["message_of", "write"]


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


def write(queue: BaseQueue, messages: Sequence[Message]) -> list[Written]:
    """Write messages in their order. A plain queue takes their bytes and nothing else.

    Returns:
        For each message whether it was written, and the id of the live one.
    """
    if not isinstance(queue, LeasedQueue):
        for message in messages:
            queue.write(message.data)
        return [Written(True, message.message_id) for message in messages]
    if len(messages) > 1:
        return queue.write_many(messages)
    return [
        queue.write(
            message.data,
            message_id=message.message_id,
            priority=message.priority,
            eta=message.eta,
            unique_key=message.unique_key,
            unique_for=message.unique_for,
        )
        for message in messages
    ]
