"""Several queues that share one pool of workers."""

from __future__ import annotations

import threading

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import ConsumerConfig, Stats
from huey_core.consumer.poison import QueuesTogether
from huey_core.consumer.policy import POLICY
from huey_core.consumer.pools import ThreadPool
from huey_core.consumer.retry import BackOff, Outage, Pauses
from huey_core.consumer.served_queue import ServedQueue, measured_offset
from huey_core.consumer.shares import Shares
from huey_core.consumer.shutdown import Shutdown
from huey_core.safe_logging import get_logger
from huey_core.workers import PoolSettings

PATIENCE = 30.0


@pytest.fixture
def serve():
    """Serve the queues of invokers with one pool of two threads; return them, and what stops them."""
    running = []

    def serve(invokers):
        config = ConsumerConfig()
        pool = ThreadPool(PoolSettings(size=2, on_start=lambda worker: None, on_stop=lambda worker: None))
        shares, together = Shares(pool, POLICY), QueuesTogether()
        queues = [ServedQueue(invoker, config, shares, together=together, policy=POLICY) for invoker in invokers]
        back_off = BackOff(Outage("the queues", get_logger(__name__)), "stopping", Pauses(0.1, 1.0, 0.1))
        keepers = [service for queue in queues for service in (queue.lease_renewal, queue.dead_letters)]
        services = [*keepers, pool, *(queue.fetcher for queue in queues)]
        running.append(Shutdown(queues=queues, pool=pool, services=services, back_off=back_off, policy=POLICY))
        for service in services:
            service.start()
        return queues, running[-1]

    yield serve
    for shutdown in running:
        shutdown.run(timeout=PATIENCE)


def decorated_for(invoker):
    @queue_command(invoker)
    def echo(value):
        return value

    return echo


@pytest.fixture
def invokers(request):
    url = f"memory://{request.node.name}/?queue="
    return [Invoker.from_url(url + name, registry=CommandRegistry()) for name in ("mail", "reports")]


def test_both_are_drained(invokers, serve, eventually):
    echoes = [decorated_for(invoker) for invoker in invokers]
    results = [echo(number) for number in range(50) for echo in echoes]

    queues, _ = serve(invokers)

    assert [result.get(blocking=True, timeout=PATIENCE) for result in results] == [n for n in range(50) for _ in "ab"]
    eventually(lambda: all(len(queue.in_flight) == 0 for queue in queues))
    assert [queue.in_flight.stats() for queue in queues] == [Stats(claimed=50, done=50)] * 2


def test_a_command_of_one_starts_while_the_other_is_empty_and_waits(invokers, serve):
    serve(invokers)
    echo = decorated_for(invokers[1])

    assert [echo(number).get(blocking=True, timeout=PATIENCE) for number in range(5)] == list(range(5))


def test_what_does_not_finish_goes_back_to_the_queue_that_it_came_from(invokers, serve):
    started, may_end = threading.Semaphore(0), threading.Event()
    for invoker in invokers:

        @queue_command(invoker)
        def slow():
            started.release()
            may_end.wait(PATIENCE)

        slow()
        slow()
    _, shutdown = serve(invokers)
    assert started.acquire(timeout=PATIENCE)
    assert started.acquire(timeout=PATIENCE)

    finished = shutdown.run(timeout=0.1)

    may_end.set()
    assert not finished
    assert [invoker.queue.counts().ready for invoker in invokers] == [2, 2]


@pytest.mark.parametrize(
    ("known", "asked", "said", "answered", "least", "most"),
    [
        pytest.param(0.0, 100.0, 100.0, 103.0, 0.0, 0.0, id="a late answer that contradicts nothing"),
        pytest.param(0.0, 100.0, 130.5, 101.0, 29.5, 30.5, id="another clock"),
        pytest.param(30.0, 100.0, 100.1, 100.2, -0.1, 0.1, id="a clock that was set right"),
    ],
)
def test_a_clock_is_known_as_well_as_the_answers_allow(known, asked, said, answered, least, most):
    offset = measured_offset(known, lambda: said, iter([asked, answered]).__next__)

    assert least - 1e-6 <= offset <= most + 1e-6
