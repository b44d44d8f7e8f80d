"""Where a call is, and what is known of it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import pytest

from huey_core import Invoker, queue_command
from huey_core.backends import Ack, Bury, Release, State
from huey_core.commands.stored_result import encode_value
from huey_core.exceptions import CommandExpired, DecodeError, QueueReadException
from huey_core.invoker import CallError, CallInfo, CallStatus
from huey_core.invoker.runner import CommandRunner
from huey_core.message import encode_result_header
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore


@pytest.fixture
def clock() -> ManualClock:
    """A clock of whole seconds: a result has its times to the millisecond."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
def timed(clock, make_invoker, request) -> Invoker:
    """An invoker whose queue and stores go by the clock that the test moves."""
    invoker = make_invoker(clock=clock)
    space = request.node.name
    results = MemoryDataStore("r", space=space, clock=clock)
    with invoker.replaced(MemoryQueue("q", space=space, clock=clock), results, results, clock=clock):
        yield invoker


def run_next(invoker: Invoker) -> None:
    """Run what is next in the queue, as a consumer does."""
    [delivery] = invoker.queue.claim(1, 60.0).deliveries
    runner = CommandRunner(invoker)
    runner.prepare([delivery])
    outcome, _ = runner.run(delivery)
    assert invoker.queue.settle([outcome]) == [True]


def declare(invoker: Invoker, **options):
    @queue_command(invoker, name="divide", **options)
    def divide(dividend, divisor):
        return dividend / divisor

    return divide


def test_a_call_that_waits_for_a_worker_is_ready(invoker):
    assert declare(invoker)(6, 3).status() is CallStatus.READY


def test_a_call_that_is_not_due_is_scheduled(invoker):
    assert declare(invoker).schedule(args=(6, 3), delay=60).status() is CallStatus.SCHEDULED


def test_a_call_that_a_consumer_has_is_running(invoker):
    handle = declare(invoker)(6, 3)
    invoker.queue.claim(1, 60.0)

    assert handle.status() == "running"
    assert not handle.status().has_ended


def test_a_call_that_has_returned_has_succeeded_and_keeps_its_result(invoker):
    handle = declare(invoker)(6, 3)
    run_next(invoker)

    assert handle.status() is CallStatus.SUCCEEDED
    assert handle.status().has_ended
    assert handle.get(remove=True) == 2


def test_another_process_asks_by_the_identifier(invoker):
    task_id = declare(invoker)(6, 3).task_id

    assert invoker.result(task_id).status() is CallStatus.READY


def test_a_call_that_has_failed_is_dead_as_long_as_there_is_a_dead_letter(invoker):
    handle = declare(invoker)(1, 0)
    run_next(invoker)
    before = handle.status()
    invoker.queue.delete([handle.task_id])

    assert (before, handle.status()) == (CallStatus.DEAD, CallStatus.FAILED)


def test_a_call_that_leaves_no_dead_letter_has_failed(invoker):
    handle = declare(invoker, keep_failed=False)(1, 0)
    run_next(invoker)

    assert handle.status() is CallStatus.FAILED


def test_a_dead_letter_that_is_tried_again_is_ready_whatever_its_earlier_error(invoker):
    handle = declare(invoker)(1, 0)
    run_next(invoker)
    invoker.queue.requeue([handle.task_id])

    assert handle.status() is CallStatus.READY
    assert handle.info().error is None


def test_a_call_that_waits_for_its_next_try_is_scheduled(invoker):
    handle = declare(invoker, retries=1, retry_delay=60)(1, 0)
    run_next(invoker)

    assert handle.status() is CallStatus.SCHEDULED


@pytest.mark.parametrize("status", ["revoked", "expired"])
def test_a_call_that_was_dropped_has_that_status(status, timed, clock):
    handle = declare(timed, expires=30 if status == "expired" else None)(6, 3)
    if status == "revoked":
        handle.revoke()
    clock.advance(60)
    run_next(timed)

    assert handle.status() == status


def test_a_call_of_which_nothing_is_there_is_unknown(invoker):
    assert invoker.result("no-such-call").status() is CallStatus.UNKNOWN
    assert invoker.result("no-such-call").info() == CallInfo(CallStatus.UNKNOWN)


def test_a_state_that_a_later_version_writes_is_unknown(invoker):
    invoker.results.put("x", encode_result_header("x", "merged", "json") + b"{}")

    assert invoker.result("x").status() is CallStatus.UNKNOWN


def test_without_a_result_store_the_queue_alone_says_where_a_call_is(make_invoker):
    invoker = make_invoker(results=False)
    declare(invoker)(6, 3)
    [delivery] = invoker.queue.claim(1, 60.0).deliveries
    running = invoker.result(delivery.message_id).status()
    invoker.queue.settle([Ack(delivery)])

    assert (running, invoker.result(delivery.message_id).status()) == (CallStatus.RUNNING, CallStatus.UNKNOWN)


def test_a_plain_queue_tells_nothing_until_there_is_a_result(make_invoker):
    invoker = make_invoker()
    with invoker.replaced(PlainQueue("plain"), invoker.results):
        handle = declare(invoker)(6, 3)
        before = handle.status()
        invoker.results.put(handle.task_id, encode_value(invoker.serializer, handle.task_id, 2))

        assert (before, handle.status()) == (CallStatus.UNKNOWN, CallStatus.SUCCEEDED)


