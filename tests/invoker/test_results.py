"""Reading the result of a call."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from huey_core import AsyncData, Invoker, QueueCommand, queue_command
from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.commands.stored_result import encode_error, encode_value
from huey_core.exceptions import (
    CommandError,
    CommandExpired,
    ConfigurationError,
    DataStoreGetException,
    DataStoreTimeout,
    DecodeError,
    Unsupported,
)
from huey_memory import ManualClock, MemoryDataStore
from plain_backend import PlainStore


class Call(QueueCommand, declare=False):
    """Any command."""


class BrokenStore(PlainStore):
    capabilities = frozenset({Capability.TTL})

    def peek(self, key):
        raise ConnectionError("the cable is out")


class SlowToWatch(MemoryDataStore):
    """Begins a watch only when it may, counts the watches, and keeps what they would call."""

    def __init__(self, name, **settings):
        super().__init__(name, **settings)
        self.asked, self.may_begin = threading.Event(), threading.Event()
        self.begun = self.ended = 0
        self.callbacks = []

    def watch(self, key, callback):
        self.asked.set()
        assert self.may_begin.wait(10)
        end = super().watch(key, callback)
        self.begun += 1
        self.callbacks.append(callback)

        def count_and_end():
            self.ended += 1
            end()

        return count_and_end


@pytest.fixture
def plain(make_invoker) -> Invoker:
    invoker = make_invoker()
    invoker.result_store = PlainStore()
    return invoker


def store(invoker: Invoker, task_id: str, value: object) -> None:
    invoker.results.put(task_id, encode_value(invoker.serializer, task_id, value))


def test_a_result_that_is_not_there_yet_is_none(invoker):
    assert AsyncData(invoker, "x").get() is None


def test_a_result_stays_in_a_store_that_forgets_by_itself(invoker):
    store(invoker, "x", 5)

    assert AsyncData(invoker, "x").get() == 5
    assert AsyncData(invoker, "x").get() == 5


def test_a_result_can_be_removed_on_purpose(invoker):
    store(invoker, "x", 5)

    assert AsyncData(invoker, "x").get(remove=True) == 5
    assert AsyncData(invoker, "x").get() is None


def test_a_result_that_was_read_already_can_be_removed_on_purpose(invoker):
    store(invoker, "x", 5)
    result = AsyncData(invoker, "x")
    result.get()

    assert result.get(remove=True) == 5
    assert AsyncData(invoker, "x").get() is None


def test_a_result_is_removed_from_a_store_that_never_forgets(plain):
    store(plain, "x", 5)
    result = AsyncData(plain, "x")

    assert result.get() == 5
    assert AsyncData(plain, "x").get() is None


def test_a_handle_remembers_what_it_has_read(plain):
    store(plain, "x", [1])
    result = AsyncData(plain, "x")

    assert (result.get(), result.get()) == ([1], [1])


def test_waiting_ends_with_a_timeout(invoker):
    with pytest.raises(DataStoreTimeout, match="x within"):
        AsyncData(invoker, "x").get(blocking=True, timeout=0.01)


def test_the_longest_wait_may_be_a_timedelta(invoker):
    with pytest.raises(DataStoreTimeout, match=r"within 0\.01 s"):
        AsyncData(invoker, "x").get(blocking=True, timeout=timedelta(milliseconds=10))


def test_a_handle_that_is_printed_shows_the_identifier_of_its_call(invoker):
    assert str(AsyncData(invoker, "5f3a")) == "<AsyncData 5f3a>"


@pytest.mark.parametrize("timeout", [float("inf"), 1e300])
def test_a_wait_without_an_end_may_be_written_as_a_very_long_one(invoker, result_of, monkeypatch, timeout):
    waited = threading.Event()
    wait = invoker.results.wait

    def wait_and_tell(key, timeout):
        waited.set()
        return wait(key, timeout)

    monkeypatch.setattr(invoker.results, "wait", wait_and_tell)

    @queue_command(invoker)
    def be_late():
        return waited.wait(60)

    assert result_of(be_late())


def test_a_handle_can_be_made_of_a_command(invoker):
    command = Call(task_id="x")
    store(invoker, "x", 5)

    assert AsyncData(invoker, command).get() == 5


def test_a_handle_on_a_store_is_refused_where_it_is_made(invoker):
    with pytest.raises(ConfigurationError, match=r"AsyncData\(invoker, task_id\)"):
        AsyncData(invoker.result_store, "x")


def test_a_call_can_be_revoked_when_nobody_waits_for_it_any_more(invoker):
    result = AsyncData(invoker, "x")

    with pytest.raises(DataStoreTimeout):
        result.get(True, 0.01, 1.15, 1.0, True)

    assert result.is_revoked()


def test_that_a_call_cannot_be_revoked_is_told_before_the_wait(invoker):
    invoker.task_store = None
    store(invoker, "x", 5)

    with pytest.raises(Unsupported, match="task store"):
        AsyncData(invoker, "x").get(blocking=True, revoke_on_timeout=True)


@pytest.mark.parametrize("timeout", [float("nan"), "10", True])
def test_what_is_no_time_is_refused_as_a_timeout(invoker, timeout):
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds"):
        AsyncData(invoker, "x").get(blocking=True, timeout=timeout)


def test_a_timeout_is_also_the_builtin_one(invoker):
    with pytest.raises(TimeoutError):
        AsyncData(invoker, "x").get(blocking=True, timeout=0)


@pytest.mark.parametrize("which", ["invoker", "plain"])
def test_waiting_ends_when_the_result_arrives(which, request):
    invoker = request.getfixturevalue(which)
    timer = threading.Timer(0.05, store, (invoker, "x", 5))
    timer.start()

    assert AsyncData(invoker, "x").get(blocking=True, timeout=10, max_delay=0.01) == 5
    timer.join()


@pytest.mark.parametrize("which", ["invoker", "plain"])
def test_a_result_can_be_awaited(which, request):
    invoker = request.getfixturevalue(which)

    async def main() -> object:
        asyncio.get_running_loop().call_later(0.05, store, invoker, "x", 5)
        return await AsyncData(invoker, "x")

    assert asyncio.run(asyncio.wait_for(main(), 10)) == 5


def test_many_results_can_be_awaited_at_once(invoker):
    names = [str(number) for number in range(200)]

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        for number, name in enumerate(names):
            loop.call_later(0.01 + number % 7 / 1000, store, invoker, name, number)
        return await asyncio.gather(*(AsyncData(invoker, name) for name in names))

    assert asyncio.run(asyncio.wait_for(main(), 20)) == list(range(200))


def test_an_awaited_result_may_be_an_error(invoker, run_consumer):
    @queue_command(invoker)
    def fail():
        raise LookupError("gone")

    run_consumer(invoker)

    async def main() -> object:
        return await fail()

    with pytest.raises(CommandError, match="gone"):
        asyncio.run(asyncio.wait_for(main(), 10))


def test_a_cancelled_wait_leaves_no_watch_behind(invoker):
    async def main() -> None:
        task = asyncio.ensure_future(_await(AsyncData(invoker, "x")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    store(invoker, "x", 1)

    assert AsyncData(invoker, "x").get() == 1


def test_a_wait_that_is_cancelled_while_its_watch_begins_leaves_none_behind(invoker, request, eventually):
    slow = invoker.result_store = SlowToWatch("slow", space=request.node.name)

    async def main() -> None:
        task = asyncio.ensure_future(_await(AsyncData(invoker, "x")))
        await asyncio.to_thread(slow.asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.may_begin.set()

    asyncio.run(main())
    eventually(lambda: slow.begun == 1)

    eventually(lambda: slow.ended == 1, "the end of the watch")


def test_a_change_that_comes_after_the_loop_was_closed_is_of_no_concern(invoker, request):
    told = invoker.result_store = SlowToWatch("told", space=request.node.name)
    told.may_begin.set()
    store(invoker, "x", 1)
    asyncio.run(asyncio.wait_for(_await(AsyncData(invoker, "x")), 10))

    (note_change,) = told.callbacks

    assert note_change() is None


async def _await(result: AsyncData[object]) -> object:
    return await result


def test_trouble_with_the_store_keeps_its_cause(make_invoker):
    invoker = make_invoker()
    invoker.result_store = BrokenStore()

    with pytest.raises(DataStoreGetException) as caught:
        AsyncData(invoker, "x").get()

    assert isinstance(caught.value.__cause__, ConnectionError)


def test_the_result_of_another_command_is_refused(invoker):
    invoker.results.put("x", encode_value(invoker.serializer, "y", 5))

    with pytest.raises(DecodeError, match="another command"):
        AsyncData(invoker, "x").get()


def test_a_result_cannot_choose_its_serializer(make_invoker):
    invoker = make_invoker()
    writer = make_invoker(serializer="pickle")
    store(writer, "x", 5)

    with pytest.raises(DecodeError, match="'pickle'"):
        AsyncData(invoker, "x").get()


def test_a_failure_in_a_serializer_that_is_not_accepted_is_told_to_be_one(make_invoker):
    invoker = make_invoker(serializer="pickle")
    value = encode_error(make_invoker().serializer, "x", ValueError("no"))
    invoker.results.put("x", value)

    with pytest.raises(DecodeError, match="'error'"):
        AsyncData(invoker, "x").get()


def test_reading_without_a_result_store_is_a_clear_error(make_invoker):
    with pytest.raises(ConfigurationError, match="no result store"):
        AsyncData(make_invoker(results=False), "x").get()


def test_a_command_that_raised_is_described_in_words(invoker, result_of):
    @queue_command(invoker)
    def divide(by):
        return 1 / by

    with pytest.raises(CommandError) as caught:
        result_of(divide(0))

    error = caught.value
    assert error.type_name == "builtins.ZeroDivisionError"
    assert error.message == "division by zero"
    assert "in divide" in error.traceback
    assert "pluggy" not in error.traceback


def test_an_expired_command_says_so(invoker, run_consumer):
    @queue_command(invoker, expires=0)
    def late(): ...

    result = late()
    time_before = invoker.now()
    while invoker.now() <= time_before:
        time.sleep(0.001)
    run_consumer(invoker)

    with pytest.raises(CommandExpired):
        result.get(blocking=True, timeout=10)


@pytest.mark.parametrize("options", [{}, {"store_result": True}, {"store_result": False}])
def test_a_wait_for_a_command_that_returned_none_ends(invoker, result_of, options):
    @queue_command(invoker, **options)
    def nothing(): ...

    assert result_of(nothing()) is None


def test_await_ends_for_a_command_that_returned_none(invoker, run_consumer):
    @queue_command(invoker)
    def nothing(): ...

    run_consumer(invoker)

    assert asyncio.run(asyncio.wait_for(_await(nothing()), 10)) is None


def test_that_a_command_has_ended_is_remembered_no_longer_than_a_result(make_invoker, run_consumer):
    clock = ManualClock()
    invoker = make_invoker()
    invoker.result_store = MemoryDataStore("results", clock=clock)

    @queue_command(invoker, result_ttl=60)
    def nothing(): ...

    run_consumer(invoker)
    result = nothing()
    result.get(blocking=True, timeout=10)
    clock.advance(61)

    assert invoker.results.peek(result.task_id) is EmptyData


def test_a_command_may_keep_its_result_to_itself(invoker, run_consumer):
    @queue_command(invoker, store_result=False)
    def secret():
        return "hush"

    run_consumer(invoker)
    result = secret()

    assert result.get(blocking=True, timeout=10) is None
    assert b"hush" not in invoker.results.peek(result.task_id)


def test_of_a_failure_that_is_kept_to_itself_the_caller_learns_the_type_alone(invoker, result_of):
    @queue_command(invoker, store_result=False)
    def secret():
        raise LookupError("hush")

    with pytest.raises(CommandError) as caught:
        result_of(secret())

    error = caught.value
    assert error.type_name == "builtins.LookupError"
    assert "hush" not in f"{error.message}{error.traceback}"


@pytest.mark.parametrize("kept_by", ["store", "setting"])
def test_nothing_is_left_for_ever_of_a_result_that_is_not_wanted(make_invoker, run_consumer, eventually, kept_by):
    invoker = make_invoker(result_ttl=None)
    if kept_by == "store":
        invoker.result_store = PlainStore("results")

    @queue_command(invoker, store_result=False)
    def secret():
        return "hush"

    consumer = run_consumer(invoker)
    result = secret()
    eventually(lambda: consumer.stats.done == 1)

    assert invoker.results.get(result.task_id) is EmptyData
