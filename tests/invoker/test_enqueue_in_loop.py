"""Enqueueing in an event loop: in few writes, each caller for itself, and without keeping the loop waiting."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from contextvars import ContextVar
from datetime import UTC, datetime

import pytest

from huey_core import CommandRegistry, Invoker, hookimpl, queue_command
from huey_core.exceptions import (
    CommandRejected,
    ConfigurationError,
    EncodeError,
    MessageTooLarge,
    QueueWriteException,
    Unsupported,
)
from huey_core.invoker import DeferredInvoker
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue

PATIENCE = 60.0


class WatchedQueue(MemoryQueue):
    """Notes each write, and whose thread it was in; a write waits for the gate, and raises what it is told to."""

    def __init__(self, name="watched", **connection):
        super().__init__(name, **connection)
        self.max_message_size = 100_000
        self.writes = []
        self.threads = set()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.error = None

    def write_many(self, messages):
        self.threads.add(threading.current_thread())
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        written = super().write_many(messages)
        self.writes.append([message.message_id for message in messages])
        return written


class Refusing:
    """Refuses commands that are called with a negative number."""

    @hookimpl
    def huey_before_enqueue(self, command):
        if command.data[0] and command.data[0][0] == -1:
            raise CommandRejected("negative")


@pytest.fixture
def queue():
    queue = WatchedQueue()
    yield queue
    queue.flush()


@pytest.fixture
def make_invoker(queue):
    def make(**settings):
        settings.setdefault("registry", CommandRegistry())
        return Invoker(queue, MemoryDataStore("watched"), MemoryDataStore("watched-tasks"), **settings)

    return make


@pytest.fixture
def invoker(make_invoker):
    return make_invoker(plugins=[Refusing()])


@pytest.fixture
def add(invoker):
    @queue_command(invoker, name="add")
    def add(a, b=0):
        return a + b

    return add


async def until(condition):
    """Wait in the event loop, which so has many turns, until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


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


def test_calls_that_come_together_travel_in_one_write_and_in_order(add, queue):
    async def call():
        return await asyncio.gather(*(add.acall(number) for number in range(100)))

    handles = asyncio.run(call())

    assert queue.writes == [[handle.task_id for handle in handles]]


def test_what_comes_while_a_write_is_under_way_is_the_next_write(add, queue):
    queue.gate.clear()

    async def call():
        first = asyncio.create_task(add.acall(0))
        await until(queue.begun.is_set)
        others = [asyncio.create_task(add.acall(number)) for number in range(1, 20)]
        await asyncio.sleep(0)
        queue.gate.set()
        await asyncio.gather(first, *others)

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [1, 19]


def test_a_write_takes_a_bounded_number_of_commands(add, queue):
    async def call():
        await asyncio.gather(*(add.acall(number) for number in range(1001)))

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [500, 500, 1]


def test_a_write_takes_a_bounded_number_of_bytes(add, queue):
    async def call():
        await asyncio.gather(*(add.acall("x" * 90_000) for _ in range(60)))

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [47, 13]


def test_one_task_s_calls_keep_their_order(add, queue):
    async def call_one_by_one():
        return [(await add.acall(number)).task_id for number in range(20)]

    async def call():
        return await asyncio.gather(*(call_one_by_one() for _ in range(5)))

    in_order = asyncio.run(call())

    written = [message_id for ids in queue.writes for message_id in ids]
    for ids in in_order:
        assert [message_id for message_id in written if message_id in set(ids)] == ids
    assert len(queue.writes) < 50


def test_each_caller_gets_its_own_error_and_the_others_their_handles(add, queue):
    live = add.using(unique_key="sum")
    large = "x" * 200_000

    async def call():
        calls = [add.acall(1), add.acall(object()), add.acall(), add.acall(-1), add.acall(large), live.acall(1)]
        return await asyncio.gather(*calls, live.acall(2), add.acall(large), add.acall(3), return_exceptions=True)

    first, carried, fitting, rejected, too_large, unique, taken, too_large_as_well, last = asyncio.run(call())

    assert isinstance(carried, EncodeError)
    assert isinstance(fitting, TypeError)
    assert isinstance(rejected, CommandRejected)
    assert isinstance(too_large, MessageTooLarge)
    assert isinstance(too_large_as_well, MessageTooLarge)
    assert taken.task_id == unique.task_id
    assert {message.message_id for message in queue.peek("ready")} == {
        first.task_id,
        unique.task_id,
        last.task_id,
    }


def test_an_error_of_the_server_reaches_every_caller_of_that_write_and_the_next_one_is_tried(add, queue):
    queue.error = ConnectionError("the cable is out")

    async def call():
        together = await asyncio.gather(*(add.acall(number) for number in range(10)), return_exceptions=True)
        queue.error = None
        return together, await add.acall(11)

    errors, later = asyncio.run(call())

    assert {type(error) for error in errors} == {QueueWriteException}
    assert "the cable is out" in str(errors[0])
    assert queue.writes == [[later.task_id]]