def test_from_a_store_that_can_only_be_emptied_nothing_is_taken(make_invoker):
    invoker = make_invoker()
    store = PlainStore()
    with invoker.replaced(invoker.queue, store):
        handle = declare(invoker)(6, 3)
        waiting = handle.status()
        [delivery] = invoker.queue.claim(1, 60.0).deliveries
        invoker.queue.settle([Ack(delivery)])
        store.put(handle.task_id, encode_value(invoker.serializer, handle.task_id, 2))

        assert (waiting, handle.status()) == (CallStatus.READY, CallStatus.UNKNOWN)
        assert handle.get() == 2
        assert handle.status() is CallStatus.SUCCEEDED


def test_a_result_of_another_call_is_refused(invoker):
    invoker.results.put("x", encode_value(invoker.serializer, "y", 5))

    with pytest.raises(DecodeError, match="not of x"):
        invoker.result("x").status()


def test_a_queue_that_does_not_answer_is_an_error_that_names_the_call(invoker, monkeypatch):
    handle = declare(invoker)(6, 3)

    def fail(*arguments):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(MemoryQueue, "find", fail)
    with pytest.raises(QueueReadException, match=f"{handle.task_id} could not be read: the cable is out"):
        handle.status()


@pytest.mark.parametrize("store_result", [None, False])
def test_a_call_that_was_run_at_once_has_ended(make_invoker, store_result):
    invoker = make_invoker(always_eager=True)
    divide = declare(invoker, store_result=store_result)

    assert divide(6, 3).status() is CallStatus.SUCCEEDED
    assert divide(1, 0).status() is CallStatus.FAILED
    assert divide(1, 0).info().error.type_name == "builtins.ZeroDivisionError"


def test_of_a_call_that_waits_it_is_known_since_when(timed, clock):
    handle = declare(timed)(6, 3)
    enqueued_at = clock()
    clock.advance(5)

    assert handle.info() == CallInfo(CallStatus.READY, enqueued_at)


def test_of_a_call_that_runs_the_deliveries_are_known(timed, clock):
    handle = declare(timed)(6, 3)
    [delivery] = timed.queue.claim(1, 10.0).deliveries
    clock.advance(20)
    timed.queue.claim(1, 10.0)

    assert delivery.attempt == 1
    assert handle.info().deliveries == 2


def test_of_a_call_that_has_ended_it_is_known_when_it_began_and_ended(timed, clock):
    handle = declare(timed)(6, 3)
    enqueued_at = clock()
    clock.advance(5)
    run_next(timed)
    info = handle.info()

    assert (info.status, info.enqueued_at, info.ended_at, info.deliveries) == ("succeeded", enqueued_at, clock(), 1)
    assert 0 <= info.ended_at - info.began_at < 5
    assert info.error is None


def test_each_try_counts_as_a_delivery(timed, clock):
    handle = declare(timed, retries=2)(1, 0)
    for _ in range(3):
        run_next(timed)

    assert handle.info().deliveries == 3


def test_of_a_call_that_has_failed_type_and_message_of_the_error_are_known(timed, clock):
    handle = declare(timed)(1, 0)
    run_next(timed)
    info = handle.info()

    assert info.status is CallStatus.DEAD
    assert info.error == CallError("builtins.ZeroDivisionError", "division by zero")
    assert info.ended_at == clock()


def test_without_a_result_the_reason_of_a_dead_letter_is_the_error(timed, clock):
    handle = declare(timed)(6, 3)
    timed.queue.settle([Bury(delivery, "it was odd") for delivery in timed.queue.claim(1, 60.0).deliveries])

    assert handle.info() == CallInfo(
        CallStatus.DEAD, clock(), None, clock(), deliveries=1, error=CallError("", "it was odd")
    )


def test_a_call_that_was_dropped_never_began_and_says_why(timed, clock):
    handle = declare(timed, expires=30)(6, 3)
    clock.advance(60)
    run_next(timed)
    info = handle.info()

    assert (info.began_at, info.ended_at) == (None, clock())
    assert info.error.type_name == f"{CommandExpired.__module__}.CommandExpired"


def test_a_message_that_was_put_back_is_no_delivery(timed):
    handle = declare(timed)(6, 3)
    timed.queue.settle([Release(delivery) for delivery in timed.queue.claim(1, 60.0).deliveries])

    assert handle.info().deliveries == 0


def test_what_is_known_of_a_call_can_be_written_as_json(timed):
    handle = declare(timed)(1, 0)
    run_next(timed)

    assert asdict(handle.info())["error"] == {"type_name": "builtins.ZeroDivisionError", "message": "division by zero"}


def test_a_result_of_an_earlier_version_tells_how_it_ended_and_no_times(invoker):
    invoker.results.put("x", encode_result_header("x", "ok", "json") + b"5")

    assert invoker.result("x").info() == CallInfo(CallStatus.SUCCEEDED)


def test_an_async_command_tells_the_same_times(timed, clock):
    @queue_command(timed, name="wait")
    async def wait():
        await asyncio.sleep(0)

    handle = wait()
    [delivery] = timed.queue.claim(1, 60.0).deliveries
    outcome, _ = asyncio.run(CommandRunner(timed).run_async(delivery))
    timed.queue.settle([outcome])
    info = handle.info()

    assert (info.enqueued_at, info.ended_at, info.deliveries) == (clock(), clock(), 1)
    assert info.began_at <= info.ended_at


def test_every_state_of_a_message_is_a_status():
    assert {CallStatus(state) for state in State} == {
        CallStatus.READY,
        CallStatus.SCHEDULED,
        CallStatus.RUNNING,
        CallStatus.DEAD,
    }
