"""Several consumers of one queue, some of them with a clock that is wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from deployment import await_condition
from huey_core.backends.messages import State

MINUTE_AND_A_HALF = 90.0


def minute(deployment):
    """The present minute by the server's clock."""
    return f"{datetime.fromtimestamp(deployment.queue.now(), UTC):%H:%M}"


def end_of_lease(deployment):
    """When the lease of the only command that runs ends."""
    [running] = deployment.queue.peek(State.RUNNING)
    return running.due


def runner_of_another(deployment):
    """The process that runs a command while the first one is held: it has claimed what there was to claim."""
    result = deployment.main.add(1, 2)
    assert result.get(blocking=True, timeout=60) == 3
    return deployment.await_started(result.task_id).pid


@pytest.mark.parametrize("number", [2, 5])
def test_a_tick_runs_once_however_many_consumers_write_it(deployment, number):
    consumers = [deployment.launch("--periodic") for _ in range(number)]
    await_condition(lambda: len(deployment.asked()) == number, "every consumer comes to the present minute")
    await_condition(lambda: deployment.journal("finished", "tick"), "the tick runs")

    for consumer in consumers:
        consumer.terminate()

    minutes = set().union(*deployment.asked().values())
    assert len(deployment.journal("started", "tick")) + deployment.queue.counts().ready == len(minutes)


@pytest.mark.parametrize("offset", [MINUTE_AND_A_HALF, -MINUTE_AND_A_HALF])
def test_ticks_are_those_of_the_servers_clock(deployment, offset):
    before = minute(deployment)
    consumer = deployment.start("--periodic", clock_offset=offset)
    await_condition(deployment.asked, "the consumer comes to the present minute")

    assert deployment.asked()[consumer.pid] <= {before, minute(deployment)}


def test_a_delayed_command_does_not_run_early_on_a_consumer_whose_clock_is_ahead(deployment):
    deployment.start(clock_offset=30.0)
    enqueued = time.monotonic()
    result = deployment.main.add.schedule((1, 2), delay=0.7)

    assert deployment.await_started(result.task_id).at - enqueued > 0.69


def test_a_delayed_command_does_not_run_late_on_a_consumer_whose_clock_is_behind(deployment):
    deployment.start(clock_offset=-30.0)
    enqueued = time.monotonic()
    result = deployment.main.add.schedule((1, 2), delay=0.7)

    assert deployment.await_started(result.task_id).at - enqueued < 15.0


def test_a_consumer_whose_clock_is_ahead_does_not_take_what_another_one_holds(deploy):
    # By a clock that is so far ahead, the lease would be over.
    deployment = deploy(lease=20)
    holder = deployment.start("--threads", "1")
    result = deployment.main.wait_for_file("go")
    deployment.await_started(result.task_id)
    ahead = deployment.start(clock_offset=30.0)
    assert runner_of_another(deployment) == ahead.pid

    deployment.let_go("go")

    assert result.get(blocking=True, timeout=60) == holder.pid
    assert len(deployment.journal("started", "wait_for_file")) == 1


def test_a_consumer_whose_clock_is_behind_holds_what_it_claimed(deploy):
    deployment = deploy(lease=9)
    holder = deployment.start("--threads", "1", clock_offset=-30.0)
    result = deployment.main.wait_for_file("go")
    deployment.await_started(result.task_id)
    lease_ends = end_of_lease(deployment)
    other = deployment.start()
    await_condition(lambda: end_of_lease(deployment) > lease_ends, "the lease is renewed")
    assert runner_of_another(deployment) == other.pid

    deployment.let_go("go")

    assert result.get(blocking=True, timeout=60) == holder.pid
    assert len(deployment.journal("started", "wait_for_file")) == 1
