"""Reports the dead letters that claims have named, in a thread of its own.

A report takes a look at the queue, the plugins' time and a write to the result store, and each may be slow or fail.
Neither the claims nor the outcomes of commands are to wait for that. What is not reported in time stays on the server's
list, and a claim names it again, to this consumer or to another.
"""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from huey_core.backends.leased import State
from huey_core.consumer.supervision import Service
from huey_core.invoker.abandoned import find_result, report_abandoned
from huey_core.invoker.tick_dead_letters import command_of_tick
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.base import EmptyDataType
    from huey_core.backends.leased import Delivery, StoredMessage
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source
    from huey_core.invoker.invoker import Invoker

__all__ = ["DeadLetterReporter"]

log: Final = get_logger(__name__)

DONE_AT_ONCE: Final = 100
"""The most dead letters that are reported before the server is told so."""


class _Waiting(NamedTuple):
    """What waits to be done for a dead letter, until the time by our clock until which it is ours to do.

    Where it is to replace the earlier dead letter of a periodic command, it is not to be reported itself.
    """

    until: float
    replaces_for: str | None = None


@dataclass(eq=False, repr=False)
class DeadLetterReporter(Service):
    """Reports dead letters, one after another; one whose report fails comes after the others."""

    invoker: Invoker
    source: Source
    _: KW_ONLY
    lease: float
    """Seconds for which a dead letter that a claim has named is ours to report."""
    has_reported: Callable[[], None]
    """Called for each that was reported."""
    back_off: BackOff
    clock: Callable[[], float]
    """A monotonic time in seconds."""

    def __post_init__(self) -> None:
        super().__init__("dead-letters", "the reporting of dead letters")
        self._log = log.with_fields(queue=self.source.queue_name)
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._reported: dict[str, float] = {}

    def add(self, message_ids: Sequence[str]) -> None:
        """Have these dead letters reported, soon."""
        self._add(message_ids, _Waiting(self.clock() + self.lease))

    def has_buried(self, delivery: Delivery) -> None:
        """Have the dead letter of a tick take the place of an earlier one of the same command, soon."""
        if (command_name := command_of_tick(delivery.data)) is not None:
            self._add([delivery.message_id], _Waiting(self.clock() + self.lease, command_name))

    def stop(self) -> None:
        """Have the thread end when it has reported what waits, or once a report fails."""
        super().stop()
        with self._changed:
            self._changed.notify()

    def join_until(self, deadline: float) -> None:
        """Wait for the thread, and log how many were not reported."""
        super().join_until(deadline)
        with self._changed:
            left = sum(one.replaces_for is None for one in self._waiting.values())
        if left:
            self._log.warning("stopped with %s not yet reported", counted(left, "dead letter"))

    def _add(self, message_ids: Sequence[str], waiting: _Waiting) -> None:
        with self._changed:
            self._waiting.update(dict.fromkeys(message_ids, waiting))
            self._changed.notify()

    def _work(self) -> None:
        while self._has_work():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = self.back_off.failed(error)
                if self._stopping.wait(pause):
                    return
            else:
                self.back_off.over()

    def _has_work(self) -> bool:
        """Wait until there is something to do, and say whether there is; there may be none when it is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._reported or self._stopping.is_set())
            return bool(self._waiting or self._reported)

    def _step(self) -> None:
        """Do what is to be done for one dead letter, or take those that were reported off the server's list."""
        with self._changed:
            message_id, waiting = next(iter(self._waiting.items()), (None, None))
        if message_id is None or waiting is None or len(self._reported) >= DONE_AT_ONCE:
            # One whose lease is over may have been requeued, and buried again: that is to be reported as well.
            now = self.clock()
            self.source.report_done([each for each, until in self._reported.items() if now < until])
            self._reported = {}
            return
        try:
            # Later, it is another's to report.
            if self.clock() < waiting.until:
                self._do(message_id, waiting)
        except Exception:
            with self._changed:
                self._waiting[message_id] = self._waiting.pop(message_id)
            raise
        with self._changed:
            del self._waiting[message_id]

    def _do(self, message_id: str, waiting: _Waiting) -> None:
        if waiting.replaces_for is not None:
            self.source.replace_dead_letter(waiting.replaces_for, message_id)
            return
        found = find_result(self.invoker, message_id)
        # One by one: what ends here may be large.
        for dead_letter in self.source.find([message_id]):
            # An operator may have requeued it since.
            if dead_letter.state is State.DEAD:
                self._report(dead_letter, found)
        self._reported[message_id] = waiting.until

    def _report(self, dead_letter: StoredMessage, found: bytes | EmptyDataType | None) -> None:
        # What may fail comes first, so that no plugin is notified once for each try.
        command_name = command_of_tick(dead_letter.data)
        if command_name is not None:
            self.source.replace_dead_letter(command_name, dead_letter.message_id)
        report_abandoned(self.invoker, self.source.settles_into, dead_letter, found)
        self.has_reported()
