"""Promises of a worker pool that runs: what begins, in which order, how many at once, and what it says of it."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import Any

from huey_testing._pool_work import Cancelled, Work, WorkRunner
from huey_testing.conformance._pool_base import PoolFactory, PoolFixtures, pool_promise
from huey_testing.conformance._promises import eventually, in_threads, within

__all__ = ["PoolRunning"]


class PoolRunning(PoolFixtures):
    """What every pool promises, whatever it declares, while it runs."""

    @pool_promise()
    def test_each_delivery_is_run_once_by_its_own_runner(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, commands would run twice or never, or be settled in the queue of others."""
        pool = new_pool()
        runners = [WorkRunner(work, name) for name in ("mail", "reports")]
        expected = []
        for runner in runners * 5:
            deliveries = work.deliveries(2)
            pool.put(deliveries, runner)
            expected += [(delivery.message_id, runner.name) for delivery in deliveries]
        self.all_ended(work, 20)
        seen = [(event.subject, event.detail) for event in work.events("begin")]
        assert sorted(seen) == sorted(expected)

    @pool_promise()
    def test_deliveries_begin_in_the_order_of_put(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, what was claimed first, the most urgent, could wait behind everything else."""
        pool = new_pool(1)
        deliveries = work.deliveries(10)
        pool.put(deliveries[:4], runner)
        pool.put(deliveries[4:], runner)
        self.all_ended(work, 10)
        assert work.subjects("begin") == [delivery.message_id for delivery in deliveries]

    @pool_promise()
    def test_as_many_run_at_once_as_its_size(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, commands that wait for a server would wait for each other as well."""
        pool = new_pool(3)
        pool.put(work.deliveries(3, "wait", "gate"), runner)
        self.all_begun(work, 3)
        assert work.events("end") == []

    @pool_promise()
    def test_no_more_run_at_once_than_its_size(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, a server or the memory would be overrun that the operator has protected by the setting."""
        pool, rounds = new_pool(2), 10
        for number in range(rounds):
            pool.put(work.deliveries(2, "wait", f"gate-{number}"), runner)
        # In each round a worker too many has the time that the others take to begin.
        for number in range(rounds):
            self.all_begun(work, 2 * (number + 1))
            work.open(f"gate-{number}")
        self.all_ended(work, 2 * rounds)
        changes = [(event.at, 1) for event in work.events("begin")] + [(event.at, -1) for event in work.events("end")]
        running = [sum(change for at, change in changes if at <= moment) for moment, _ in sorted(changes)]
        assert max(running) <= pool.size

    @pool_promise()
    def test_put_does_not_wait_for_a_worker(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, the fetch loop would settle nothing while a command is slow, and not stop either."""
        pool = new_pool(1)
        within(self.deadline, lambda: pool.put(work.deliveries(20, "wait", "gate"), runner), "put()")

    @pool_promise()
    def test_several_queues_may_put_at_the_same_time(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, a consumer of several queues would lose commands, or run one twice."""
        pool = new_pool()

        def put(number: int) -> None:
            runner = WorkRunner(work, str(number))
            for _ in range(4):
                pool.put(work.deliveries(2), runner)

        in_threads([partial(put, number) for number in range(4)], self.deadline, "put()")
        self.all_ended(work, 32)
        assert set(Counter(work.subjects("begin")).values()) == {1}
        assert Counter(event.detail for event in work.events("begin")) == dict.fromkeys("0123", 8)
        assert pool.room() == pool.size

    @pool_promise()
    def test_room_is_its_size_less_what_has_not_ended(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a consumer would claim what it cannot run, or leave workers idle."""
        pool = new_pool(2)
        rooms = [pool.room()]
        pool.put(work.deliveries(1, "wait", "gate"), runner)
        rooms.append(pool.room())
        pool.put(work.deliveries(3, "wait", "gate"), runner)
        rooms.append(pool.room())
        work.open("gate")
        self.all_ended(work, 4)
        rooms.append(pool.room())
        assert rooms == [2, 1, -2, 2]

    @pool_promise()
    def test_has_run_is_called_once_a_run_when_there_is_room_again(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, the fetch loop would not notice that a worker is idle, and look seconds later."""
        pool = new_pool(1)
        rooms: list[int] = []
        runner = WorkRunner(work, look_after=lambda: rooms.append(pool.room()))
        for number in range(1, 4):
            pool.put([work.delivery()], runner)
            self.all_ended(work, number)
        assert rooms == [1, 1, 1]

    @pool_promise()
    def test_waiting_counts_what_has_not_begun(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, messages would wait here for a slow command while another consumer is idle."""
        pool = new_pool(1)
        pool.put(work.deliveries(4, "wait", "gate"), runner)
        self.all_begun(work, 1)
        assert pool.waiting() == 3
        work.open("gate")
        self.all_ended(work, 4)
        assert pool.waiting() == 0

    @pool_promise()
    def test_what_is_drained_comes_in_order_with_its_runner(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, a stop would give messages back to the wrong queue, or lose them until their leases end."""
        pool = new_pool(1)
        mail, reports = WorkRunner(work, "mail"), WorkRunner(work, "reports")
        pool.put([work.delivery("wait", "gate")], mail)
        self.all_begun(work, 1)
        waiting = [(work.delivery(), runner) for runner in (mail, reports, mail)]
        for delivery, runner in waiting:
            pool.put([delivery], runner)
        assert pool.drain() == waiting

    @pool_promise()
    def test_what_was_drained_is_not_run(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, what was given back to another consumer would run here too."""
        pool = new_pool(1)
        pool.put([work.delivery("wait", "gate")], runner)
        self.all_begun(work, 1)
        pool.put(work.deliveries(3), runner)
        pool.drain()
        assert (pool.room(), pool.waiting()) == (0, 0)
        work.open("gate")
        pool.put([last := work.delivery()], runner)
        self.all_ended(work, 2)
        assert work.subjects("begin") == ["1", last.message_id]

    @pool_promise()
    def test_what_is_drained_while_workers_take_is_run_or_given_back(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a message that is drained at the wrong moment would be lost, or run twice, or the stop hang."""
        pool = new_pool(2)
        drained = []
        for _ in range(10):
            pool.put(work.deliveries(4), runner)
            drained += within(self.deadline, pool.drain, "drain()")
        self.all_ended(work, 40 - len(drained))
        assert Counter([*work.subjects("begin"), *(one.message_id for one, _ in drained)]) == Counter(
            map(str, range(1, 41))
        )
        assert pool.room() == pool.size

    @pool_promise()
    def test_running_names_what_runs_and_since_when(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, nobody would see which command hangs, and a stop would not give it back."""
        pool = new_pool(2)
        before = time.monotonic()
        delivery = work.delivery("wait", "gate")
        pool.put([delivery], runner)
        self.all_begun(work, 1)
        [run] = pool.running()
        assert (run.delivery, run.runner) == (delivery, runner)
        assert before <= run.started <= time.monotonic()
        work.open("gate")
        self.all_ended(work, 1)
        assert pool.running() == []

    @pool_promise()
    def test_a_worker_is_known_by_its_thread(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, a command that stops its consumer would wait for itself."""
        pool = new_pool(1)
        known: list[bool] = []
        runner = WorkRunner(work, look=lambda: known.append(pool.has_worker(threading.current_thread())))
        pool.put([work.delivery()], runner)
        self.all_ended(work, 1)
        # Where it runs in another process, there is no such thread.
        assert False not in known
        assert not pool.has_worker(threading.current_thread())

    @pool_promise()
    def test_a_worker_starts_in_its_thread_before_its_first_delivery(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, what a plugin makes for each worker, such as a connection, would not be there."""
        new_pool(2).put(work.deliveries(10), runner)
        self.all_ended(work, 10)
        starts: dict[tuple[int, int], float] = {}
        for event in work.events("on_start"):
            starts.setdefault((event.pid, event.thread), event.at)
        late = [event for event in work.events("begin") if starts.get((event.pid, event.thread), event.at) >= event.at]
        assert late == []

    @pool_promise()
    def test_a_worker_stops_in_its_thread_after_its_last_delivery(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, what a plugin has made for each worker would never be closed, or while it is used."""
        pool = new_pool(2)
        pool.put(work.deliveries(10), runner)
        self.all_ended(work, 10)
        pool.stop()
        self._wait(pool)
        starts = [(event.subject, event.pid, event.thread) for event in work.events("on_start")]
        stops = {(event.subject, event.pid, event.thread): event.at for event in work.events("on_stop")}
        assert sorted(starts) == sorted(stops)
        last: dict[tuple[int, int], float] = {}
        for (_, pid, thread), at in stops.items():
            last[pid, thread] = max(at, last.get((pid, thread), 0.0))
        assert [event for event in work.events("end") if last[event.pid, event.thread] <= event.at] == []

    @pool_promise()
    def test_a_run_that_raises_is_abandoned_and_costs_no_other(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, a defect would cost a worker each time, until the consumer does nothing any more."""
        pool = new_pool(1)
        pool.put([raises := work.delivery("raise"), *work.deliveries(3), work.delivery("raise")], runner)
        pool.put(work.deliveries(2), runner)
        self.all_ended(work, 7)
        assert Counter(work.endings().values()) == {"raised": 2, "returned": 5}
        assert work.subjects("abandon") == [raises.message_id, "5"]
        assert len(work.events("has_run")) == 7
        eventually(lambda: pool.room() == pool.size, "there is room again", self.deadline)

    @pool_promise()
    def test_a_run_that_has_ended_cannot_be_cancelled(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, what comes too late to cancel one command would end the next one."""
        pool = new_pool(1)
        pool.put([work.delivery("wait", "first")], runner)
        self.all_begun(work, 1)
        [run] = pool.running()
        work.open("first")
        self.all_ended(work, 1)
        pool.put([work.delivery("wait", "second")], runner)
        self.all_begun(work, 2)
        assert not pool.cancel(run, Cancelled)
        work.open("second")
        self.all_ended(work, 2)
        assert work.endings() == {"1": "returned", "2": "returned"}

    @pool_promise()
    def test_what_it_cannot_cancel_goes_on(self, new_pool: PoolFactory, work: Work, runner: WorkRunner) -> None:
        """Without this, a consumer would take for ended what goes on, or the other way round."""
        pool: Any = new_pool(1)
        pool.put([work.delivery("wait", "gate")], runner)
        self.all_begun(work, 1)
        [run] = pool.running()
        cancelled = pool.cancel(run, Cancelled)
        assert isinstance(cancelled, bool)
        assert pool.abilities or not cancelled
        work.open("gate")
        eventually(lambda: pool.room() == pool.size, "the run has ended", self.deadline)
        if not cancelled:
            assert work.endings() == {"1": "returned"}
