"""Commands that ask a consumer to be tried again, or cancel themselves, in its pools and on all kinds of queues."""

from __future__ import annotations

import asyncio

import pytest

from huey_core import (
    CommandCancelled,
    CommandRegistry,
    CommandRetry,
    Invoker,
    crontab,
    current_command,
    periodic_command,
    queue_command,
)
from huey_core.backends.messages import State
from huey_core.exceptions import CommandError
from plain_backend import PlainQueue, PlainStore

PATIENCE = 30.0


def poll(retries):
    if current_command().retry_count < retries:
        raise CommandRetry(0.001, max_retries=5)
    return [current_command().retry_count, current_command().retries_left]


async def poll_in_loop(retries):
    await asyncio.sleep(0)
    return poll(retries)


def give_up():
    raise CommandCancelled("nothing to do")


async def give_up_in_loop():
    await asyncio.sleep(0)
    give_up()


@pytest.fixture(params=["leased", "plain"])
def invoker(request, make_invoker):
    if request.param == "leased":
        return make_invoker()
    return Invoker(PlainQueue(), PlainStore("results"), PlainStore("state"), registry=CommandRegistry())


@pytest.fixture(params=["thread", "asyncio"])
def consumer(request, invoker, run_consumer):
    return run_consumer(invoker, worker_type=request.param, initial_delay=0.01, max_delay=0.01)


@pytest.mark.usefixtures("consumer")
@pytest.mark.parametrize("function", [poll, poll_in_loop])
def test_a_command_is_tried_again_as_often_as_it_asks_for_it(invoker, function):
    command = queue_command(invoker, retries=1)(function)

    assert command(4).get(blocking=True, timeout=PATIENCE) == [4, 1]
    with pytest.raises(CommandError, match="has been 5 times already: its max_retries is 5"):
        command(6).get(blocking=True, timeout=PATIENCE)


@pytest.mark.usefixtures("consumer")
@pytest.mark.parametrize("function", [give_up, give_up_in_loop])
def test_a_command_that_cancels_itself_ends_as_cancelled(invoker, function):
    handle = queue_command(invoker, retries=3)(function)()

    with pytest.raises(CommandCancelled, match="nothing to do"):
        handle.get(blocking=True, timeout=PATIENCE)


def test_a_run_by_the_clock_may_do_both(make_invoker, run_consumer, eventually):
    invoker = make_invoker()
    runs = []

    @periodic_command(invoker, crontab(), store_result=True)
    def sweep():
        run = current_command()
        runs.append((run.task_id, run.retry_count))
        if run.retry_count < 2:
            raise CommandRetry(0.001)
        raise CommandCancelled("swept already")

    run_consumer(invoker, periodic=True)
    eventually(lambda: len(runs) >= 3)

    task_id = runs[0][0]
    with pytest.raises(CommandCancelled, match="swept already"):
        invoker.result(task_id).get(blocking=True, timeout=PATIENCE)
    assert [count for each, count in runs if each == task_id] == [0, 1, 2]
    assert not invoker.queue.peek(State.DEAD)