def test_an_error_that_many_callers_get_has_a_traceback_of_each_caller_alone(add, queue):
    queue.error = ConnectionError("the cable is out")
    depths = []

    async def call_one():
        try:
            await add.acall(1)
        except QueueWriteException as error:
            traceback, depth = error.__traceback__, 0
            while traceback is not None:
                traceback, depth = traceback.tb_next, depth + 1
            depths.append(depth)

    async def call():
        await asyncio.gather(*(call_one() for _ in range(50)))

    asyncio.run(call())

    assert len(depths) == 50
    assert len(set(depths)) == 1


def test_on_a_plain_queue_what_was_written_before_an_error_is_known_to_be():
    class FailingAfter(PlainQueue):
        def write(self, data):
            if len(self.messages) == 2:
                raise ConnectionError("the cable is out")
            super().write(data)

    invoker = Invoker(FailingAfter(), MemoryDataStore("plain"), registry=CommandRegistry())

    @queue_command(invoker, name="add")
    def add(a): ...

    async def call():
        return await asyncio.gather(*(add.acall(number) for number in range(4)), return_exceptions=True)

    outcomes = asyncio.run(call())

    assert [isinstance(outcome, QueueWriteException) for outcome in outcomes] == [False, False, True, True]


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


def test_several_commands_are_written_in_order_with_those_of_others(add, invoker, queue):
    async def call():
        return await asyncio.gather(
            invoker.aenqueue_many([add.command(1), add.command(2)]),
            invoker.aenqueue(add.command(3)),
            invoker.aenqueue_many(add.command(number) for number in range(4, 6)),
            invoker.aenqueue_many([]),
        )

    first, third, last, nothing = asyncio.run(call())

    assert queue.writes == [[handle.task_id for handle in [*first, third, *last]]]
    assert nothing == []


def test_of_several_commands_none_is_written_if_one_cannot_be_encoded(add, invoker, queue):
    async def call():
        together = invoker.aenqueue_many([add.command(1), add.command(object())])
        return await asyncio.gather(together, add.acall(2), return_exceptions=True)

    refused, other = asyncio.run(call())

    assert isinstance(refused, EncodeError)
    assert queue.writes == [[other.task_id]]


def test_nobody_waits_behind_very_many_commands(add, invoker, queue):
    queue.gate.clear()

    async def call():
        many = asyncio.create_task(invoker.aenqueue_many(add.command(number) for number in range(2000)))
        await until(queue.begun.is_set)
        held, queue.gate = queue.gate, threading.Event()
        queue.gate.set()
        one = await add.acall(1)
        alone = list(queue.writes)
        held.set()
        return one, alone, await many

    one, alone, many = asyncio.run(call())

    assert alone == [[one.task_id]]
    assert queue.writes[1] == [handle.task_id for handle in many]


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


def test_calls_of_other_queues_are_written_to_theirs(invoker, add):
    beside = invoker.on_queue("beside")

    @queue_command(invoker, name="beside", queue="beside")
    def of_beside(): ...

    async def call():
        return await asyncio.gather(
            add.acall(1),
            add.using(queue="beside").acall(2),
            of_beside.acall(),
            beside.aenqueue(add.command(3)),
            invoker.aenqueue_many([of_beside.command(), add.command(4)]),
        )

    first, second, third, fourth, (fifth, sixth) = asyncio.run(call())

    assert [message.message_id for message in invoker.queue.peek("ready")] == [first.task_id, sixth.task_id]
    assert [message.message_id for message in beside.queue.peek("ready")] == [
        second.task_id,
        third.task_id,
        fourth.task_id,
        fifth.task_id,
    ]
    assert {handle.invoker for handle in (second, third, fourth, fifth)} == {beside}
    beside.flush()


def test_an_error_of_one_queue_is_not_that_of_another_s_callers(invoker, add):
    beside = invoker.on_queue("beside")
    beside.queue.error = ConnectionError("no such slot")

    async def call():
        return await asyncio.gather(
            add.using(queue="beside").acall(1),
            add.acall(2),
            invoker.aenqueue_many([add.using(queue="beside").command(3), add.command(4)]),
            return_exceptions=True,
        )

    failed, written, failed_with_it = asyncio.run(call())

    assert isinstance(failed, QueueWriteException)
    assert isinstance(failed_with_it, QueueWriteException)
    assert written.task_id in invoker.queue.writes[0]


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

    asyncio.run(call())

    assert made_in[0] is not threading.main_thread()
    assert invoker.queue.counts().ready == 1


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


class TestAlwaysEager:
    @pytest.fixture
    def invoker(self, make_invoker):
        return make_invoker(always_eager=True)

    def test_the_command_has_run(self, add, queue):
        async def call():
            return await (await add.acall(1, 2)), await (await add.aschedule((3, 4), delay=60))

        assert asyncio.run(call()) == (3, 7)
        assert queue.writes == []

    def test_the_loop_goes_on_while_it_runs(self, invoker):
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

    def test_a_coroutine_function_is_awaited_in_the_caller_s_loop(self, invoker):
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

    def test_commands_that_call_others_do_not_wait_for_threads(self, invoker):
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
