"""What calls in an event loop give, and what plugins see of them."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from datetime import UTC, datetime

import pytest

from huey_core import CommandRegistry, Invoker, hookimpl, queue_command
from huey_core.exceptions import ConfigurationError, Unsupported
from huey_core.invoker import DeferredInvoker
from huey_memory import MemoryDataStore
from watched_queue import PATIENCE


def test_a_call_gives_a_handle_on_the_message_that_was_written(add, queue):
    handle = asyncio.run(add.acall(1, b=2))

    assert queue.writes == [[handle.task_id]]


def test_without_a_result_store_a_call_gives_none(queue):
    without_results = Invoker(queue, registry=CommandRegistry())

    @queue_command(without_results, name="add")
    def add(a): ...

    assert asyncio.run(add.acall(1)) is None
    assert len(queue.writes) == 1


def test_a_call_is_run_and_its_result_awaited(add, run_consumer, invoker):
    async def call():
        async with asyncio.timeout(PATIENCE):
            return await (await add.acall(1, 2))

    run_consumer(invoker)

    assert asyncio.run(call()) == 3


@pytest.mark.parametrize("worker_type", ["asyncio", "thread"])
def test_a_command_that_is_a_coroutine_function_calls_others(add, invoker, run_consumer, worker_type):
    @queue_command(invoker, name="add_all")
    async def add_all(numbers):
        handles = await asyncio.gather(*(add.acall(number, 1) for number in numbers))
        return [handle.task_id for handle in handles]

    run_consumer(invoker, worker_type=worker_type)

    called = add_all([1, 2, 3]).get(blocking=True, timeout=PATIENCE)

    assert [invoker.result(each).get(blocking=True, timeout=PATIENCE) for each in called] == [2, 3, 4]


def test_a_call_is_scheduled(add, invoker, queue):
    eta = datetime(2100, 1, 1, tzinfo=UTC)

    async def call():
        return await asyncio.gather(add.aschedule((1,), {"b": 2}, eta=eta), add.aschedule((2,), delay=3600))

    first, second = asyncio.run(call())

    commands = {message.message_id: invoker.codec.decode(message.data) for message in queue.peek("scheduled")}
    assert (commands[first.task_id].eta, commands[first.task_id].data) == (eta.timestamp(), ([1], {"b": 2}))
    assert time.time() < commands[second.task_id].eta <= time.time() + 3600


def test_a_schedule_that_cannot_be_is_refused_as_by_schedule(add):
    with pytest.raises(ConfigurationError, match="either eta= or delay="):
        asyncio.run(add.aschedule((1,), eta=datetime.now(), delay=5))


def test_a_deferred_invoker_is_made_outside_of_the_loop_s_thread(invoker):
    made_in = []

    def make():
        made_in.append(threading.current_thread())
        return invoker

    @queue_command(DeferredInvoker(make), name="deferred")
    def deferred(): ...

    async def call():
        await deferred.acall()
        await deferred.aschedule(delay=60)
        first, *_ = made_in
        made_in.clear()
        await deferred.using(priority=5).acall()
        return first

    first = asyncio.run(call())

    assert first is not threading.main_thread()
    assert set(made_in) == {threading.main_thread()}
    assert invoker.queue.counts().ready == 2


def test_a_call_is_revoked(add):
    async def revoke():
        handle = await add.acall(1)
        await handle.arevoke()
        return handle

    handle = asyncio.run(revoke())

    assert handle.is_revoked()


def test_what_cannot_be_revoked_is_refused(queue):
    without_store = Invoker(queue, MemoryDataStore("watched"), registry=CommandRegistry())

    @queue_command(without_store, name="add")
    def add(a): ...

    async def revoke():
        await (await add.acall(1)).arevoke()

    with pytest.raises(Unsupported, match="needs a task store"):
        asyncio.run(revoke())


def test_hooks_see_the_context_variables_of_their_caller(make_invoker):
    request, seen = ContextVar("request", default="none"), []

    class Tracing:
        @hookimpl
        def huey_before_enqueue(self, command):
            seen.append(("before", command.data[0][0], request.get()))

        @hookimpl
        def huey_after_enqueue(self, command):
            seen.append(("after", command.data[0][0], request.get()))

    @queue_command(make_invoker(plugins=[Tracing()]), name="add")
    def add(a): ...

    async def serve(name):
        request.set(name)
        await add.acall(name)

    async def call():
        await asyncio.gather(serve("first"), serve("second"))

    asyncio.run(call())

    assert seen == [(hook, name, name) for hook in ("before", "after") for name in ("first", "second")]


def test_a_duplicate_is_not_told_to_plugins_as_enqueued(make_invoker):
    told = []

    class Watching:
        @hookimpl
        def huey_after_enqueue(self, command):
            told.append(command.data[0][0])

    @queue_command(make_invoker(plugins=[Watching()]), name="add", unique_key="sum")
    def add(a): ...

    async def call():
        await asyncio.gather(add.acall(1), add.acall(2))

    asyncio.run(call())

    assert told == [1]
