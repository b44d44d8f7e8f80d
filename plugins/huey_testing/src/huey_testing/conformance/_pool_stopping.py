"""Promises of a worker pool that ends."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from huey_testing.conformance._pool_base import PoolFactory, PoolFixtures, pool_promise
from huey_testing.conformance._promises import within

if TYPE_CHECKING:
    from huey_testing._pool_work import Work, WorkRunner

__all__ = ["PoolStopping"]


class PoolStopping(PoolFixtures):
    """What every pool promises, whatever it declares, when its consumer stops."""

    @pool_promise()
    def test_a_stop_lets_end_what_runs_and_what_waits(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, each deployment would cut off the commands that run."""
        pool = new_pool(1)
        pool.put(work.deliveries(3, "wait", "gate"), runner)
        self.all_begun(work, 1)
        pool.stop()
        assert not within(self.deadline, lambda: pool.wait(0.05), "wait(0.05)")
        work.open("gate")
        self._wait(pool)
        assert work.endings() == dict.fromkeys("123", "returned")

    @pool_promise()
    def test_an_idle_pool_ends_at_once(self, new_pool: PoolFactory) -> None:
        """Without this, a consumer with nothing to do would use up its shutdown timeout."""
        pool = new_pool(2)
        pool.stop()
        self._wait(pool)

    @pool_promise()
    def test_wait_waits_no_longer_than_it_is_told(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, a consumer would not stop while a command hangs, and be killed by its supervisor."""
        pool = new_pool(2)
        pool.put(work.deliveries(2, "wait", "gate"), runner)
        self.all_begun(work, 2)
        pool.stop()
        assert not within(self.deadline / 2, lambda: pool.wait(0.01), "wait(0.01)")

    @pool_promise()
    def test_has_ended_means_that_nothing_more_is_called(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a process would end before the outcomes of its last commands are handed on."""
        pool = new_pool(2)
        pool.put(work.deliveries(20), runner)
        pool.stop()
        self._wait(pool)
        assert (len(work.events("end")), len(work.events("has_run")), pool.running()) == (20, 20, [])

    @pool_promise()
    def test_it_may_be_stopped_twice(self, new_pool: PoolFactory) -> None:
        """Without this, a plugin that stops the consumer while it stops would break the stop."""
        pool = new_pool(2)
        pool.stop()
        pool.stop()
        self._wait(pool)

    @pool_promise()
    def test_it_may_be_stopped_without_having_started(self, new_pool: PoolFactory) -> None:
        """Without this, a consumer that cannot start would hang, or hide by another error why it cannot."""
        pool = new_pool(2, start=False)
        pool.stop()
        assert within(self.deadline, lambda: pool.wait(0.05), "wait() of a pool that was not started")
        pool.kill()

    @pool_promise()
    def test_no_thread_keeps_the_process_from_ending(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a consumer with a command that hangs would not end when it has stopped."""
        before = set(threading.enumerate())
        pool = new_pool(2)
        pool.put(work.deliveries(2, "wait", "gate"), runner)
        self.all_begun(work, 2)
        assert [thread.name for thread in threading.enumerate() if thread not in before and not thread.daemon] == []

    @pool_promise()
    def test_kill_does_not_wait_for_what_does_not_end(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a second signal would not end a consumer at once."""
        pool = new_pool(1)
        pool.put([work.delivery("wait", "gate")], runner)
        self.all_begun(work, 1)
        within(self.deadline / 2, pool.kill, "kill()")
