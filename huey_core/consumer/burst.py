"""Ends a consumer when nothing is ready any more: for a job of CI or of cron, and for tests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.consumer.supervision import Service
from huey_core.exceptions import Unsupported
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.served_queue import ServedQueue
    from huey_core.consumer.tick_writer import TickWriter
    from huey_core.invoker.invoker import Invoker
    from huey_core.settings import ConsumerConfig

__all__ = ["Backlog", "Burst", "check_burst", "make_burst", "policy_of_burst"]

log: Final = get_logger(__name__)

CLAIMS_WAIT: Final = 0.1
"""Seconds for which a claim of a burst may wait in the server: the last ones bring nothing."""

LOOKS_AHEAD_EVERY: Final = 1.0
"""Seconds between two questions to the server when the next message is due."""


def policy_of_burst(policy: Policy) -> Policy:
    """What a consumer decides by in a burst: its claims come back soon."""
    return replace(policy, longest_wait=min(policy.longest_wait, CLAIMS_WAIT))


def make_burst(
    config: ConsumerConfig,
    queues: Sequence[ServedQueue],
    make_tick_writer: Callable[[Invoker], TickWriter],
    end: Callable[[str], object],
    policy: Policy,
) -> Burst | None:
    """Make what ends a consumer when its burst is over; nothing where the settings ask for none.

    Args:
        config: The settings.
        queues: The queues that it serves.
        make_tick_writer: Makes what enqueues the periodic commands of an invoker's queue.
        end: Stops the consumer, for a reason in a few words.
        policy: What is no setting.
    """
    if not config.burst:
        return None
    ticks = [
        partial(_write_ticks, make_tick_writer(queue.invoker), queue.source.now)
        for queue in (queues if config.runs_periodic else ())
    ]
    return Burst(
        backlog=Backlog(queues, config.burst_wait, ticks),
        end=end,
        back_off=queues[0].back_off("looking for what is ready"),
        policy=policy,
    )


def _write_ticks(writer: TickWriter, now: Callable[[], float]) -> None:
    writer.write(now())


def check_burst(config: ConsumerConfig, queues: Iterable[ServedQueue]) -> None:
    """Refuse a burst that cannot be waited with.

    Raises:
        Unsupported: A queue cannot tell when its next message is due.
    """
    for queue in queues if config.burst and config.burst_wait else ():
        if queue.source.redelivers and Capability.INSPECT not in queue.invoker.queue.capabilities:
            raise Unsupported(
                f"BURST_WAIT needs to know when the next message is due, and the queue {queue.name!r} does not declare "
                "'inspect'; leave it out"
            )


class Backlog:
    """What is left to do in queues: of one consumer, or of several that end together.

    It is over when each queue has answered that nothing is ready since the last command of all queues has ended, and
    was settled with all that follows it. So what a command enqueues, in whichever of the queues, is part of it.

    Args:
        queues: The queues.
        wait: Seconds within which a message has to be due to be waited for.
        ticks: What enqueues the periodic commands that are due when it begins.
        clock: A monotonic time in seconds.
    """

    def __init__(
        self,
        queues: Sequence[ServedQueue],
        wait: float = 0.0,
        ticks: Iterable[Callable[[], object]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = list(queues)
        self._wait = wait
        self._ticks = list(ticks)
        self._clock = clock
        self._lock = threading.Lock()
        self._is_over = False
        self._claimed = -1
        self._quiet_since: float | None = None
        self._looks_ahead_at = float("-inf")

    def add(self, other: Backlog) -> None:
        """Let another one be part of this one; to be done before either was asked."""
        self._queues += other._queues
        self._ticks += other._ticks
        self._wait = max(self._wait, other._wait)

    def is_over(self) -> bool:
        """Whether nothing is left; once it is so, it stays so.

        Raises:
            Exception: A server did not answer.
        """
        with self._lock:
            while self._ticks:
                self._ticks[0]()
                del self._ticks[0]
            if not self._is_over and self._is_quiet() and not self._waits_for_more():
                self._is_over = True
                self._name_what_is_paused()
            return self._is_over

    def _is_quiet(self) -> bool:
        """Whether every queue was found to be empty since the last command of all of them was settled."""
        claimed = sum(queue.in_flight.stats().claimed for queue in self._queues)
        is_busy = any(len(queue.in_flight) or queue.dead_letters.is_busy for queue in self._queues)
        if is_busy or claimed != self._claimed:
            self._claimed, self._quiet_since = claimed, None
            return False
        if self._quiet_since is None:
            self._quiet_since = self._clock()
        # A claim that began before could have come too early for what the last command has enqueued.
        return all(queue.fetcher.found_nothing_at > self._quiet_since for queue in self._queues)

    def _waits_for_more(self) -> bool:
        if not self._wait:
            return False
        if (now := self._clock()) < self._looks_ahead_at:
            return True
        # What is due in a queue that is paused does not come.
        waiting = [queue.source for queue in self._queues if not queue.source.is_paused()]
        due_in = [due - source.now() for source in waiting if (due := source.next_due()) is not None]
        soonest = min(due_in, default=float("inf"))
        self._looks_ahead_at = now + min(max(soonest, CLAIMS_WAIT), LOOKS_AHEAD_EVERY)
        return soonest <= self._wait

    def _name_what_is_paused(self) -> None:
        for queue in self._queues:
            if queue.source.is_paused():
                log.warning(
                    "queue %r is paused, so nothing more of it was run; 'huey resume' lets it go on",
                    queue.name,
                    extra={"queue": queue.name},
                )


@dataclass(eq=False, repr=False, kw_only=True)
class Burst(Service):
    """Looks again and again whether anything is left to do, and ends the consumer when nothing is."""

    backlog: Backlog
    end: Callable[[str], object]
    """Called with the reason, once."""
    back_off: BackOff
    policy: Policy

    def __post_init__(self) -> None:
        super().__init__("burst", "the look whether anything is ready", self.policy)

    def _work(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                is_over = self.backlog.is_over()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = self.back_off.failed(error)
                continue
            self.back_off.over()
            if is_over:
                # It ends as it was to, which is no problem of the consumer's.
                super().stop()
                self.end("nothing is ready")
                return
            pause = self.policy.burst_look
