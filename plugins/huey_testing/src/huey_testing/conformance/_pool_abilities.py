"""Promises that a worker pool makes by declaring an ability."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from typing import Final

import pytest

from huey_core.workers import PoolAbility, Run, WorkerPool
from huey_testing._pool_work import Cancelled, Work, WorkRunner
from huey_testing.conformance._pool_base import PoolFactory, PoolFixtures, pool_promise
from huey_testing.conformance._promises import eventually

__all__ = ["PoolAbilities"]

STAYS: Final = 0.05
"""Seconds for which what was not cancelled is watched."""


class PoolAbilities(PoolFixtures):
    """What a pool declares beyond running deliveries."""

    @pool_promise()
    def test_abilities_are_declared_as_such(self, new_pool: PoolFactory) -> None:
        """Without this, a consumer could not be told from one that is able to do what a command asks for."""
        pool = new_pool(1)
        assert isinstance(pool.abilities, frozenset)
        assert all(isinstance(ability, PoolAbility) for ability in pool.abilities)
        assert pool.abilities == type(pool).abilities

    @pool_promise(PoolAbility.INTERRUPT_ANYTHING)
    def test_what_interrupts_anything_interrupts_python(self, new_pool: PoolFactory) -> None:
        """Without this, a command that asks for the lesser ability would be refused."""
        assert PoolAbility.INTERRUPT_PYTHON in new_pool(1).abilities

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_coroutines_run_side_by_side_in_one_loop(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a client session of one command could not be used by the next, and each took a thread."""
        pool = new_pool(10)
        pool.put(work.deliveries(10, "wait", "gate"), runner)
        self.all_begun(work, 10)
        work.open("gate")
        self.all_ended(work, 10)
        pool.put([work.delivery()], runner)
        self.all_ended(work, 11)
        loops = {(event.pid, event.thread, event.loop) for event in work.events("begin")}
        assert len(loops) == 1
        assert all(loop for _, _, loop in loops), "they ran in no event loop"

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_the_loop_is_told_of_before_its_first_delivery_and_after_its_last_one(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, commands would find no client session, or one that was closed or of another loop."""
        pool = new_pool(5)
        pool.put(work.deliveries(10), runner)
        self.all_ended(work, 10)
        pool.stop()
        self._wait(pool)
        [start], [stop] = work.events("on_loop_start"), work.events("on_loop_stop")
        runs = work.events("begin") + work.events("end")
        assert {(event.pid, event.loop) for event in (start, stop, *runs)} == {(start.pid, start.loop)}
        assert start.at < min(event.at for event in runs)
        assert max(event.at for event in runs) < stop.at

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_each_coroutine_has_a_context_of_its_own(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a command would see what another one has set: its user, its language, its trace."""
        pool = new_pool(1)
        pool.put(work.deliveries(5), runner)
        self.all_ended(work, 5)
        assert [event.subject for event in work.events("stained")] == []

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_what_has_run_is_not_handed_on_in_the_loop(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, all coroutines would wait for a server each time when an outcome is settled."""
        pool = new_pool(5)
        pool.put(work.deliveries(10), runner)
        self.all_ended(work, 10)
        assert {event.loop for event in work.events("has_run")} == {0}

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_a_coroutine_that_is_cancelled_ends_where_it_awaits(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a command that waits for what never comes would take up its place for ever."""
        self._cancel_one_of_two("wait", new_pool(2), work, runner)

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_a_coroutine_whose_time_is_up_ends_where_it_awaits(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a command with a timeout would wait for ever for what never comes."""
        self._let_time_be_up("wait", new_pool(2), work, runner)

    @pool_promise(PoolAbility.RUN_COROUTINES)
    def test_what_follows_a_coroutine_is_not_interrupted(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a hook would be cut off, and the end of a command that has ended would be lost."""
        self._cancel_what_follows(new_pool(1), work, runner)

    @pool_promise(PoolAbility.INTERRUPT_PYTHON)
    def test_a_command_whose_time_is_up_ends_in_a_loop_of_python(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a command with a timeout would compute for ever."""
        self._let_time_be_up("loop", new_pool(2), work, runner)

    @pool_promise(PoolAbility.INTERRUPT_PYTHON)
    def test_what_follows_a_command_is_not_interrupted(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a hook would be cut off, and the end of a command that has ended would be lost."""
        self._cancel_what_follows(new_pool(1), work, runner)

    @pool_promise(PoolAbility.INTERRUPT_PYTHON)
    def test_a_command_that_is_cancelled_ends_in_a_loop_of_python(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a time limit would not end a command that computes for ever."""
        self._cancel_one_of_two("loop", new_pool(2), work, runner)

    @pool_promise(PoolAbility.INTERRUPT_ANYTHING)
    def test_a_command_that_is_cancelled_ends_in_a_call_that_does_not_return(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a time limit would not end a command that hangs in a driver or a computation in C."""
        self._cancel_one_of_two("block", new_pool(2), work, runner)

    @pool_promise(PoolAbility.INTERRUPT_ANYTHING)
    def test_kill_ends_what_runs(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, a command that was given back would go on here while another consumer runs it."""
        pool = new_pool(2)
        pool.put([work.delivery("loop", "gate"), work.delivery("block")], runner)
        self.all_begun(work, 2)
        pool.stop()
        pool.kill()
        self._wait(pool)
        assert "returned" not in work.endings().values()

    @pool_promise(PoolAbility.SURVIVE_CRASH)
    def test_a_crash_is_abandoned_once(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, a command that kills its process would stay under its lease, and never become a dead letter."""
        pool = new_pool(1)
        pool.put([crash := work.delivery("crash")], runner)
        self._crashed(pool, work)
        assert work.subjects("abandon") == [crash.message_id]
        assert len(work.events("has_run")) == 1

    @pool_promise(PoolAbility.SURVIVE_CRASH)
    def test_a_crash_costs_no_neighbour(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, one command that runs out of memory would cut off all that run beside it."""
        pool = new_pool(2)
        pool.put([neighbour := work.delivery("wait", "gate")], runner)
        self.all_begun(work, 1)
        pool.put([work.delivery("crash"), *(after := work.deliveries(3))], runner)
        eventually(lambda: len(work.endings()) >= len(after), "what came after the crash has ended", self.deadline)
        work.open("gate")
        self._crashed(pool, work)
        assert work.endings() == {one.message_id: "returned" for one in (neighbour, *after)}

    def _crashed(self, pool: WorkerPool, work: Work) -> None:
        """Wait until everything has ended, and see that the crash was not in the process of the consumer."""
        eventually(lambda: pool.room() == pool.size, "there is room again", self.deadline)
        eventually(lambda: work.events("has_run"), "has_run() was called", self.deadline)
        if work.events("crash"):
            pytest.fail("a command that ends its process would have ended that of the consumer")

    def _cancel_one_of_two(self, do: str, pool: WorkerPool, work: Work, runner: WorkRunner) -> None:
        """See that a run ends when it is cancelled, and that neither its neighbour nor what comes next does."""
        pool.put([cancelled := work.delivery(do, "gate"), neighbour := work.delivery("wait", "gate")], runner)
        self.all_begun(work, 2)
        assert pool.cancel(self._run_of(cancelled.message_id, pool), Cancelled)
        eventually(lambda: len(pool.running()) == 1, "what was cancelled has ended", self.deadline)
        pool.put([following := work.delivery("wait", "gate")], runner)
        self.all_begun(work, 3)
        time.sleep(STAYS)
        work.open("gate")
        eventually(lambda: pool.room() == pool.size, "there is room again", self.deadline)
        endings = work.endings()
        assert endings.pop(cancelled.message_id, "cancelled") == "cancelled"
        assert endings == {one.message_id: "returned" for one in (neighbour, following)}

    def _let_time_be_up(self, do: str, pool: WorkerPool, work: Work, runner: WorkRunner) -> None:
        """See that a run ends when its time is up, and that its neighbour does not."""
        pool.put([limited := work.delivery(do, "gate", 0.01), neighbour := work.delivery("wait", "gate")], runner)
        self.all_begun(work, 2)
        eventually(lambda: len(pool.running()) == 1, "that whose time is up has ended", self.deadline)
        work.open("gate")
        eventually(lambda: pool.room() == pool.size, "there is room again", self.deadline)
        assert work.endings() == {limited.message_id: "cancelled", neighbour.message_id: "returned"}

    def _cancel_what_follows(self, pool: WorkerPool, work: Work, runner: WorkRunner) -> None:
        """See that a run is not hit that is cancelled when its command has ended."""
        pool.put([ended := work.delivery("follow", "gate")], runner)
        eventually(lambda: work.events("follow"), "the command has ended", self.deadline)
        pool.cancel(self._run_of(ended.message_id, pool), Cancelled)
        time.sleep(STAYS)
        work.open("gate")
        eventually(lambda: pool.room() == pool.size, "there is room again", self.deadline)
        assert work.endings() == {ended.message_id: "returned"}

    def _run_of(self, message_id: str, pool: WorkerPool) -> Run:
        [run] = [run for run in pool.running() if run.delivery.message_id == message_id]
        return run
