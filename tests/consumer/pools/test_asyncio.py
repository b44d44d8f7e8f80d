"""A consumer whose commands are tasks of an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from dataclasses import replace

import pytest

from huey_core import current_command, queue_command
from huey_core.backends.messages import State
from huey_core.consumer import Consumer
from huey_core.consumer.policy import POLICY
from huey_core.consumer.pools.asyncio import LONGEST_ROUND
from huey_core.exceptions import CommandCancelled, CommandError, CommandRevoked

PATIENCE = 30.0

tenant: contextvars.ContextVar[str | None] = contextvars.ContextVar("tenant", default=None)


def test_coroutines_wait_side_by_side_in_one_loop(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def meet():
        loop = asyncio.get_running_loop()
        here.append(loop)
        while len(here) < 10:
            await asyncio.sleep(0.001)
        return id(loop)

    here = []
    in_a_loop()

    assert len({get(handle) for handle in [meet() for _ in range(10)]}) == 1


def test_a_hundred_run_at_once_where_nothing_is_said(invoker):
    assert Consumer(invoker, worker_type="asyncio").pool.size == 100


def test_a_command_that_is_not_async_keeps_no_coroutine_waiting(invoker, in_a_loop, get):
    @queue_command(invoker)
    def block():
        assert released.wait(PATIENCE)

    @queue_command(invoker)
    async def release():
        released.set()

    released = threading.Event()
    in_a_loop()
    blocked = block()
    get(release())

    assert get(blocked) is None


def test_as_many_commands_that_are_not_async_run_at_once_as_there_are_workers(invoker, in_a_loop, get):
    together = threading.Barrier(10)

    @queue_command(invoker)
    def meet():
        together.wait(PATIENCE)
        return "met"

    in_a_loop()

    assert [get(handle) for handle in [meet() for _ in range(10)]] == ["met"] * 10


def test_a_coroutine_that_a_plain_function_returns_runs_in_the_loop(invoker, in_a_loop, get):
    async def where():
        return id(asyncio.get_running_loop())

    @queue_command(invoker)
    def wrapped():
        return where()

    @queue_command(invoker)
    async def here():
        return id(asyncio.get_running_loop())

    in_a_loop()

    assert get(wrapped()) == get(here())


def test_a_command_sees_its_run_and_nothing_of_the_context_of_others(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def bill(name):
        before = tenant.get()
        tenant.set(name)
        await asyncio.sleep(0)
        return [before, tenant.get(), current_command().name.rpartition(".")[2]]

    in_a_loop(workers=1)

    assert [get(handle) for handle in [bill("A"), bill("B")]] == [[None, "A", "bill"], [None, "B", "bill"]]


def test_a_coroutine_that_raises_is_retried_and_then_a_dead_letter(invoker, in_a_loop, get):
    @queue_command(invoker, retries=1, retry_delay=0)
    async def fail():
        runs.append(current_command().retries_left)
        await asyncio.sleep(0)
        raise ValueError("no")

    runs = []
    in_a_loop()

    with pytest.raises(CommandError, match="no"):
        get(fail())
    [dead] = invoker.queue.peek(State.DEAD)
    assert (runs, dead.reason) == ([1, 0], "ValueError: no")


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
def test_what_a_coroutine_raises_that_is_no_exception_ends_that_command_alone(invoker, in_a_loop, get, error):
    @queue_command(invoker)
    async def fail():
        raise error

    @queue_command(invoker)
    async def add(a, b):
        return a + b

    in_a_loop()

    with pytest.raises(CommandError):
        get(fail())
    assert get(add(1, 2)) == 3


def test_quick_coroutines_let_a_loop_hoard_nothing_that_another_consumer_has_room_for(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def quick():
        pass

    @queue_command(invoker)
    async def meet(number):
        here.add(number)
        while len(here) < 4:
            await asyncio.sleep(0.001)

    here = set()
    in_a_loop(workers=2)
    for handle in [quick() for _ in range(50)]:
        get(handle)
    in_a_loop(workers=2)

    assert [get(handle) for handle in [meet(number) for number in range(4)]] == [None] * 4


def test_outcomes_are_settled_by_another_thread_than_the_loops(invoker, in_a_loop, get, monkeypatch):
    @queue_command(invoker)
    async def where():
        return threading.current_thread().name

    def settle(outcomes):
        settlers.add(threading.current_thread().name)
        return settle_really(outcomes)

    settlers = set()
    settle_really = invoker.queue.settle
    monkeypatch.setattr(invoker.queue, "settle", settle)
    in_a_loop()
    loop = {get(where()) for _ in range(20)}

    assert settlers.isdisjoint(loop)


def test_what_keeps_the_loop_is_named_with_the_line_that_it_is_in(invoker, caplog, eventually, get):
    @queue_command(invoker)
    async def block():
        # Not an event: what holds up a loop is most often a call like this one.
        while not released.is_set():
            time.sleep(0.001)

    released = threading.Event()
    with Consumer(
        invoker, worker_type="asyncio", periodic=False, policy=replace(POLICY, loop_blocked_after=0.05)
    ).running():
        handle = block()
        eventually(lambda: "has kept the event loop" in caplog.text)
        released.set()
        get(handle)

    [line] = [record for record in caplog.records if "has kept the event loop" in record.getMessage()]
    assert f"block {handle.task_id}>" in line.getMessage()
    assert f"{__file__}:" in line.getMessage()
    assert (line.task_id, line.queue) == (handle.task_id, invoker.queue.name)


def test_what_commands_do_in_threads_keeps_no_other_from_starting_where_something_was_revoked(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def block():
        started.set()
        # More than the loop has threads for.
        await asyncio.gather(*(asyncio.to_thread(released.wait, PATIENCE) for _ in range(40)))

    @queue_command(invoker)
    async def release():
        released.set()

    started, released = threading.Event(), threading.Event()
    block().revoke()
    in_a_loop()
    blocked = block()
    assert started.wait(PATIENCE)
    get(release())

    assert get(blocked) is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a task does not run where it is made")
def test_commands_that_never_wait_leave_turns_of_the_loop_to_those_that_do(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def watch():
        most = 0
        while (before := len(computed)) < 40:
            await asyncio.sleep(0)
            most = max(most, len(computed) - before)
        return most

    @queue_command(invoker)
    async def compute():
        began = time.thread_time()
        while time.thread_time() - began < 1.2 * LONGEST_ROUND:
            pass
        computed.append(None)

    computed = []
    watching = watch()
    invoker.enqueue_many(compute.command() for _ in range(40))
    in_a_loop()

    assert get(watching) <= 2


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_a_command_is_interrupted_at_its_limit_and_its_neighbours_go_on(invoker, in_a_loop, get, kind):
    async def wait():
        await asyncio.sleep(PATIENCE)

    def loop():
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pass

    @queue_command(invoker)
    async def wait_for(gate):
        while not gates[gate].is_set():
            await asyncio.sleep(0.001)
        return gate

    limited = queue_command(invoker, timeout=0.05)(wait if kind == "coroutine" else loop)
    gates = {"open": threading.Event()}
    in_a_loop()
    neighbour = wait_for("open")

    with pytest.raises(CommandError, match="CommandTimeout"):
        get(limited())
    gates["open"].set()
    assert get(neighbour) == "open"


def test_a_running_coroutine_can_be_cancelled(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def hang():
        began.set()
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            cleaned_up.append(True)

    began, cleaned_up = threading.Event(), []
    in_a_loop()
    handle = hang()
    assert began.wait(PATIENCE)
    handle.revoke(terminate=True)

    with pytest.raises(CommandCancelled):
        get(handle)
    assert cleaned_up == [True]


def test_a_command_that_was_revoked_is_dropped(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def never():
        raise AssertionError("it ran")

    handle = never()
    handle.revoke()
    in_a_loop()

    with pytest.raises(CommandRevoked):
        get(handle)
