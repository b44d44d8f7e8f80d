"""Whoever waits for a call whose message is deleted is told, be it deleted by itself or in a purge."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from huey_core import AsyncData, Invoker, queue_command
from huey_core.backends import Ack, Capability, EmptyData, Message, State
from huey_core.commands.stored_result import encode_value
from huey_core.exceptions import CommandDeleted, CommandError, DataStorePutException, DataStoreTimeout
from huey_core.inspection import delete
from huey_core.inspection.actions import RECORDED
from huey_core.invoker import CallStatus, write_result
from huey_core.invoker.deletions import record_deletions
from huey_core.invoker.purges import mark_of_purges, note_purge
from huey_core.invoker.runner import CommandRunner
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore
from wire import pack

AGES = 30.0


class Polled(MemoryDataStore):
    """A store that does not tell of changes."""

    capabilities = MemoryDataStore.capabilities - {Capability.NOTIFY}


@pytest.fixture(params=["told", "polled"])
def invoker(request, make_invoker) -> Invoker:
    """An invoker whose result store tells of changes, and one whose does not."""
    invoker = make_invoker()
    if request.param == "polled":
        invoker.result_store = Polled("r", space=request.node.name)
    return invoker


@pytest.fixture(autouse=True)
def be_quick(monkeypatch):
    """Look soon whether a call was deleted: what a second is for is not tried here."""
    monkeypatch.setattr("huey_core.invoker.deletions.QUICK", 0.05)
    monkeypatch.setattr("huey_core.invoker.results.QUICK", 0.05)


def declare(invoker: Invoker, **options: Any) -> Any:
    @queue_command(invoker, name="divide", **options)
    def divide(dividend, divisor):
        return dividend / divisor

    return divide


def run_next(invoker: Invoker) -> None:
    [delivery] = invoker.queue.claim(1, 60.0).deliveries
    runner = CommandRunner(invoker)
    runner.prepare([delivery])
    outcome, _ = runner.run(delivery)
    if not invoker.queue.settles_into(invoker.results):
        write_result(outcome.result)
        outcome.result = None
    invoker.queue.settle([outcome])


def delete_ready(invoker: Invoker, *ids: str) -> None:
    for _ in delete(invoker, ids, State.READY):
        pass


def wait_in_thread(handle: AsyncData[Any]) -> Any:
    return handle.get(blocking=True, timeout=AGES)


def wait_in_loop(handle: AsyncData[Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(AGES):
            return await handle

    return asyncio.run(main())


both_ways = pytest.mark.parametrize("wait", [wait_in_thread, wait_in_loop])


class Waiting:
    """Somebody who waits for a call in a thread."""

    def __init__(self, wait: Callable[[AsyncData[Any]], Any], handle: AsyncData[Any]) -> None:
        self.outcome: Any = None
        self._wait = wait
        self._handle = handle
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._wait(self._handle)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test compares it
            self.outcome = error

    def ended_with(self) -> Any:
        self._thread.join(AGES)
        assert not self._thread.is_alive()
        return self.outcome


@pytest.fixture
def watched(invoker, monkeypatch) -> threading.Event:
    """Is set once somebody has looked whether the queue was purged."""
    looked = threading.Event()
    key = mark_of_purges(invoker.leased_queue)
    kind = type(invoker.results)
    peek = kind.peek

    def note(store: Any, asked: str) -> Any:
        value = peek(store, asked)
        if asked == key:
            looked.set()
        return value

    monkeypatch.setattr(kind, "peek", note)
    return looked


@both_ways
def test_who_waits_for_a_message_that_is_deleted_is_told(invoker, wait):
    handle = declare(invoker)(6, 3)
    waiting = Waiting(wait, handle)
    delete_ready(invoker, handle.task_id)

    error = waiting.ended_with()
    assert isinstance(error, CommandDeleted)
    assert handle.task_id in str(error)


def test_who_asks_later_is_told_too(invoker):
    task_id = declare(invoker)(6, 3).task_id
    delete_ready(invoker, task_id)
    handle = invoker.result(task_id)

    assert handle.status() is CallStatus.DELETED
    assert handle.info().error.type_name.endswith("CommandDeleted")
    assert handle.info().deliveries == 0
    with pytest.raises(CommandDeleted):
        handle.get()


def test_the_record_is_read_whatever_the_serializer(invoker, make_invoker):
    handle = declare(invoker)(6, 3)
    delete_ready(invoker, handle.task_id)
    other = make_invoker(serializer="pickle")
    other.result_store = invoker.result_store

    with pytest.raises(CommandDeleted):
        other.result(handle.task_id).get()


def test_the_error_of_a_dead_letter_stays_when_that_is_deleted(invoker):
    handle = declare(invoker)(1, 0)
    run_next(invoker)
    list(delete(invoker, [handle.task_id], State.DEAD))

    assert handle.status() is CallStatus.FAILED
    with pytest.raises(CommandError):
        handle.get()


def test_a_dead_letter_that_nobody_has_reported_yet_leaves_a_record(invoker):
    handle = declare(invoker)(6, 3)
    for _ in range(invoker.leased_queue.max_deliveries):
        invoker.queue.claim(1, 0.001)
        time.sleep(0.002)
    invoker.queue.claim(1, 60.0)
    dead = handle.status()
    list(delete(invoker, [handle.task_id], State.DEAD))

    assert (dead, handle.status()) == (CallStatus.DEAD, CallStatus.DELETED)


@pytest.mark.parametrize("options", [{"store_result": False}, {"store_result": None}])
def test_a_command_leaves_a_record_if_it_would_have_left_one_of_its_end(make_invoker, options):
    invoker = make_invoker(result_ttl=None)
    handle = declare(invoker, **options)(6, 3)
    delete_ready(invoker, handle.task_id)

    assert (invoker.results.peek(handle.task_id) is EmptyData) is (options["store_result"] is False)


@pytest.mark.parametrize("odd", [-5, 0, 1e300, "a day", None], ids=repr)
def test_a_message_that_anybody_may_have_written_leaves_a_record_for_the_usual_time(make_invoker, odd):
    invoker = make_invoker()
    header = {"id": "odd", "cmd": "no.such.command", "ser": "json", "at": 10**400, "opts": {"result_ttl": odd}}
    invoker.queue.write_many([Message(pack(header, b""), "odd")])
    delete_ready(invoker, "odd")

    assert invoker.result("odd").info().enqueued_at is None
    assert invoker.result("odd").status() is CallStatus.DELETED


def test_a_tick_leaves_no_record(invoker):
    @queue_command(invoker, name="tick")
    def tick(): ...

    command = tick.command()
    command.tick_at = 60.0
    handle = invoker.enqueue(command)
    delete_ready(invoker, handle.task_id)

    assert invoker.results.peek(handle.task_id) is EmptyData


def test_of_a_store_that_can_only_be_emptied_the_error_of_a_dead_letter_is_not_taken(make_invoker):
    invoker = make_invoker()
    invoker.result_store = PlainStore()
    handle = declare(invoker)(1, 0)
    [delivery] = invoker.queue.claim(1, 60.0).deliveries
    outcome, _ = CommandRunner(invoker).run(delivery)
    invoker.results.put(outcome.result.key, outcome.result.value)
    outcome.result = None
    invoker.queue.settle([outcome])
    list(delete(invoker, [handle.task_id], State.DEAD))

    with pytest.raises(CommandError):
        handle.get()


@both_ways
def test_who_waits_when_the_queue_is_flushed_is_told(invoker, wait, watched):
    handle = declare(invoker)(6, 3)
    waiting = Waiting(wait, handle)
    assert watched.wait(AGES)
    invoker.flush()

    assert isinstance(waiting.ended_with(), CommandDeleted)


@both_ways
def test_who_begins_to_wait_after_the_flush_is_told(invoker, wait):
    handle = declare(invoker)(6, 3)
    invoker.flush()

    with pytest.raises(CommandDeleted, match=r"no longer in its queue"):
        wait(handle)
    assert handle.status() is CallStatus.DELETED
    assert handle.info().error.type_name == "huey_core.exceptions.CommandDeleted"


@both_ways
def test_who_waits_by_an_identifier_alone_is_told_of_what_was_there_when_the_wait_began(invoker, wait, watched):
    handle = invoker.result(declare(invoker)(6, 3).task_id)
    waiting = Waiting(wait, handle)
    assert watched.wait(AGES)
    invoker.flush()

    assert isinstance(waiting.ended_with(), CommandDeleted)


def test_a_handle_that_has_waited_remembers_that_the_call_was_there(invoker):
    handle = invoker.result(declare(invoker)(6, 3).task_id)
    with pytest.raises(DataStoreTimeout):
        handle.get(blocking=True, timeout=0.01)
    invoker.flush()

    assert handle.status() is CallStatus.DELETED


def test_a_short_wait_looks_for_nothing_but_the_result(make_invoker, monkeypatch):
    monkeypatch.setattr("huey_core.invoker.deletions.QUICK", 1.0)
    invoker = make_invoker()
    handle = declare(invoker)(6, 3)
    watched = []
    watch = MemoryDataStore.watch

    def note(store, key, callback):
        watched.append(key)
        return watch(store, key, callback)

    monkeypatch.setattr(MemoryDataStore, "watch", note)
    with pytest.raises(DataStoreTimeout):
        handle.get(blocking=True, timeout=0.01)

    assert watched == [handle.task_id]


def test_of_a_call_that_never_was_nobody_says_that_it_was_deleted(invoker):
    handle = invoker.result("no-such-call")
    invoker.flush()

    assert handle.status() is CallStatus.UNKNOWN
    with pytest.raises(DataStoreTimeout):
        handle.get(blocking=True, timeout=0.3)


def test_a_flush_before_the_call_was_enqueued_is_not_its_end(make_invoker, request):
    clock = ManualClock()
    invoker = make_invoker()
    space = request.node.name
    results = MemoryDataStore("r", space=space, clock=clock)
    with invoker.replaced(MemoryQueue("q", space=space, clock=clock), results, clock=clock):
        invoker.flush()
        clock.advance(1)
        handle = declare(invoker)(6, 3)
        [delivery] = invoker.queue.claim(1, 60.0).deliveries
        invoker.queue.settle([Ack(delivery)])

        assert handle.status() is CallStatus.UNKNOWN
        with pytest.raises(DataStoreTimeout):
            handle.get(blocking=True, timeout=0.3)


def test_another_clock_of_this_machine_makes_no_difference(make_invoker, request):
    here, there = ManualClock(5000.0), ManualClock(9000.0)
    invoker = make_invoker()
    space = request.node.name
    results = MemoryDataStore("r", space=space)
    with invoker.replaced(MemoryQueue("q", space=space, clock=there), results, clock=here):
        handle = declare(invoker)(6, 3)
        invoker.queue.flush()
        here.advance(5)
        there.advance(5)
        note_purge(invoker)
        deleted = handle.status()
        here.advance(5)
        there.advance(5)
        later = declare(invoker)(6, 3)
        invoker.queue.flush()

        assert (deleted, later.status()) == (CallStatus.DELETED, CallStatus.UNKNOWN)


def test_a_clock_that_is_set_back_hides_no_purge(make_invoker, request):
    clock, server = ManualClock(5000.0), ManualClock(9000.0)
    invoker = make_invoker()
    space = request.node.name
    with invoker.replaced(MemoryQueue("q", space=space, clock=server), MemoryDataStore("r", space=space), clock=clock):
        handle = declare(invoker)(6, 3)
        clock.advance(-3600)
        server.advance(1)
        invoker.flush()

        with pytest.raises(CommandDeleted):
            handle.get(blocking=True, timeout=5)


@both_ways
def test_who_waits_for_what_a_purge_has_spared_gets_the_result(invoker, wait, watched):
    handle = declare(invoker)(6, 3)
    waiting = Waiting(wait, handle)
    assert watched.wait(AGES)
    note_purge(invoker)
    run_next(invoker)

    assert waiting.ended_with() == 2


def test_many_messages_that_are_deleted_together_leave_one_mark(invoker):
    divide = declare(invoker)
    handles = invoker.enqueue_many(divide.command(6, 3) for _ in range(RECORDED + 1))
    before = invoker.results.peek(mark_of_purges(invoker.leased_queue))
    delete_ready(invoker, *(handle.task_id for handle in handles))

    assert before is EmptyData
    assert invoker.results.peek(mark_of_purges(invoker.leased_queue)) is not EmptyData
    assert all(invoker.results.peek(handle.task_id) is EmptyData for handle in handles)
    assert {handle.status() for handle in handles} == {CallStatus.DELETED}


def test_when_the_deletion_of_many_stops_midway_those_who_wait_are_told_all_the_same(invoker):
    divide = declare(invoker)
    handles = invoker.enqueue_many(divide.command(6, 3) for _ in range(RECORDED + 1))
    portions = delete(invoker, [handle.task_id for handle in handles], State.READY)
    next(portions)
    portions.close()

    assert handles[0].status() is CallStatus.DELETED
    assert handles[-1].status() is CallStatus.READY


def test_nothing_is_noted_when_nothing_was_deleted(invoker):
    delete_ready(invoker, *(f"no-{number}" for number in range(RECORDED + 1)))

    assert invoker.results.peek(mark_of_purges(invoker.leased_queue)) is EmptyData


def test_each_queue_has_a_mark_of_its_own(make_invoker, request):
    space = request.node.name
    results = MemoryDataStore("r", space=space)
    mail, beans = make_invoker(), make_invoker()
    with (
        mail.replaced(MemoryQueue("mail", space=space), results),
        beans.replaced(MemoryQueue("beans", space=space), results),
    ):
        handle = declare(beans)(6, 3)
        mail.flush()
        beans.queue.flush()

        assert handle.status() is CallStatus.UNKNOWN


def test_a_plain_queue_is_flushed_and_nothing_noted(make_invoker):
    invoker = make_invoker()
    with invoker.replaced(PlainQueue("plain"), invoker.results):
        handle = declare(invoker)(6, 3)
        invoker.flush()

        assert len(invoker.queue) == 0
        with pytest.raises(DataStoreTimeout):
            handle.get(blocking=True, timeout=0.2)


def test_a_process_that_runs_commands_at_once_tells_others_of_a_flush_too(invoker):
    handle = declare(invoker)(6, 3)
    invoker.always_eager = True
    invoker.flush()
    invoker.always_eager = False

    assert handle.status() is CallStatus.DELETED


def test_a_flush_without_a_result_store_is_one(make_invoker):
    invoker = make_invoker(results=False)
    declare(invoker)(6, 3)
    invoker.flush()

    assert len(invoker.queue) == 0


def test_that_whoever_waits_could_not_be_told_is_an_error(invoker, monkeypatch):
    def fail(*arguments):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(type(invoker.results), "put", fail)
    with pytest.raises(DataStorePutException, match="whoever waits for them could not be told: the cable is out"):
        invoker.flush()


@both_ways
def test_a_queue_that_cannot_be_asked_does_not_end_a_wait(invoker, wait, monkeypatch, caplog, eventually):
    handle = invoker.result(declare(invoker)(6, 3).task_id)

    def fail(*arguments):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(MemoryQueue, "find", fail)
    with caplog.at_level(logging.WARNING):
        waiting = Waiting(wait, handle)
        eventually(lambda: "could not be found out" in caplog.text)
    invoker.results.put(handle.task_id, encode_value(invoker.serializer, handle.task_id, 2))

    assert waiting.ended_with() == 2
    assert caplog.text.count("could not be found out") == 1


def test_what_is_no_time_in_the_place_of_the_mark_is_no_purge(invoker):
    handle = declare(invoker)(6, 3)
    invoker.queue.flush()
    invoker.results.put(mark_of_purges(invoker.leased_queue), b"some other program's")

    assert handle.status() is CallStatus.UNKNOWN


def test_a_command_that_is_called_again_after_it_was_deleted_is_there_again(invoker):
    command = declare(invoker).command(6, 3)
    handle = invoker.enqueue(command)
    delete_ready(invoker, handle.task_id)
    invoker.enqueue(command)

    assert handle.status() is CallStatus.READY


def test_a_record_that_cannot_be_written_is_an_error(invoker, monkeypatch):
    handle = declare(invoker)(6, 3)
    found = invoker.queue.find([handle.task_id])

    def fail(*arguments):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(type(invoker.results), "put", fail)
    with pytest.raises(DataStorePutException, match="the cable is out"):
        record_deletions(invoker, found)
