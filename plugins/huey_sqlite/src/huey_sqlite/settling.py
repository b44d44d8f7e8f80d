"""How deliveries end: each outcome with its result and what follows it, within a transaction of the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from huey_core.backends import Ack, Bury, Release, Reported, Retry
from huey_sqlite.groups import Groups
from huey_sqlite.messages import Messages
from huey_sqlite.values import Values

if TYPE_CHECKING:
    import sqlite3

    from huey_core.backends import Arrival, Outcome

__all__ = ["Settling"]


class Settling:
    """Ends deliveries of one queue, over one connection, at one moment.

    Args:
        connection: Within a transaction.
        queue: The queue's name.
        now: The time in seconds since the epoch.
    """

    def __init__(self, connection: sqlite3.Connection, queue: str, now: float) -> None:
        self._connection = connection
        self._queue = queue
        self._now = now
        self._messages = Messages(connection, queue)

    def settle(self, outcome: Outcome) -> bool:
        """End a delivery, and say whether its receipt was still good."""
        here = self._messages
        match outcome:
            case Ack():
                took_effect = here.ack(outcome.delivery)
                if took_effect and (outcome.follow_ups or outcome.arrivals):
                    self._write_what_follows(outcome)
            case Retry():
                due = self._after(outcome.delay)
                took_effect = here.retry(outcome.delivery, outcome.data, due, outcome.keep_attempts)
            case Release():
                due = self._after(outcome.delay) if self._is_to_wait(outcome) else None
                took_effect = here.release(outcome.delivery, due, outcome.wake)
            case Bury():
                took_effect = here.bury(outcome.delivery, outcome.reason, outcome.detail, self._now)
                if took_effect and (outcome.follow_ups or outcome.arrivals):
                    self._write_what_follows(outcome)
            case _:
                assert_never(outcome)
        result = outcome.result
        if took_effect and result is not None:
            Values(self._connection, result.store.name, self._now).put(result.key, result.value, result.ttl)
        return took_effect

    def report(self, report: Reported) -> None:
        """Take a dead letter off the list of those to be reported, and write what follows it if it was there."""
        if self._messages.report_done(report.message_id):
            self._write_what_follows(report)

    def _write_what_follows(self, ended: Ack | Bury | Reported) -> None:
        messages = [*ended.follow_ups, *(each.then for each in ended.arrivals if self._is_last(each))]
        for queue in dict.fromkeys(message.queue or self._queue for message in messages):
            these = [message for message in messages if (message.queue or self._queue) == queue]
            Messages(self._connection, queue).write_all(these, self._now)

    def _is_last(self, arrival: Arrival) -> bool:
        """Note an arrival in the queue of what follows its group, and say whether that completes the group."""
        return Groups(self._connection, arrival.then.queue or self._queue, self._now).note(arrival)

    def _is_to_wait(self, release: Release) -> bool:
        """Whether the key that a message shall wait for still has the value that was seen."""
        wake = release.wake
        return wake is None or Values(self._connection, wake.store.name, self._now).look(wake.key) == wake.value

    def _after(self, delay: float) -> float | None:
        return self._now + delay if delay > 0 else None
