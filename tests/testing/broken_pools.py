"""Worker pools that each break one promise."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from huey_core.consumer.pools import ThreadPool
from huey_core.consumer.pools.process import ProcessPool
from huey_core.workers import PoolAbility
from huey_core.workers.interruption import NoInterruption
from mutants import caught_by
from own_pools import ForkPool, LoopPool


class Between:
    """A runner that passes everything on to another one."""

    def __init__(self, runner):
        self.runner = runner

    def run(self, delivery, interruption=None):
        self.runner.run(delivery, interruption)

    def abandon(self, delivery, reason=""):
        self.runner.abandon(delivery, reason)

    def has_run(self):
        self.runner.has_run()

    def __getattr__(self, name):
        return getattr(self.runner, name)


class PutsBetween(ThreadPool):
    """Has something between itself and each runner."""

    between = Between

    def put(self, deliveries, runner):
        super().put(deliveries, self.between(runner))


class InterruptsThreads(ThreadPool):
    """Raises an exception in a thread, which Python does as soon as that runs Python code."""

    abilities = frozenset({PoolAbility.INTERRUPT_PYTHON})

    def cancel(self, run, error):
        return any(
            self.interrupt(worker, error) for worker in self.workers if worker.current and self.is_run(worker, run)
        )

    def is_run(self, worker, run):
        return worker.current[0] is run.delivery

    def interrupt(self, worker, error):
        return ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(error)) == 1


@caught_by("test_each_delivery_is_run_once_by_its_own_runner")
class RunsEverythingTwice(ThreadPool):
    def put(self, deliveries, runner):
        super().put([*deliveries, *deliveries], runner)


@caught_by("test_each_delivery_is_run_once_by_its_own_runner")
class SettlesEverythingInOneQueue(ThreadPool):
    runner = None

    def put(self, deliveries, runner):
        self.runner = self.runner or runner
        super().put(deliveries, self.runner)


@caught_by("test_deliveries_begin_in_the_order_of_put")
class BeginsWithTheLast(ThreadPool):
    def put(self, deliveries, runner):
        super().put(list(reversed(deliveries)), runner)


@caught_by("test_as_many_run_at_once_as_its_size")
class RunsOneAtATime(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, size=1))
        self.size = settings.size


@caught_by("test_no_more_run_at_once_than_its_size")
class RunsMoreThanItsSize(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, size=settings.size + 1))
        self.size = settings.size


@caught_by("test_put_does_not_wait_for_a_worker")
class PutsWhenAWorkerIsIdle(ThreadPool):
    def put(self, deliveries, runner):
        for delivery in deliveries:
            while self.room() <= 0:
                time.sleep(0.001)
            super().put([delivery], runner)


@caught_by("test_several_queues_may_put_at_the_same_time")
class CountsWithoutALock(ThreadPool):
    def put(self, deliveries, runner):
        taken = self._taken
        super().put(deliveries, runner)
        time.sleep(0.001)
        self._taken = taken + len(deliveries)


@caught_by("test_room_is_its_size_less_what_has_not_ended")
class LeavesOutWhatWaits(ThreadPool):
    def room(self):
        return self.size - len(self.running())


@caught_by("test_has_run_is_called_once_a_run_when_there_is_room_again")
class SaysTooEarlyThatItHasRun(PutsBetween):
    class between(Between):
        def run(self, delivery, interruption=None):
            self.runner.run(delivery, interruption)
            self.runner.has_run()

        def has_run(self):
            pass


@caught_by("test_has_run_is_called_once_a_run_when_there_is_room_again")
class NeverSaysThatItHasRun(PutsBetween):
    class between(Between):
        def has_run(self):
            pass


@caught_by("test_waiting_counts_what_has_not_begun")
class CountsWhatRunsAsWaiting(ThreadPool):
    def waiting(self):
        return super().waiting() + len(self.running())


@caught_by("test_what_is_drained_comes_in_order_with_its_runner")
class DrainsTheLastFirst(ThreadPool):
    def drain(self):
        return super().drain()[::-1]


@caught_by("test_what_was_drained_is_not_run")
class RunsWhatItHasDrained(ThreadPool):
    def drain(self):
        drained = super().drain()
        for delivery, runner in drained:
            self.put([delivery], runner)
        return drained


@caught_by("test_what_was_drained_is_not_run")
class CountsWhatItHasDrained(ThreadPool):
    def drain(self):
        drained = super().drain()
        self._taken += len(drained)
        return drained


@caught_by("test_what_is_drained_while_workers_take_is_run_or_given_back")
class LosesTheLastThatItDrains(ThreadPool):
    def start(self):
        """Begin with the first drain, which then surely finds something."""

    def drain(self):
        drained = super().drain()
        if self.workers[0].ident is None:
            super().start()
        return drained[:-1]


@caught_by("test_running_names_what_runs_and_since_when")
class SaysTheTimeOfDay(ThreadPool):
    def running(self):
        return [run._replace(started=time.time()) for run in super().running()]


@caught_by("test_running_names_what_runs_and_since_when")
class NamesWhatHasEnded(ThreadPool):
    def running(self):
        self.seen = {run.delivery.message_id: run for run in (*getattr(self, "seen", {}).values(), *super().running())}
        return list(self.seen.values())


@caught_by("test_a_worker_is_known_by_its_thread")
class KnowsNoWorker(ThreadPool):
    def has_worker(self, thread):
        return False


@caught_by("test_a_worker_is_known_by_its_thread")
class TakesEveryThreadForAWorker(ThreadPool):
    def has_worker(self, thread):
        return True


@caught_by("test_a_worker_starts_in_its_thread_before_its_first_delivery")
class StartsItsWorkersFromOutside(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, on_start=lambda name: None))
        self.on_start = settings.on_start

    def start(self):
        for worker in self.workers:
            self.on_start(worker.worker_name)
        super().start()


@caught_by("test_a_worker_stops_in_its_thread_after_its_last_delivery")
class StopsItsWorkersFromOutside(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, on_stop=lambda name: None))
        self.on_stop = settings.on_stop

    def stop(self):
        super().stop()
        for worker in self.workers:
            self.on_stop(worker.worker_name)


@caught_by("test_a_worker_stops_in_its_thread_after_its_last_delivery")
class NeverSaysThatAWorkerHasStopped(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, on_stop=lambda name: None))


@caught_by("test_a_run_that_raises_is_abandoned_and_costs_no_other")
class LosesAWorkerForEachRunThatRaises(ThreadPool):
    def __init__(self, settings):
        super().__init__(replace(settings, restart_after=3600.0))


@caught_by("test_a_run_that_raises_is_abandoned_and_costs_no_other")
class AbandonsNothing(PutsBetween):
    class between(Between):
        def abandon(self, delivery, reason=""):
            pass


@caught_by("test_a_run_that_has_ended_cannot_be_cancelled")
class CancelsWhateverRuns(InterruptsThreads):
    def is_run(self, worker, run):
        return True


@caught_by("test_what_it_cannot_cancel_goes_on")
class SaysThatItCancels(ThreadPool):
    abilities = frozenset()

    def cancel(self, run, error):
        return True


@caught_by("test_what_it_cannot_cancel_goes_on")
class CancelsAndSaysThatItDoesNot(InterruptsThreads):
    def cancel(self, run, error):
        super().cancel(run, error)
        return False


@caught_by("test_a_stop_lets_end_what_runs_and_what_waits")
class DropsWhatWaitsWhenItStops(ThreadPool):
    def stop(self):
        self.drain()
        super().stop()


@caught_by("test_an_idle_pool_ends_at_once")
class EndsBehindOneMoreDelivery(ThreadPool):
    is_stopping = False

    def stop(self):
        self.is_stopping = True

    def put(self, deliveries, runner):
        super().put(deliveries, runner)
        if self.is_stopping:
            super().stop()


@caught_by("test_wait_waits_no_longer_than_it_is_told")
class WaitsForEachWorker(ThreadPool):
    def wait(self, seconds):
        for worker in self.workers:
            worker.join()
        return True


@caught_by("test_wait_waits_no_longer_than_it_is_told", "test_a_stop_lets_end_what_runs_and_what_waits")
class SaysThatAllHaveEnded(ThreadPool):
    def wait(self, seconds):
        return True


@caught_by("test_has_ended_means_that_nothing_more_is_called")
class SaysThatItHasRunWhenItHasEnded(PutsBetween):
    class between(Between):
        def has_run(self):
            threading.Timer(0.1, self.runner.has_run).start()


@caught_by("test_it_may_be_stopped_twice")
class StopsOnce(ThreadPool):
    is_stopped = False

    def stop(self):
        if self.is_stopped:
            raise RuntimeError("it was stopped already")
        self.is_stopped = True
        super().stop()


@caught_by("test_it_may_be_stopped_without_having_started")
class WaitsForWorkersThatWereNotStarted(ThreadPool):
    def wait(self, seconds):
        for worker in self.workers:
            worker.join(seconds)
        return super().wait(seconds)


@caught_by("test_no_thread_keeps_the_process_from_ending")
class KeepsTheProcessFromEnding(ThreadPool):
    def __init__(self, settings):
        super().__init__(settings)
        for worker in self.workers:
            worker.daemon = False


@caught_by("test_kill_does_not_wait_for_what_does_not_end")
class KillsWhenAllHasEnded(ThreadPool):
    def kill(self):
        while self.running():
            time.sleep(0.001)


@caught_by("test_abilities_are_declared_as_such")
class DeclaresWords(ThreadPool):
    abilities = frozenset({"survive_crash"})


@caught_by("test_abilities_are_declared_as_such")
class DeclaresWhenItIsMade(ThreadPool):
    def __init__(self, settings):
        super().__init__(settings)
        self.abilities = frozenset({PoolAbility.RUN_COROUTINES})


@caught_by("test_what_interrupts_anything_interrupts_python")
class ForgetsTheLesserAbility(ForkPool):
    abilities = frozenset({PoolAbility.INTERRUPT_ANYTHING})


@caught_by("test_coroutines_run_side_by_side_in_one_loop")
class RunsNoCoroutine(ThreadPool):
    abilities = frozenset({PoolAbility.RUN_COROUTINES})


@caught_by("test_coroutines_run_side_by_side_in_one_loop")
class RunsEachCoroutineInALoopOfItsOwn(PutsBetween):
    abilities = frozenset({PoolAbility.RUN_COROUTINES})

    class between(Between):
        def run(self, delivery, interruption=None):
            asyncio.run(self.runner.run_async(delivery))


@caught_by("test_coroutines_run_side_by_side_in_one_loop")
class RunsOneCoroutineAfterAnother(LoopPool):
    async def run_one(self, delivery, runner):
        self.turn = getattr(self, "turn", None) or asyncio.Lock()
        async with self.turn:
            await super().run_one(delivery, runner)


@caught_by("test_the_loop_is_told_of_before_its_first_delivery_and_after_its_last_one")
class SaysNothingOfTheEndOfItsLoop(LoopPool):
    def __init__(self, settings):
        super().__init__(replace(settings, on_loop_stop=partial(asyncio.sleep, 0)))


@caught_by("test_each_coroutine_has_a_context_of_its_own")
class RunsAllCoroutinesInOneContext(LoopPool):
    def begin(self):
        self.context = getattr(self, "context", None) or copy_context()
        self.loop.create_task = partial(type(self.loop).create_task, self.loop, context=self.context)
        super().begin()


@caught_by("test_what_has_run_is_not_handed_on_in_the_loop")
class HandsOnInItsLoop(LoopPool):
    async def hand_on(self, runner):
        runner.has_run()


@caught_by("test_a_coroutine_that_is_cancelled_ends_where_it_awaits")
class CancelsNoCoroutine(LoopPool):
    def cancel(self, run, error):
        return True


@caught_by("test_a_coroutine_whose_time_is_up_ends_where_it_awaits")
class LetsCoroutinesTakeAnyTime(LoopPool):
    def make_interruption(self):
        return NoInterruption()


@caught_by("test_what_follows_a_coroutine_is_not_interrupted")
class CancelsWhatFollowsACoroutine(LoopPool):
    def cancel(self, run, error):
        for task in self.tasks:
            self.loop.call_soon_threadsafe(task.cancel)
        return True


@caught_by("test_a_command_whose_time_is_up_ends_in_a_loop_of_python")
class LetsCommandsTakeAnyTime(PutsBetween):
    class between(Between):
        def run(self, delivery, interruption=None):
            self.runner.run(delivery)


@caught_by("test_what_follows_a_command_is_not_interrupted")
class InterruptsWhatFollows(InterruptsThreads):
    pass


@caught_by("test_a_command_that_is_cancelled_ends_in_a_loop_of_python")
class OnlySaysThatItInterrupts(ThreadPool):
    def cancel(self, run, error):
        return True


@caught_by("test_a_command_that_is_cancelled_ends_in_a_loop_of_python")
class CancelsTheNeighboursToo(InterruptsThreads):
    def cancel(self, run, error):
        return bool([self.interrupt(worker, error) for worker in self.workers if worker.current])


@caught_by("test_a_command_that_is_cancelled_ends_in_a_call_that_does_not_return", "test_kill_ends_what_runs")
class InterruptsOnlyPython(InterruptsThreads):
    abilities = frozenset({PoolAbility.INTERRUPT_PYTHON, PoolAbility.INTERRUPT_ANYTHING})


@caught_by("test_kill_ends_what_runs")
class LeavesItsProcessesBehind(ForkPool):
    def kill(self):
        pass


@caught_by("test_a_crash_is_abandoned_once", "test_a_crash_costs_no_neighbour")
class OnlySaysThatItSurvives(ThreadPool):
    abilities = frozenset({PoolAbility.SURVIVE_CRASH})


@caught_by("test_a_crash_is_abandoned_once")
class SaysNothingOfACrash(ForkPool):
    def put(self, deliveries, runner):
        runner.abandon = lambda delivery, reason=None: None
        super().put(deliveries, runner)


@caught_by("test_a_crash_is_abandoned_once")
class AbandonsACrashTwice(ForkPool):
    def watch(self, pid):
        run = self.children[pid]
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status:
            run.runner.abandon(run.delivery)
        super().watch(pid)


@caught_by("test_a_crash_costs_no_neighbour")
class EndsAllProcessesWithOne(ForkPool):
    def watch(self, pid):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status:
            self.kill()
        super().watch(pid)


@caught_by("test_an_outcome_of_another_process_is_handed_on_with_the_delivery_of_this_one")
class KeepsOutcomesToItself(ProcessPool):
    class Between(Between):
        def finish(self, outcome, seconds):
            pass

    def put(self, deliveries, runner):
        super().put(deliveries, self.Between(runner))


@caught_by("test_what_may_not_be_begun_any_more_is_not_begun")
class BeginsWhatMayBeAnothersByNow(ProcessPool):
    class Between(Between):
        def leased_until(self, delivery):
            return float("inf")

    def put(self, deliveries, runner):
        super().put(deliveries, self.Between(runner))
