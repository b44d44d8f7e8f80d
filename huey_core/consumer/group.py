"""Several consumers in one process, started and stopped as one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from huey_core.consumer.signals import Runnable

__all__ = ["ConsumerGroup"]


class ConsumerGroup:
    """Several consumers that start and stop as one.

    Args:
        members: The consumers, and whatever else starts and stops with them.
    """

    def __init__(self, members: Iterable[Runnable]) -> None:
        self._members = list(members)

    def start(self) -> None:
        """Start one after another.

        Raises:
            BaseException: What one raised that could not start; those before it were stopped.
        """
        for index, member in enumerate(self._members):
            try:
                member.start()
            except BaseException:
                ConsumerGroup(self._members[:index]).stop("another one cannot start")
                raise

    def stop(self, reason: str) -> None:
        """Stop all at the same time, so that together they take no longer than one.

        Args:
            reason: Why, for the log and the plugins.
        """
        self._at_once(lambda member: member.stop(reason))

    def stop_now(self) -> None:
        """Give back at once what any of them holds."""
        self._at_once(lambda member: member.stop_now())

    def _at_once(self, function: Callable[[Runnable], object]) -> None:
        with ThreadPoolExecutor(len(self._members) or 1, "huey-stop") as pool:
            list(pool.map(function, self._members))
