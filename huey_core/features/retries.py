"""Retries: a command that raised is tried again, as its options say, or as it asks itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.exceptions import CommandRetry
from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand
    from huey_core.hookspecs import InvokerLike

__all__ = ["Retries"]


class Retries:
    """Follows ``CommandRetry``, or else ``retries``, ``retry_delay``, ``retry_on`` and the options beside them."""

    @hookimpl(trylast=True)
    def huey_retry_delay(self, invoker: InvokerLike, command: QueueCommand, error: BaseException) -> float | None:
        # By its type, for whatever a command raises may answer anything for its class.
        if issubclass(type(error), CommandRetry):
            return _delay_asked_for(command, error)  # type: ignore[arg-type]
        if command.retries > 0 and command.options.may_retry(error):
            return command.options.delay_before_retry(command.retried)
        return None


def _delay_asked_for(command: QueueCommand, asked: CommandRetry) -> float | None:
    if asked.max_retries is not None and command.retried >= asked.max_retries:
        asked.refused_after = command.retried
        return None
    return command.options.delay_before_retry(command.retried) if asked.delay is None else asked.delay
