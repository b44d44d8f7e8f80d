"""Reports the dead letters that the claims of a consumer have made, in a thread of its own.

A report takes a look at the queue, the plugins' time and a write to the result store, and each may be slow or fail.
Neither the claims nor the outcomes of commands are to wait for that.
"""

from __future__ import annotations

import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from huey_core.backends.leased import State
from huey_core.consumer.supervision import Service
from huey_core.invoker.abandoned import report_abandoned, write_in_place_of_result
from huey_core.invoker.tick_dead_letters import command_of_tick, replace_dead_letter
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.leased import Delivery, LeasedQueue
    from huey_core.invoker.invoker import Invoker

__all__ = ["DeadLetterReporter"]

log: Final = get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries while a server is away, at first and at most."""

PATIENCE: Final = 600.0
"""Seconds of failures in a row after which each burial is tried once and given up, so that they do not pile up."""


class _TickDeadLetter(NamedTuple):
    command_name: str
    message_id: str


class DeadLetterReporter(Service):
    """Reports dead letters, one after another.

    Args:
        invoker: Whose commands they are.
        queue: Its queue.

    Attributes:
        queue: The queue.
    """

    def __init__(self, invoker: Invoker, queue: LeasedQueue) -> None:
        super().__init__("dead-letters", "the reporting of dead letters")
        self._invoker = invoker
        self.queue = queue
        self._waiting: SimpleQueue[str | _TickDeadLetter | None] = SimpleQueue()
        self._failing_since: float | None = None

    def add(self, message_ids: Sequence[str]) -> None:
        """Have these dead letters reported, soon."""
        for message_id in message_ids:
            self._waiting.put(message_id)

    def has_buried(self, delivery: Delivery) -> None:
        """Have the dead letter of a tick take the place of an earlier one of the same command, soon."""
        if (command_name := command_of_tick(delivery.data)) is not None:
            self._waiting.put(_TickDeadLetter(command_name, delivery.message_id))

    def stop(self) -> None:
        """Have the thread end when it has reported what waits, or once the server fails; the dead letters stay."""
        self._stopping.set()
        self._waiting.put(None)

    def join_until(self, deadline: float) -> None:
        """Wait for the thread, and log how many were not reported."""
        super().join_until(deadline)
        at_hand = 1 if self.is_alive() else 0
        unreported = self._waiting.qsize() - 1 + at_hand
        if unreported > 0:
            log.warning("stopped with %s not yet reported", counted(unreported, "dead letter"))

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            if isinstance(one, _TickDeadLetter):
                self._replace(one)
            else:
                self._report(one)
            if self._stopping.is_set() and self._failing_since is not None:
                return

    def _report(self, message_id: str) -> None:
        # One by one: what ends here may be large.
        letters = self._insist(message_id, lambda: self.queue.find([message_id]))
        # An operator may have requeued it since.
        if letters and letters[0].state is State.DEAD:
            result = report_abandoned(self._invoker, letters[0])
            if result is not None:
                self._insist(message_id, lambda: write_in_place_of_result(self.queue, result))
            command_name = command_of_tick(letters[0].data)
            if command_name is not None:
                self._replace(_TickDeadLetter(command_name, message_id))

    def _replace(self, letter: _TickDeadLetter) -> None:
        store = self._invoker.task_store
        self._insist(letter.message_id, lambda: replace_dead_letter(self.queue, store, *letter))

    def _insist(self, message_id: str, step: Callable[[], T]) -> T | None:
        """Take a step, again and again until it succeeds; ``None`` when it is given up."""
        pause = FIRST_PAUSE
        while True:
            try:
                done = step()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                now = time.monotonic()
                if self._failing_since is None:
                    self._failing_since = now
                    log.warning("dead letter %s cannot be reported yet, retrying: %s", message_id, error_line(error))
                if now - self._failing_since > PATIENCE:
                    log.error("dead letter %s was not reported: whoever waits for its result is not told", message_id)
                    return None
                if self._stopping.wait(pause):
                    return None
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._failing_since = None
                return done
