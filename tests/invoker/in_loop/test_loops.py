"""An event loop is never kept waiting, and leaves nothing behind; callers may be cancelled."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref

import pytest
import uvloop

from huey_core import CommandRegistry, Invoker, hookimpl, queue_command
from huey_core.exceptions import CommandRejected
from watched_queue import PATIENCE, until


def test_the_loop_goes_on_while_the_server_hangs(add, queue):
    queue.gate.clear()

    async def call():
        calls = [asyncio.create_task(add.acall(number)) for number in range(200)]
        await until(queue.begun.is_set)
        for _ in range(100):
            await asyncio.sleep(0)
        turns_were_taken = not any(each.done() for each in calls)
        queue.gate.set()
        await asyncio.gather(*calls)
        return turns_were_taken

    assert asyncio.run(call())
    assert threading.main_thread() not in queue.threads


def test_the_loop_goes_on_while_a_plugin_takes_its_time(make_invoker, queue):
    asked, answer = threading.Event(), threading.Event()

    class Slow:
        @hookimpl
        def huey_before_enqueue(self, command):
            asked.set()
            assert answer.wait(PATIENCE)

    @queue_command(make_invoker(plugins=[Slow()]), name="add")
    def add(a): ...

    async def call():
        calling = asyncio.create_task(add.acall(1))
        await until(asked.is_set)
        answer.set()
        return await calling

    handle = asyncio.run(call())

    assert queue.writes == [[handle.task_id]]


def test_the_loop_has_turns_while_an_iterator_makes_commands(add, invoker):
    turns, turns_before = [0], []

    async def take_turns():
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    def make():
        for number in range(5):
            turns_before.append(turns[0])
            began = time.monotonic()
            while time.monotonic() < began + 0.01:
                pass
            yield add.command(number)

    async def call():
        others = asyncio.create_task(take_turns())
        await invoker.aenqueue_many(make())
        others.cancel()

    asyncio.run(call())

    assert turns_before == sorted(set(turns_before))
    assert len(turns_before) == 5


def test_a_caller_that_is_cancelled_before_its_write_has_enqueued_nothing(add, queue):
    queue.gate.clear()

    async def call():
        first = asyncio.create_task(add.acall(1))
        await until(queue.begun.is_set)
        second, third = asyncio.create_task(add.acall(2)), asyncio.create_task(add.acall(3))
        await asyncio.sleep(0)
        second.cancel()
        queue.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await second
        return (await first).task_id, (await third).task_id

    first, third = asyncio.run(call())

    assert queue.writes == [[first], [third]]


def test_a_caller_that_is_cancelled_during_its_write_has_enqueued_and_harms_nobody(add, queue):
    queue.gate.clear()

    async def call():
        first, second = asyncio.create_task(add.acall(1)), asyncio.create_task(add.acall(2))
        await until(queue.begun.is_set)
        first.cancel()
        queue.gate.set()
        return (await second).task_id

    second = asyncio.run(call())

    [ids] = queue.writes
    assert len(ids) == 2
    assert ids[1] == second


def test_the_loops_of_two_threads_do_not_wait_for_each_other(add, queue):
    queue.gate.clear()
    finished = threading.Event()

    async def call_and_hang():
        await add.acall(1)
        finished.set()

    hanging = threading.Thread(target=asyncio.run, args=(call_and_hang(),))
    hanging.start()
    assert queue.begun.wait(PATIENCE)
    held, queue.gate = queue.gate, threading.Event()
    queue.gate.set()

    handle = asyncio.run(add.acall(2))

    assert queue.writes == [[handle.task_id]]
    assert not finished.is_set()
    held.set()
    hanging.join(PATIENCE)
    assert finished.is_set()


def test_a_loop_that_ends_leaves_nothing_behind(add, queue):
    queue.gate.clear()
    loops = []

    async def end_while_writing():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        tasks = [asyncio.create_task(add.acall(number)) for number in range(3)]
        await until(queue.begun.is_set)
        tasks.append(asyncio.create_task(add.acall(4)))
        await asyncio.sleep(0)
        queue.gate.set()

    asyncio.run(end_while_writing())
    gc.collect()

    assert loops[0]() is None
    assert [len(ids) for ids in queue.writes] == [3]
    asyncio.run(add.acall(5))
    assert [len(ids) for ids in queue.writes] == [3, 1]


def test_a_loop_that_is_closed_while_its_write_hangs_is_let_go_with_the_next_call(add, queue):
    queue.gate.clear()
    loop = asyncio.new_event_loop()
    task = loop.create_task(add.acall(1))
    loop.run_until_complete(until(queue.begun.is_set))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    left = weakref.ref(loop)
    del loop, task
    queue.gate.set()

    asyncio.run(add.acall(2))

    def is_gone():
        gc.collect()
        return left() is None

    deadline = time.monotonic() + PATIENCE
    while not is_gone():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_enqueues_in_a_loop_of_its_own(tmp_path):
    with_file = Invoker.from_url(f"sqlite:///{tmp_path / 'queue.db'}", registry=CommandRegistry())

    @queue_command(with_file, name="add")
    def add(a): ...

    asyncio.run(add.acall(1))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(add.acall(2))
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert with_file.queue.counts().ready == 2
    with_file.close()


def test_another_kind_of_event_loop_will_do(add, queue):
    async def call():
        return await asyncio.gather(*(add.acall(number) for number in range(10)), add.acall(-1), return_exceptions=True)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        *handles, rejected = runner.run(call())

    assert queue.writes == [[handle.task_id for handle in handles]]
    assert isinstance(rejected, CommandRejected)
