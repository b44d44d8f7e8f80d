"""A consumer in the caller's thread, one command after another, with nothing left to chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from huey_core.backends import Delivery, Outcome, Reported, State, is_final
from huey_core.consumer import TickWriter
from huey_core.exceptions import CommandAbandoned, CommandCancelled, CommandExpired, CommandRevoked
from huey_core.invoker import CommandRunner, find_result, report_abandoned
from huey_core.safe_logging import get_logger
from huey_core.text import error_line
from huey_testing.recorder import read_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends import LeasedQueue
    from huey_core.commands import QueueCommand
    from huey_core.invoker import Invoker

__all__ = ["Driver", "Run"]

T = TypeVar("T")

log: Final = get_logger(__name__)

TRIES: Final = 100
"""How often a call of the queue is tried that keeps failing, before its error is passed on."""


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Attributes:
        command: The command as it was before; ``None`` for a message that could not be read.
        attempt: The number of this delivery since the message's last outcome, from 1.
        value: What it returned.
        error: What it raised, or why it did not run.
        outcome: How the delivery ended: ``Ack``, ``Retry`` or ``Bury``.
        settled: Whether the outcome took effect; ``False`` when the lease had ended.
    """

    command: QueueCommand | None
    attempt: int
    value: Any
    error: BaseException | None
    outcome: Outcome
    settled: bool

    @property
    def failed(self) -> bool:
        """Whether the command raised and will not be tried again."""
        dropped = isinstance(self.error, CommandCancelled | CommandRevoked | CommandExpired)
        return self.error is not None and self.settled and not dropped and is_final(self.outcome)


class Driver:
    """Does for one invoker what a consumer does, when it is told to.

    Where a consumer would wait for its server and try again, this tries again at once.

    Args:
        invoker: The invoker.
        queue: Its queue.
    """

    def __init__(self, invoker: Invoker, queue: LeasedQueue) -> None:
        self._invoker = invoker
        self._queue = queue
        # Of another object of the same queue: a fault that is ordered for one of these is meant for the application.
        unwatched = type(queue).sibling(queue, queue.name)
        self._peek = unwatched.peek
        self._find = unwatched.find
        self._report_done = unwatched.report_done
        self._runner = CommandRunner(invoker, unreadable_deliveries=queue.max_deliveries)
        self._ticks = TickWriter(invoker)
        self._next_ticks = float("inf")
        self._running: list[Delivery] = []

    def run_next(self) -> Run | None:
        """Run the next command that is due; ``None`` when none is.

        What is not an :class:`Exception` passes through, and its message is left to its lease, as when a process dies.
        """
        deliveries, buried = _insist(lambda: self._queue.claim(1, self._invoker.lease))
        if buried:
            self._report(buried)
        if not deliveries:
            return None
        delivery = deliveries[0]
        self._running.append(delivery)
        try:
            _insist(lambda: self._runner.prepare([delivery]))
            outcome, execution = self._runner.run(delivery)
        finally:
            self._running.remove(delivery)
        settled = _insist(lambda: self._queue.settle([outcome]))[0]
        command = read_command(self._invoker.codec, delivery.data)
        return Run(command, delivery.attempt, execution.value, execution.error, outcome, settled)

    def _report(self, buried: Sequence[str]) -> None:
        reports = {message_id: Reported(message_id) for message_id in buried}
        for dead_letter in self._find(buried):
            message_id = dead_letter.message_id
            found = find_result(self._invoker, message_id)
            report_abandoned(self._invoker, self._queue.settles_into, dead_letter, found)
            following = self._runner.what_follows_unread(dead_letter, CommandAbandoned(dead_letter.reason))
            reports[message_id] = Reported(message_id, *following)
        self._report_done(list(reports.values()))

    def dues(self) -> list[float]:
        """When the next delayed message is due and the next lease ends, in seconds since the epoch."""
        firsts = self._peek(State.SCHEDULED, limit=1) + self._peek(State.RUNNING, limit=1)
        return [message.due for message in firsts if message.due is not None]

    def next_ticks(self, now: float) -> float:
        """When to look at periodic commands again, in seconds since the epoch; infinite where there are none."""
        has_entries = bool(_insist(self._ticks.entries))
        self._next_ticks = _insist(lambda: self._ticks.next_due(now)) if has_entries else float("inf")
        return self._next_ticks

    def write_ticks(self, now: float) -> None:
        """Write the periodic commands that are due at ``now`` (seconds since the epoch), if it is time for that."""
        if now >= self._next_ticks:
            _insist(lambda: self._ticks.write(now))

    @property
    def heartbeat(self) -> float:
        """Seconds after which the leases of running commands are renewed; infinite while none runs."""
        return self._invoker.lease / 3 if self._running else float("inf")

    def renew(self) -> None:
        """Renew the leases of the commands that run, for one that lets time pass."""
        if self._running:
            try:
                self._queue.extend(self._running, self._invoker.lease)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                log.info("a lease is not renewed: %s", error_line(error))


def _insist(call: Callable[[], T]) -> T:
    for _ in range(TRIES - 1):
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            log.info("trying again after %s", error_line(error))
    return call()
