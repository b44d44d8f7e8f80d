"""How a consumer stops: running commands finish, outcomes are written, and the rest is given back.

A server that is out of reach may hold a call for many seconds. So all that is asked of it here is asked in other
threads, which are not waited for when the time is up; what they could not write comes back when its lease ends.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from huey_core.consumer.cancelling import cancel_runs
from huey_core.consumer.supervision import Service
from huey_core.exceptions import DeliveryLost
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.served_queue import ServedQueue
    from huey_core.workers.base import Run, WorkerPool

__all__ = ["Shutdown"]

log: Final = get_logger(__name__)

POLL_INTERVAL: Final = 0.05
"""Seconds between two looks, while a consumer stops, at what has still to be written."""


@dataclass(eq=False, repr=False, kw_only=True)
class Shutdown:
    """Ends the parts of a consumer, in order."""

    queues: Sequence[ServedQueue]
    pool: WorkerPool
    services: Sequence[Service | WorkerPool]
    """All that was started, in order, the pool among it; it ends in reverse order."""
    back_off: BackOff
    policy: Policy

    def __post_init__(self) -> None:
        at = self.services.index(self.pool)
        ending = [*reversed(self.services)]
        self._after_pool = [one for one in ending[: len(ending) - at - 1] if isinstance(one, Service)]
        self._before_pool = [one for one in ending[len(ending) - at :] if isinstance(one, Service)]

    def run(self, timeout: float) -> bool:
        """Stop claiming, let running commands finish, and give back the rest.

        Args:
            timeout: Seconds that running commands have, and their outcomes.

        Returns:
            Whether every running command finished in time and its outcome was written.
        """
        began = time.monotonic()
        deadline = began + timeout
        end = deadline + self.policy.last_steps
        _stop(self._after_pool)
        # While a server hangs, the workers would go through it before the fetch loop has ended, which may add to it.
        self._give_back_what_waits()
        for service in self._after_pool:
            service.join_until(max(deadline, began + self.policy.last_steps / 2))
        self._give_back_what_waits()
        self.pool.stop()
        self._finish(deadline)
        unfinished = self._without_outcome(self.pool.running())
        if unfinished:
            late = counted(len(unfinished), "command")
            log.warning("giving back %s that did not finish in %g s", late, timeout)
            # Before it is given back, so that what can be interrupted does not run here and elsewhere at the same time.
            cancel_runs(self.pool, unfinished, DeliveryLost, self.policy.last_steps / 2)
        for run in self._without_outcome(self.pool.running()):
            run.runner.release(run.delivery)
        self.pool.kill()
        _stop(self._before_pool)
        self._write_what_waits(until=end)
        unwritten = [queue for queue in self.queues if queue.report_what_is_left()]
        for service in self._before_pool:
            service.join_until(end)
        return not unfinished and not unwritten

    def run_now(self) -> None:
        """Give back everything at once, running commands included."""
        _stop(self._after_pool)
        self._give_back_what_waits()
        for queue in self.queues:
            queue.release_all()
        self.pool.kill()
        self._write_what_waits(until=time.monotonic() + 2 * self.policy.last_steps)
        for queue in self.queues:
            queue.report_what_is_left()

    def _give_back_what_waits(self) -> None:
        for delivery, runner in self.pool.drain():
            runner.release(delivery)

    def _without_outcome(self, runs: Sequence[Run]) -> list[Run]:
        """Leave out what has run, though its worker may not have come round to saying so."""
        left = [outcome.delivery for queue in self.queues for outcome in queue.outbox.left()]
        over = {delivery.key for delivery in left}
        return [run for run in runs if run.delivery.key not in over]

    def _has_more_to_write(self) -> bool:
        return any(queue.outbox.left() or queue.source.to_put_back for queue in self.queues)

    def _finish(self, deadline: float) -> None:
        """Wait until the workers have ended and everything is written, or until the time is up."""
        next_try = 0.0
        while (now := time.monotonic()) < deadline:
            waits = self._has_more_to_write()
            if waits and now >= next_try:
                error = self._write_what_waits(until=deadline)
                if error is None:
                    self.back_off.over()
                next_try = now + (POLL_INTERVAL if error is None else self.back_off.failed(error))
            elif not self.pool.wait(min(POLL_INTERVAL, deadline - now)):
                continue
            elif self._has_more_to_write():
                time.sleep(max(min(next_try, deadline) - time.monotonic(), 0.0))
            else:
                break

    def _write_what_waits(self, until: float) -> BaseException | None:
        """Try once to write outcomes and what could not be placed; return what went wrong."""
        tried: SimpleQueue[BaseException | None] = SimpleQueue()
        thread = threading.Thread(target=lambda: tried.put(self._try_to_write()), name="huey-last-writes", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # A process that is ending, in whose exit handler this is called, starts no thread.
            return self._try_to_write()
        try:
            return tried.get(timeout=max(until - time.monotonic(), 0.0))
        except Empty:
            return TimeoutError("no answer within the time that was left")

    def _try_to_write(self) -> BaseException | None:
        failed = None
        for queue in self.queues:
            for write in (queue.outbox.flush, queue.source.put_back):
                try:
                    write()
                except BaseException as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                    failed = error
        return failed


def _stop(services: Sequence[Service]) -> None:
    for service in services:
        service.stop()
