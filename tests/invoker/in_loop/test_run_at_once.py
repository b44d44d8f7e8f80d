"""Commands that run at once, where they are called in an event loop."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from huey_core import queue_command
from watched_queue import PATIENCE, until


@pytest.fixture
def invoker(make_invoker):
    return make_invoker(always_eager=True)


def test_the_command_has_run(add, queue):
    async def call():
        return await (await add.acall(1, 2)), await (await add.aschedule((3, 4), delay=60))

    assert asyncio.run(call()) == (3, 7)
    assert queue.writes == []


def test_the_loop_goes_on_while_it_runs(invoker):
    began, go_on = threading.Event(), threading.Event()

    @queue_command(invoker, name="wait")
    def wait():
        began.set()
        return go_on.wait(PATIENCE)

    async def call():
        calling = asyncio.create_task(wait.acall())
        await until(began.is_set)
        go_on.set()
        return await (await calling)

    assert asyncio.run(call()) is True


def test_a_coroutine_function_is_awaited_in_the_caller_s_loop(invoker):
    loops, request = [], ContextVar("request", default="none")

    @queue_command(invoker, name="fetch")
    async def fetch():
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return request.get()

    async def call():
        request.set("first")
        result = await (await fetch.acall())
        return result, asyncio.get_running_loop()

    result, loop = asyncio.run(call())

    assert result == "first"
    assert loops == [loop]


def test_commands_that_call_others_do_not_wait_for_threads(invoker):
    @queue_command(invoker, name="inner")
    async def inner():
        return 1

    @queue_command(invoker, name="outer")
    async def outer():
        return await (await inner.acall())

    async def call():
        handles = await asyncio.gather(*(outer.acall() for _ in range(100)))
        return sum([await handle for handle in handles])

    async def call_in_time():
        async with asyncio.timeout(PATIENCE):
            return await call()

    assert asyncio.run(call_in_time()) == 100
