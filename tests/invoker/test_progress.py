"""Progress that commands report, and that their callers see."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, current_command, queue_command
from huey_core.backends import Capability, EmptyData
from huey_core.backends.forking import PerProcess
from huey_core.backends.messages import Delivery
from huey_core.commands import Progress, progress_writer
from huey_core.commands.progress_writer import ProgressWriter
from huey_core.exceptions import (
    CommandError,
    ConfigurationError,
    DataStoreGetException,
    DataStoreTimeout,
    DecodeError,
    DeliveryLost,
    NoCurrentCommand,
    Unsupported,
)
from huey_core.invoker import progress as watching
from huey_core.invoker.runner import CommandRunner
from huey_core.workers.interruption import NoInterruption
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore

PATIENCE = 30.0


class KeptStore(PlainStore):
    """A store that can be looked at, and neither forgets nor tells of changes."""

    capabilities = frozenset({Capability.LOCKS})

    def peek(self, key):
        return self.values.get(key, EmptyData)


class PolledStore(MemoryDataStore):
    """A store that tells nobody of changes."""

    capabilities = frozenset({Capability.TTL, Capability.LOCKS})

    def watch(self, key, callback):
        return super(MemoryDataStore, self).watch(key, callback)


def seen(progress):
    """What the command has said."""
    return None if progress is None else (progress.done, progress.total, progress.note)


def load(rows):
    for done in range(1, rows + 1):
        current_command().progress(done, rows, f"row {done}")


async def load_in_loop(rows):
    await asyncio.sleep(0)
    load(rows)


@pytest.fixture
def lock_step(make_invoker):
    """Make a command that reports three steps, each when the one before was seen, and the function that goes on."""

    def make(invoker, *, in_loop=False, fail=False):
        gate = threading.Semaphore(0)

        def walk():
            for step in range(1, 4):
                current_command().progress(step, 3)
                assert gate.acquire(timeout=PATIENCE)
            if fail:
                raise ValueError("at last")

        async def walk_in_loop():
            for step in range(1, 4):
                current_command().progress(step, 3)
                assert await asyncio.to_thread(gate.acquire, timeout=PATIENCE)

        return queue_command(invoker)(walk_in_loop if in_loop else walk), gate.release

    return make


@pytest.mark.parametrize("function", [load, load_in_loop])
def test_at_once_in_the_caller_the_last_progress_is_there_when_the_call_returns(make_invoker, function):
    handle = queue_command(make_invoker(always_eager=True))(function)(500)

    assert seen(handle.progress()) == (500, 500, "row 500")


def test_it_says_when(make_invoker):
    invoker = make_invoker(always_eager=True)
    began = invoker.now()

    handle = queue_command(invoker)(load)(1)

    assert began <= handle.progress().at <= invoker.now()


def test_one_that_is_not_complete_is_there_too_when_the_run_has_failed(make_invoker):
    @queue_command(make_invoker(always_eager=True))
    def fail():
        current_command().progress(1, 10)
        current_command().progress(2, 10, "the bad row")
        raise ValueError

    assert seen(fail().progress()) == (2, 10, "the bad row")


def test_a_call_that_has_said_nothing_has_no_progress(invoker):
    assert queue_command(invoker)(load)(1).progress() is None


@pytest.mark.parametrize("worker_type", ["thread", "asyncio"])
@pytest.mark.parametrize("function", [load, load_in_loop])
def test_a_command_of_a_consumer_has_reported_it_when_its_result_is_there(invoker, run_consumer, worker_type, function):
    run_consumer(invoker, worker_type=worker_type)

    handle = queue_command(invoker)(function)(300)

    handle.get(blocking=True, timeout=PATIENCE)
    assert seen(handle.progress()) == (300, 300, "row 300")


def test_a_coroutine_of_the_event_loop_that_has_failed_leaves_its_last_progress(invoker, run_consumer):
    @queue_command(invoker)
    async def fail():
        current_command().progress(1, 10)
        current_command().progress(2, 10, "the bad row")
        raise ValueError

    run_consumer(invoker, worker_type="asyncio")
    handle = fail()

    with pytest.raises(CommandError):
        handle.get(blocking=True, timeout=PATIENCE)
    assert seen(handle.progress()) == (2, 10, "the bad row")


def test_a_run_whose_message_is_another_consumers_now_writes_nothing(invoker):
    interruption = NoInterruption()

    @queue_command(invoker)
    def lose_it():
        interruption.interrupt(delivery, DeliveryLost)
        current_command().progress(1, 2)

    command = lose_it.command()
    delivery = Delivery(invoker.codec.encode(command), command.task_id, "receipt", 1)
    CommandRunner(invoker).run(delivery, interruption)

    assert invoker.result(command.task_id).progress() is None


def test_a_run_that_is_tried_again_begins_anew(make_invoker):
    invoker, states = make_invoker(always_eager=True), []

    @queue_command(invoker, retries=1)
    def fragile():
        run = current_command()
        states.append(seen(invoker.result(run.task_id).progress()))
        run.progress(0 if run.retry_count else 9, 10)
        if not run.retry_count:
            raise ValueError

    assert seen(fragile().progress()) == (0, 10, None)
    assert states == [None, (9, 10, None)]


def test_another_process_needs_only_the_id(make_invoker):
    invoker = make_invoker(always_eager=True)
    handle = queue_command(invoker)(load)(2)

    assert seen(invoker.result(handle.task_id).progress()) == (2, 2, "row 2")


def test_that_of_a_command_in_another_queue_is_found(invoker, run_consumer):
    command = queue_command(invoker, queue="reports")(load)
    run_consumer(invoker.on_queue("reports"))

    handle = command(2)
    handle.get(blocking=True, timeout=PATIENCE)

    assert seen(handle.progress()) == (2, 2, "row 2")


def test_after_the_run_no_progress_is_taken(make_invoker):
    kept = []

    @queue_command(make_invoker(always_eager=True))
    def keep():
        kept.append(current_command())
        kept.append(contextvars.copy_context())

    keep()
    run, context = kept

    with pytest.raises(NoCurrentCommand, match="its progress is not written"):
        run.progress(1)
    with pytest.raises(NoCurrentCommand):
        context.run(lambda: current_command().progress(2))


def test_what_is_no_progress_is_an_error_in_the_command(make_invoker):
    @queue_command(make_invoker(results=False, always_eager=True))
    def wrong():
        current_command().progress("half")

    with pytest.raises(ConfigurationError, match="done of a progress"):
        wrong()


def test_without_a_result_store_the_command_goes_on_and_that_is_logged_once(make_invoker, monkeypatch, caplog):
    eager = make_invoker(results=False, always_eager=True)
    command = queue_command(eager)(load)
    monkeypatch.setattr(progress_writer, "_writer", PerProcess(lambda: ProgressWriter().start()))

    command(3)
    command(3)

    lines = [record.getMessage() for record in caplog.records if "progress" in record.getMessage()]
    assert lines == ["the progress of commands is not kept: the invoker has no result store"]


def test_a_store_that_can_neither_forget_nor_be_looked_at_keeps_none():
    invoker = Invoker(
        PlainQueue(), PlainStore("results"), PlainStore("state"), registry=CommandRegistry(), always_eager=True
    )

    handle = queue_command(invoker)(load)(3)

    with pytest.raises(Unsupported, match="neither 'ttl' nor 'locks'"):
        handle.progress()
    with pytest.raises(Unsupported):
        handle.watch_progress()


def test_a_store_that_does_not_forget_keeps_it_until_the_run_has_ended():
    store, states = KeptStore("results"), []
    invoker = Invoker(PlainQueue(), store, PlainStore("state"), registry=CommandRegistry(), always_eager=True)

    @queue_command(invoker)
    def watched():
        current_command().progress(1, 2)
        while not states:
            progress = invoker.result(current_command().task_id).progress()
            if progress is not None:
                states.append(seen(progress))

    handle = watched()

    assert states == [(1, 2, None)]
    assert handle.progress() is None
    assert not [key for key in store.values if key.startswith("progress:")]


def test_a_store_that_is_away_fails_no_command(make_invoker, monkeypatch, caplog):
    invoker = make_invoker(always_eager=True)
    put = invoker.result_store.put

    def put_all_but_progress(key, value, ttl=None):
        if key.startswith("progress:"):
            raise ConnectionError("the cable is out")
        put(key, value, ttl)

    monkeypatch.setattr(invoker.result_store, "put", put_all_but_progress)

    @queue_command(invoker)
    def work():
        for done in range(100):
            current_command().progress(done, 100)
        return "done"

    assert work().get() == "done"
    assert [record.levelno for record in caplog.records if "progress" in record.getMessage()] == [logging.WARNING]


@pytest.fixture
def hanging(invoker, monkeypatch):
    """Let no write of a progress end, and return how many have begun."""
    put, release, begun = invoker.result_store.put, threading.Event(), []

    def hang(key, value, ttl=None):
        if key.startswith("progress:"):
            begun.append(key)
            release.wait(PATIENCE)
        put(key, value, ttl)

    monkeypatch.setattr(invoker.result_store, "put", hang)
    monkeypatch.setattr(progress_writer, "_writer", PerProcess(lambda: ProgressWriter().start()))
    yield begun
    release.set()


def test_a_store_that_hangs_holds_up_no_event_loop(invoker, run_consumer, hanging, eventually):
    go_on = asyncio.Event()

    @queue_command(invoker)
    async def report():
        for done in range(1000):
            current_command().progress(done, 1000)
        await go_on.wait()
        current_command().progress(1000, 1000)
        return "reported"

    @queue_command(invoker)
    async def let_it_go_on():
        go_on.set()

    run_consumer(invoker, worker_type="asyncio", workers=2)
    handle = report()
    eventually(lambda: hanging)

    let_it_go_on().get(blocking=True, timeout=PATIENCE)

    assert handle.get(blocking=True, timeout=PATIENCE) == "reported"
    assert len(hanging) == 1


def test_a_store_that_hangs_holds_up_no_thread_for_long_and_but_once(invoker, run_consumer, hanging):
    command = queue_command(invoker)(load)
    run_consumer(invoker, workers=1)
    began = time.monotonic()

    for handle in [command(100) for _ in range(10)]:
        handle.get(blocking=True, timeout=PATIENCE)

    assert len(hanging) == 1
    assert time.monotonic() - began < 5 * progress_writer.PATIENCE


def test_what_cannot_be_read_is_an_error_for_who_looks(make_invoker, monkeypatch):
    invoker = make_invoker(always_eager=True)
    handle = queue_command(invoker)(load)(1)
    invoker.result_store.put(f"progress:{handle.task_id}", b"rubbish")

    with pytest.raises(DecodeError):
        handle.progress()

    def fail(key):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(invoker.result_store, "peek", fail)
    with pytest.raises(DataStoreGetException, match="the cable is out"):
        handle.progress()


@pytest.fixture(params=["told", "polled"])
def watched(request, make_invoker):
    """An invoker whose store tells of changes, or does not."""
    if request.param == "told":
        return make_invoker()
    space = f"progress {request.node.name}"
    store = PolledStore("results", space=space)
    queue = MemoryQueue("huey", space=space)
    return Invoker(queue, store, MemoryDataStore("state", space=space), registry=CommandRegistry())


@pytest.mark.parametrize("in_loop", [False, True])
def test_each_change_is_seen_in_an_event_loop_until_the_call_has_ended(watched, run_consumer, lock_step, in_loop):
    command, go_on = lock_step(watched, in_loop=in_loop)
    run_consumer(watched, worker_type="asyncio" if in_loop else "thread")

    async def main():
        changes = []
        async with asyncio.timeout(PATIENCE):
            async for progress in command().watch_progress():
                changes.append(progress.fraction)
                go_on()
        return changes

    assert asyncio.run(main()) == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]


def test_each_change_is_seen_in_a_thread_until_the_call_has_failed(watched, run_consumer, lock_step):
    command, go_on = lock_step(watched, fail=True)
    run_consumer(watched)
    changes = []

    for progress in command().watch_progress(timeout=PATIENCE):
        changes.append(progress.done)
        go_on()

    assert changes == [1, 2, 3]


def test_of_a_call_that_has_ended_the_last_progress_is_all(make_invoker):
    handle = queue_command(make_invoker(always_eager=True))(load)(7)

    assert [seen(progress) for progress in handle.watch_progress()] == [(7, 7, "row 7")]


def test_where_no_result_is_stored_the_handle_of_an_ended_call_knows_that(make_invoker):
    invoker = make_invoker(always_eager=True, result_ttl=None)
    handle = queue_command(invoker, store_result=False)(load)(7)

    assert [progress.done for progress in handle.watch_progress(timeout=PATIENCE)] == [7]


def test_a_call_that_says_nothing_ends_the_watch_as_well(watched, run_consumer):
    @queue_command(watched)
    def silent(): ...

    run_consumer(watched)

    assert list(silent().watch_progress(timeout=PATIENCE)) == []


def test_a_call_that_leaves_no_record_of_its_end_ends_the_watch_as_well(make_invoker, run_consumer, monkeypatch):
    monkeypatch.setattr(watching, "CHECK", 0.01)
    invoker = make_invoker(result_ttl=None)
    run_consumer(invoker)

    handle = queue_command(invoker, store_result=False)(load)(2)

    assert [each.done for each in handle.watch_progress(timeout=PATIENCE)][-1] == 2


def test_a_call_whose_queue_is_purged_ends_the_watch(invoker, monkeypatch):
    monkeypatch.setattr(watching, "CHECK", 0.01)
    handle = queue_command(invoker)(load)(2)

    invoker.queue.flush()

    assert list(handle.watch_progress(timeout=PATIENCE)) == []


def test_a_call_that_is_still_to_be_enqueued_is_waited_for(invoker, run_consumer, monkeypatch):
    monkeypatch.setattr(watching, "CHECK", 0.01)
    run_consumer(invoker)
    command = queue_command(invoker)(load).command(2)
    enqueueing = threading.Timer(0.2, invoker.enqueue, [command])
    enqueueing.start()

    changes = list(invoker.result(command.task_id).watch_progress(timeout=PATIENCE))
    enqueueing.join()

    assert seen(changes[-1]) == (2, 2, "row 2")


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_watch_ends_when_its_time_is_over(watched, timeout):
    handle = queue_command(watched)(load)(1)

    async def watch():
        return [progress async for progress in handle.watch_progress(timeout)]

    with pytest.raises(DataStoreTimeout, match="has not ended within"):
        list(handle.watch_progress(timeout))
    with pytest.raises(DataStoreTimeout):
        asyncio.run(watch())


def test_a_watch_that_is_left_is_ended(invoker, monkeypatch):
    ended = []
    watch = invoker.result_store.watch

    def note_end(key, callback):
        end = watch(key, callback)
        return lambda: (ended.append(key), end())

    monkeypatch.setattr(invoker.result_store, "watch", note_end)
    handle = queue_command(invoker)(load)(1)
    invoker.result_store.put(
        f"progress:{handle.task_id}",
        b'HUEY/1 {"id":"%s","state":"progress","ser":"json"}\n{"done":1,"total":2,"note":null,"at":3.0}'
        % handle.task_id.encode(),
    )

    async def main():
        async for progress in handle.watch_progress():
            assert progress == Progress(1, 2, None, 3.0)
            break

    asyncio.run(main())

    assert ended == [f"progress:{handle.task_id}", handle.task_id]
