"""Lets the consumer work with a queue that has no leases: delivery is then at most once.

What leases would do is left out, and said when the consumer starts: a message is gone from the queue as soon as it was
read, and a command that is cut off is lost. Commands that have to wait are kept in the schedule of the task store.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, assert_never

from huey_core.backends.leased import DEFAULT_MAX_DELIVERIES
from huey_core.backends.messages import Claim, Delivery, new_message_id
from huey_core.backends.outcomes import Ack, Bury, Outcome, Release, Reported, Retry
from huey_core.commands.context import log_fields
from huey_core.invoker.tick_dead_letters import schedule_of_tick
from huey_core.message import read_header
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.base import BaseDataStore, BaseQueue
    from huey_core.backends.messages import Message, StoredMessage
    from huey_core.consumer.retry import Pauses
    from huey_core.invoker.command_schedule import CommandSchedule

__all__ = ["AtMostOnceSource"]

log: Final = get_logger(__name__)


@dataclass(slots=True)
class _Progress:
    """How far the outcome of one delivery was carried out, and how many of its follow-ups were written."""

    done: bool = False
    follow_ups: int = 0


@dataclass(eq=False, repr=False)
class AtMostOnceSource:
    """Gives a plain queue all that a consumer works with."""

    max_deliveries: ClassVar = DEFAULT_MAX_DELIVERIES
    redelivers: ClassVar = False
    redelivery_note: ClassVar = "lost for good"

    queue: BaseQueue
    schedule: CommandSchedule
    task_store: BaseDataStore | None
    """Where messages are kept that would be buried; ``None`` only logs them."""
    pauses: Pauses
    """Between two looks into an empty queue that cannot wait."""
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._log = log.with_fields(queue=self.queue.name)
        self._woken = threading.Event()
        self._attempts: dict[str, int] = {}
        self._beside: dict[str, BaseQueue] = {}
        # One thread that puts back may be held up in the queue while another begins.
        self._lock = threading.Lock()
        self._to_put_back: list[bytes] = []
        self._being_put_back = 0

    @property
    def queue_name(self) -> str:
        """What the queue is called."""
        return self.queue.name

    def is_paused(self) -> bool:
        """A plain queue cannot be paused; to measure it shows whether the server answers."""
        len(self.queue)
        return False

    def claim(self, limit: int, lease: float, wait: float = 0.0) -> Claim:
        """Read up to ``limit`` messages that are due, waiting for a first one.

        Raises:
            Exception: The queue or the task store did not answer, and nothing was read before.
        """
        deadline = time.monotonic() + wait
        pause, growth, longest = self.pauses
        while True:
            deliveries = self._read_due(limit)
            remaining = deadline - time.monotonic()
            if deliveries or remaining <= 0 or self._woken.is_set():
                self._woken.clear()
                return Claim(deliveries, [])
            if not self.queue.blocking:
                next_due = self.schedule.next_due()
                until_due = float("inf") if next_due is None else max(next_due - self.clock(), 0.0)
                self._woken.wait(min(pause, remaining, until_due))
                pause = min(pause * growth, longest)

    def report_done(self, reports: Sequence[Reported]) -> None:
        """Do nothing: no claim buries anything."""

    def find(self, message_ids: Sequence[str]) -> list[StoredMessage]:
        """Return nothing: a plain queue cannot be searched."""
        return []

    def replace_dead_letter(self, schedule: str, message_id: str) -> None:
        """Do nothing: what is kept of a tick is kept in place of the one before."""

    def settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Do what an outcome asks for, as far as that is possible after the message has left the queue.

        Raises:
            Exception: The queue or the task store did not answer. Outcomes that were carried out before are left alone
                when they are settled again.
        """
        for outcome in outcomes:
            progress: _Progress = outcome.delivery.private
            if not progress.done:
                self._carry_out(outcome, progress)
                progress.done = True
        return [True] * len(outcomes)

    def extend(self, deliveries: Sequence[Delivery], lease: float) -> list[bool]:
        """There is no lease to renew, and nobody who could take the message."""
        return [True] * len(deliveries)

    def settles_into(self, store: BaseDataStore) -> bool:
        """Results are written by themselves."""
        return False

    def now(self) -> float:
        """The time of this process."""
        return self.clock()

    def next_due(self) -> float | None:
        """When the next message in the schedule is due, in seconds since the epoch."""
        return self.schedule.next_due()

    def wake(self) -> None:
        """End a wait soon."""
        self._woken.set()
        self.queue.wake()

    def put_back(self) -> None:
        """Write to the queue what was read and could be placed nowhere, for the next consumer.

        Raises:
            Exception: The queue did not answer. What it has not taken is :attr:`to_put_back` still.
        """
        if self.task_store is None:
            # What waits in this process alone.
            waiting = [data for _, data in self.schedule.take_due(float("inf"))]
            with self._lock:
                self._to_put_back += waiting
        while True:
            with self._lock:
                if not self._to_put_back:
                    return
                data = self._to_put_back.pop()
                self._being_put_back += 1
            is_written = False
            try:
                self.queue.write(data)
                is_written = True
            finally:
                with self._lock:
                    self._being_put_back -= 1
                    if not is_written:
                        self._to_put_back.append(data)

    @property
    def to_put_back(self) -> int:
        """How many messages were read and are nowhere but in this process, because nothing took them."""
        waiting = len(self.schedule) if self.task_store is None else 0
        with self._lock:
            return waiting + len(self._to_put_back) + self._being_put_back

    def _carry_out(self, outcome: Outcome, progress: _Progress) -> None:
        self._attempts.pop(outcome.delivery.message_id, None)
        match outcome:
            case Ack(_, _, follow_ups):
                self._write_follow_ups(follow_ups, progress)
            case Retry(delivery, data, delay, keep_attempts) if delay > 0 or keep_attempts:
                if keep_attempts:
                    self._attempts[delivery.message_id] = delivery.attempt + 1
                self.schedule.add(delivery.message_id, self.clock() + delay, data)
            case Release(delivery, delay) if delay > 0:
                self.schedule.add(delivery.message_id, self.clock() + delay, delivery.data)
            case Retry(_, data) | Release(Delivery(data)):
                self.queue.write(data)
            case Bury(delivery, reason):
                self._keep_dead(delivery, reason)
                self._write_follow_ups(outcome.follow_ups, progress)
            case _:
                assert_never(outcome)

    def _write_follow_ups(self, follow_ups: Sequence[Message], progress: _Progress) -> None:
        for message in follow_ups[progress.follow_ups :]:
            self._queue_of(message).write(message.data)
            progress.follow_ups += 1

    def _queue_of(self, message: Message) -> BaseQueue:
        name = message.queue
        if name is None or name == self.queue.name:
            return self.queue
        return self._beside.get(name) or self._beside.setdefault(name, self.queue.sibling(name))

    def _read_due(self, limit: int) -> list[Delivery]:
        due = [
            _deliver(data, message_id, self._attempts.get(message_id, 1))
            for message_id, data in self.schedule.take_due(self.clock())
        ]
        try:
            while len(due) < limit:
                with self._lock:
                    data = self._to_put_back.pop() if self._to_put_back else None
                if data is None:
                    data = self.queue.read()
                if data is None:
                    break
                delivery = self._deliver_or_schedule(data)
                if delivery is not None:
                    due.append(delivery)
                if self.queue.blocking:
                    # Another read could wait for a second message while the first one could be running.
                    break
        except Exception as error:
            if not due:
                raise
            # What was read is nowhere else any more. If that lasts, the next call raises it.
            log.debug("reading stopped after %s: %s", counted(len(due), "message"), error_line(error))
        return due

    def _deliver_or_schedule(self, data: bytes) -> Delivery | None:
        header = read_header(data)
        # What is wrong with a message that cannot be read is for the runner to say.
        message_id, eta = header.task_id or new_message_id(), header.eta
        if eta is not None and eta > self.clock():
            try:
                self.schedule.add(message_id, eta, data)
            except Exception:
                self._put_back(data)
                raise
            return None
        return _deliver(data, message_id)

    def _put_back(self, data: bytes) -> None:
        """Write a message to the queue, where it survives this process; keep it here when that fails as well."""
        try:
            self.queue.write(data)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
            reason = error_line(error)
            log.debug("a message is kept in this process until it can be put into the schedule: %s", reason)
            self._to_put_back.append(data)

    def _keep_dead(self, delivery: Delivery, reason: str) -> None:
        log = self._log.with_fields(**log_fields(self.queue_name, delivery))
        if self.task_store is None:
            log.error("message %s is lost, because dead letters need a task store: %s", delivery.message_id, reason)
        else:
            # Of a schedule's ticks, the latest takes the place of the one before.
            schedule = schedule_of_tick(delivery.data)
            key = delivery.message_id if schedule is None else f"tick:{schedule}"
            self.task_store.put(f"dead:{key}", delivery.data)
            log.error("message %s is kept in the task store under 'dead:...': %s", delivery.message_id, reason)


def _deliver(data: bytes, message_id: str, attempt: int = 1) -> Delivery:
    # The consumer tells a message that came back from the one that it has just given back by the receipt.
    return Delivery(data, message_id, new_message_id(), attempt, _Progress())
