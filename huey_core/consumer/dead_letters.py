"""Reports the dead letters that claims have named, in a thread of its own.

A report takes a look at the queue, the plugins' time and a write to the result store, and each may be slow or fail.
Neither the claims nor the outcomes of commands are to wait for that. What is not reported in time stays on the server's
list, and a claim names it again, to this consumer or to another.
"""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.messages import State
from huey_core.backends.outcomes import Reported
from huey_core.consumer.supervision import Service
from huey_core.exceptions import CommandAbandoned, MessageTooLarge
from huey_core.features.results import find_result
from huey_core.invoker.abandoned import report_abandoned
from huey_core.invoker.follow_ups import NOTHING, Following
from huey_core.invoker.tick_dead_letters import schedule_of_tick
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.base import EmptyDataType
    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.source import Source
    from huey_core.invoker.invoker import Invoker

__all__ = ["DeadLetterReporter"]

log: Final = get_logger(__name__)

MOST: Final = 10_000
"""The most dead letters that wait here: no more than a lease is enough for, and a few MiB.

What a claim names beyond them is named again when its lease is over.
"""


@dataclass(slots=True)
class _Pending:
    """What is still to be done for a dead letter."""

    until: float = float("inf")
    """Until when it is ours to report."""
    replaces_for: str | None = None
    """The periodic command whose earlier dead letter it is to replace; then it is not to be reported itself."""
    reported: float | None = None
    """When the one was buried that was reported, and is still to be taken off the server's list."""
    following: Following = NOTHING
    """What follows the one that was reported."""
    refused_since: float | None = None
    """When the server first refused what follows it."""


@dataclass(eq=False, repr=False)
class DeadLetterReporter(Service):
    """Reports dead letters, one after another; one whose report fails comes after the others.

    Each is taken off the server's list as soon as it was reported. While that is being tried, claims may name it again,
    to which this one only listens for how long it has.
    """

    invoker: Invoker
    source: Source
    _: KW_ONLY
    what_follows: Callable[[StoredMessage, BaseException], Following]
    """Finds out what follows a command that has ended with an error."""
    has_reported: Callable[[], None]
    """Called for each that was reported."""
    back_off: BackOff
    policy: Policy
    clock: Callable[[], float]
    """A monotonic time in seconds."""

    def __post_init__(self) -> None:
        super().__init__("dead-letters", "the reporting of dead letters", self.policy)
        self._log = log.with_fields(queue=self.source.queue_name)
        self._changed = threading.Condition()
        self._pending: dict[str, _Pending] = {}

    def add(self, message_ids: Sequence[str], until: float) -> None:
        """Have the dead letters that a claim has named reported, soon; :data:`MOST` at the most.

        Args:
            message_ids: Their ids.
            until: Until when they are ours to report, by our clock.
        """
        with self._changed:
            for message_id in message_ids:
                if (known := self._pending.get(message_id)) is not None:
                    known.until = until
                elif len(self._pending) < MOST:
                    self._pending[message_id] = _Pending(until)
            self._changed.notify()

    def has_buried(self, delivery: Delivery) -> None:
        """Have the dead letter of a tick take the place of an earlier one of the same schedule, soon.

        No claim names it. So it waits for as long as the servers are away, and beyond :data:`MOST`.
        """
        if (schedule := schedule_of_tick(delivery.data)) is not None:
            with self._changed:
                self._pending[delivery.message_id] = _Pending(replaces_for=schedule)
                self._changed.notify()

    @property
    def is_busy(self) -> bool:
        """Whether there is something to report, or to replace."""
        with self._changed:
            return bool(self._pending)

    def stop(self) -> None:
        """Have the thread end when it has done what waits, or when something of that fails, or nobody waits for it."""
        super().stop()
        with self._changed:
            self._changed.notify()

    def join_until(self, deadline: float) -> None:
        """Wait for the thread, and log how many were not reported."""
        super().join_until(deadline)
        with self._changed:
            left = sum(one.replaces_for is None and one.reported is None for one in self._pending.values())
        if left:
            self._log.warning("stopped with %s not yet reported", counted(left, "dead letter"))

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
            self._changed.wait_for(lambda: self._pending or self._stopping.is_set())
            first = next(iter(self._pending.values()), None)
            # What was reported is still to be taken off the list, lest another report it again.
            return first is not None and (not self._given_up or first.reported is not None)

    def _step(self) -> None:
        """Do the next thing that is to be done for the first dead letter."""
        with self._changed:
            message_id, pending = next(iter(self._pending.items()))
        try:
            is_over = self._advance(message_id, pending)
        except BaseException:
            with self._changed:
                self._pending[message_id] = self._pending.pop(message_id)
            raise
        with self._changed:
            # Another may stand there meanwhile, of a message that was requeued and buried again.
            if is_over and self._pending[message_id] is pending:
                del self._pending[message_id]

    def _advance(self, message_id: str, pending: _Pending) -> bool:
        """Do the next thing for a dead letter, and return whether it was the last."""
        if pending.replaces_for is not None:
            self.source.replace_dead_letter(pending.replaces_for, message_id)
            return True
        if pending.reported is None and self.clock() >= pending.until:
            # It is another's to report.
            return True
        found = None if pending.reported is not None else find_result(self.invoker, message_id)
        # One by one: what ends here may be large.
        dead_letter = next(iter(self.source.find([message_id])), None)
        if dead_letter is None or dead_letter.state is not State.DEAD:
            # An operator has requeued or deleted it, and so taken it off the list.
            return True
        if pending.reported is None:
            if self._given_up or self.clock() >= pending.until:
                # That took too long.
                return False
            pending.following = self._report(dead_letter, found)
            pending.reported = dead_letter.due
            return False
        if pending.reported == dead_letter.due:
            self._take_off_the_list(message_id, pending)
            return True
        # It was requeued and buried again while it was reported.
        pending.reported = None
        return False

    def _take_off_the_list(self, message_id: str, pending: _Pending) -> None:
        try:
            self.source.report_done([Reported(message_id, *pending.following)])
        except Exception as error:
            if not any(pending.following) or not self._is_refused_for_good(pending, error):
                raise
            # A server that writes this would write what follows too.
            self.source.report_done([Reported(message_id)])
            self._log.error(
                "what follows the dead letter %s cannot be written, so nothing does: %s", message_id, error_line(error)
            )

    def _is_refused_for_good(self, pending: _Pending, error: Exception) -> bool:
        """Whether it is due to what follows, and not to the state of the server, that it was not written."""
        if isinstance(error, MessageTooLarge):
            return True
        try:
            self.source.now()
        except Exception as failure:  # noqa: BLE001 - a driver may raise anything while its server is away
            self._log.debug("the server does not answer: %s", error_line(failure))
            pending.refused_since = None
            return False
        if pending.refused_since is None:
            pending.refused_since = self.clock()
        return self.clock() - pending.refused_since >= self.policy.parked_for

    def _report(self, dead_letter: StoredMessage, found: bytes | EmptyDataType | None) -> Following:
        # What may fail comes first, so that no plugin is notified once for each try.
        schedule = schedule_of_tick(dead_letter.data)
        if schedule is not None:
            self.source.replace_dead_letter(schedule, dead_letter.message_id)
        report_abandoned(self.invoker, self.source.settles_into, dead_letter, found)
        self.has_reported()
        return self.what_follows(dead_letter, CommandAbandoned(dead_letter.reason))
