"""A consumer with a worker pool that is a stranger's: an event loop."""

from __future__ import annotations

import threading

import pytest

from huey_core import queue_command
from huey_core.consumer.pools import ThreadPool
from huey_core.plugins import register_worker_pool, worker_pool_registry
from own_pools import LoopPool

PATIENCE = 10.0


class RecordedPool(ThreadPool):
    """Notes what else was done before it was killed."""

    def kill(self):
        self.ready_when_killed = self.count_ready()


@pytest.fixture
def register():
    """Make a pool known for the time of the test."""
    names = []

    def register(name, cls):
        register_worker_pool(name, cls)
        names.append(name)
        return name

    yield register
    for name in names:
        worker_pool_registry.unregister(name)


@pytest.fixture
def in_a_loop(invoker, register, run_consumer):
    return run_consumer(invoker, worker_type=register("loop", LoopPool), workers=3)


def test_a_command_is_run_and_its_result_stored(invoker, in_a_loop):
    @queue_command(invoker)
    def add(a, b):
        return a + b

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_a_coroutine_is_run(invoker, in_a_loop):
    @queue_command(invoker)
    async def add(a, b):
        return a + b

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_as_many_commands_run_at_once_as_the_setting_says(invoker, in_a_loop):
    together = threading.Barrier(3)

    @queue_command(invoker)
    def meet():
        together.wait(PATIENCE)
        return "met"

    assert [result.get(blocking=True, timeout=PATIENCE) for result in [meet() for _ in range(3)]] == ["met"] * 3


def test_a_stop_lets_running_commands_finish(invoker, in_a_loop):
    began, release = threading.Event(), threading.Event()

    @queue_command(invoker)
    def work():
        began.set()
        release.wait(PATIENCE)
        return "finished"

    result = work()
    assert began.wait(PATIENCE)
    threading.Timer(0.05, release.set).start()

    assert in_a_loop.stop(timeout=PATIENCE)
    assert result.get() == "finished"


def test_a_command_that_stops_its_consumer_does_not_wait_for_itself(invoker, in_a_loop):
    @queue_command(invoker)
    def end():
        return in_a_loop.stop("a command says so")

    assert end().get(blocking=True, timeout=PATIENCE) is False


class FailsOnce(ThreadPool):
    """Cannot take the first deliveries that it is given."""

    has_failed = False

    def put(self, deliveries, runner):
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("can't start new thread")
        super().put(deliveries, runner)


def test_what_a_pool_cannot_take_is_given_back_and_delivered_again(invoker, register, run_consumer):
    consumer = run_consumer(invoker, worker_type=register("fails-once", FailsOnce), initial_delay=0.001)

    @queue_command(invoker)
    def add(a, b):
        return a + b

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3
    assert (consumer.pool.has_failed, consumer.stats.released) == (True, 1)


@pytest.fixture
def recorded(invoker, register, run_consumer):
    """A consumer with one command that does not end, and its pool."""
    began, release = threading.Event(), threading.Event()

    @queue_command(invoker)
    def hang():
        began.set()
        release.wait(PATIENCE)

    consumer = run_consumer(invoker, worker_type=register("recorded", RecordedPool), workers=1)
    consumer.pool.count_ready = lambda: len(consumer.queues[0].outbox.left()) + invoker.queue.counts().ready
    hang()
    assert began.wait(PATIENCE)
    yield consumer
    release.set()


def test_a_pool_is_killed_when_the_time_is_up_and_what_runs_is_given_back(recorded):
    recorded.stop(timeout=0.05)

    assert recorded.pool.ready_when_killed == 1


def test_a_pool_is_killed_when_everything_is_given_back_at_once(recorded):
    recorded.stop_now()

    assert recorded.pool.ready_when_killed == 1
