"""Retries: a command that raised is tried again, as its options say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand
    from huey_core.hookspecs import InvokerLike

__all__ = ["Retries"]


class Retries:
    """Follows ``retries``, ``retry_delay``, ``retry_backoff``, ``retry_on`` and ``give_up_on``."""

    @hookimpl(trylast=True)
    def huey_retry_delay(self, invoker: InvokerLike, command: QueueCommand, error: BaseException) -> float | None:
        if command.retries > 0 and command.options.may_retry(error):
            return command.options.delay_before_retry(command.retried)
        return None
