"""Several consumers in one process, started and stopped as one."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from huey_core.consumer.consumer import Consumer
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from huey_core.consumer.signals import Runnable

__all__ = ["ConsumerGroup"]

log: Final = get_logger(__name__)


class ConsumerGroup:
    """Several consumers that start and stop as one; in a burst, when nothing is ready for any of them.

    Args:
        members: The consumers, and whatever else starts and stops with them.
    """

    def __init__(self, members: Iterable[Runnable]) -> None:
        self._members = list(members)
        consumers = [member for member in self._members if isinstance(member, Consumer)]
        for consumer in consumers:
            consumer.stand_with(consumers)

    def start(self) -> None:
        """Start one after another.

        Raises:
            BaseException: What one raised that could not start; those before it were stopped.
        """
        for index, member in enumerate(self._members):
            try:
                member.start()
            except BaseException:
                _at_once(lambda before: before.stop("another one cannot start"), self._members[:index])
                raise

    def stop(self, reason: str) -> bool:
        """Stop all at the same time, so that together they take no longer than one.

        Args:
            reason: Why, for the log and the plugins.

        Returns:
            Whether every one finished in time.

        Raises:
            BaseException: What the first one raised that could not stop. Each is logged, and the others have stopped.
        """
        ended = _at_once(lambda member: member.stop(reason), self._members)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
        return False not in ended

    def is_healthy(self) -> bool:
        """Whether all are."""
        return all(member.is_healthy() for member in self._members)

    def when_stopped(self, call: Callable[[], object]) -> None:
        """Have a function called when the last one has stopped."""
        left, lock = set(range(len(self._members))), threading.Lock()

        def note(index: int) -> None:
            with lock:
                left.discard(index)
                is_last = not left
            if is_last:
                call()

        for index, member in enumerate(self._members):
            member.when_stopped(partial(note, index))

    def stop_now(self) -> None:
        """Give back at once what any of them holds."""
        _at_once(lambda member: member.stop_now(), self._members)


def _at_once(function: Callable[[Runnable], object], members: Sequence[Runnable]) -> list[object]:
    """Return what the function returned for each, or the exception that it raised."""
    ended: list[object] = [None] * len(members)

    def call(index: int) -> None:
        try:
            ended[index] = function(members[index])
        except BaseException as error:
            ended[index] = error
            log.critical("a member of the group could not be stopped", exc_info=True)

    threads = []
    for index in range(len(members)):
        # A daemon, so that one that hangs does not keep the process from ending.
        thread = threading.Thread(target=call, args=(index,), name="huey-stop", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # A process that is ending, in whose exit handler this is called, starts no thread.
            call(index)
        else:
            threads.append(thread)
    for thread in threads:
        thread.join()
    return ended
