"""Consumers run what is scheduled at run time as they run what is declared in code."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from huey_core import CommandRegistry, Invoker, crontab, periodic_command, queue_command
from huey_core.backends.messages import State
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import DataStoreGetException
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
MINUTE = 60.0
EVERY_MINUTE = crontab()

_spaces = itertools.count(1)


@pytest.fixture
def clock():
    return ManualClock(NOON - 1)


@pytest.fixture
def make_invoker(clock):
    """Make invokers of one queue, on the test's clock."""
    place = {"space": f"schedules{next(_spaces)}", "clock": clock}

    def make(results=True, **settings):
        queue, tasks = MemoryQueue("q", **place), MemoryDataStore("tasks", **place)
        stored = MemoryDataStore("q", **place) if results else None
        return Invoker(queue, stored, tasks, registry=CommandRegistry(), clock=clock, **settings)

    return make


@pytest.fixture
def invoker(make_invoker):
    return make_invoker()


@pytest.fixture
def report(invoker):
    @queue_command(invoker, name="report")
    def report(kind): ...

    return report


@pytest.fixture
def sweep(invoker):
    @periodic_command(invoker, EVERY_MINUTE, name="sweep", missed="all")
    def sweep(): ...

    return sweep


def enqueued(invoker):
    """The commands that wait in the queue."""
    return [invoker.codec.decode(message.data) for message in invoker.queue.peek(State.READY)]


def test_what_is_due_is_enqueued_as_a_tick(invoker, report):
    invoker.schedules.add("pdf", report.using(priority=2).command("pdf"), EVERY_MINUTE)

    assert TickWriter(invoker).write(NOON) == 1

    [command] = enqueued(invoker)
    assert (command.data, command.tick_at, command.options.priority) == ((["pdf"], {}), NOON, 2)


def test_ten_consumers_write_a_tick_once(make_invoker, invoker, report):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)

    assert sum(TickWriter(invoker).write(NOON) for _ in range(10)) == 1


def test_two_schedules_of_one_command_have_their_own_ticks(invoker, report):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)
    invoker.schedules.add("html", report.command("html"), EVERY_MINUTE)

    assert TickWriter(invoker).write(NOON) == 2


def test_a_running_consumer_sees_every_change(invoker, report, clock):
    writer = TickWriter(invoker)

    def written():
        clock.advance(MINUTE)
        return writer.write(clock())

    assert written() == 0
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)
    assert written() == 1
    invoker.schedules.pause("pdf")
    assert written() == 0
    invoker.schedules.resume("pdf")
    assert written() == 1
    invoker.schedules.change("pdf", schedule=crontab(hour=3, minute=0))
    assert written() == 0
    invoker.schedules.change("pdf", schedule=EVERY_MINUTE)
    assert written() == 1
    invoker.schedules.remove("pdf")
    assert written() == 0


def test_what_is_due_between_an_addition_and_the_next_look_is_enqueued(invoker, report, clock):
    writer = TickWriter(invoker)
    writer.write(NOON - 1)

    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)

    assert writer.write(NOON + 1.5) == 1


@pytest.mark.parametrize(("missed", "ticks"), [("skip", 1), ("once", 2), ("all", 6)])
def test_missed_ticks_follow_the_policy_of_the_schedule(invoker, report, missed, ticks):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE, missed=missed)
    TickWriter(invoker).write(NOON)

    assert TickWriter(invoker).write(NOON + 6 * MINUTE) == ticks


def test_runs_are_one_at_a_time_where_that_is_asked_for(make_invoker, invoker, report):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE, overlap="skip")
    invoker.schedules.add("html", report.command("html"), EVERY_MINUTE)

    assert [TickWriter(invoker).write(NOON + minute * MINUTE) for minute in range(3)] == [2, 1, 1]


def test_nothing_is_made_up_for_that_was_due_before_the_addition(invoker, report):
    TickWriter(invoker).write(NOON - 3600)
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE, missed="all")

    assert TickWriter(invoker).write(NOON + 2 * MINUTE) == 3


def test_nothing_is_made_up_for_that_was_due_during_a_pause(invoker, report, sweep, clock):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE, missed="all")
    TickWriter(invoker).write(NOON)
    for name in ("pdf", "sweep"):
        invoker.schedules.pause(name)
    clock.advance(3600)

    for name in ("pdf", "sweep"):
        invoker.schedules.resume(name)

    assert TickWriter(invoker).write(clock() + MINUTE + 1) == 2 * 2


def test_a_declared_command_that_is_paused_is_not_due(invoker, sweep):
    writer = TickWriter(invoker)

    invoker.schedules.pause("sweep")
    assert writer.write(NOON) == 0

    invoker.schedules.resume("sweep")
    assert writer.write(NOON + MINUTE) > 0


def test_a_schedule_whose_command_a_consumer_does_not_know_is_logged_once_and_left_to_others(
    make_invoker, invoker, report, caplog
):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE, missed="all")
    stranger = TickWriter(make_invoker())

    assert [stranger.write(NOON), stranger.write(NOON + MINUTE)] == [0, 0]
    assert [record.message for record in caplog.records] == [
        "the schedule 'pdf' is not run by this consumer: no command 'report' is registered here; it is left to "
        "consumers that know the command"
    ]
    assert TickWriter(invoker).write(NOON + MINUTE) == 2


def test_what_a_later_version_wrote_is_logged_once(invoker, caplog):
    invoker.task_store.put(invoker.schedules.record.key, b'{"kept": {"lunar": {"schedule": {"moon": "full"}}}}')
    writer = TickWriter(invoker)

    assert [writer.write(NOON), writer.write(NOON + MINUTE)] == [0, 0]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the schedule 'lunar' is not run by this consumer"
    ]


def test_what_was_read_holds_while_the_store_does_not_answer(invoker, report, sweep, monkeypatch, caplog):
    invoker.schedules.pause("sweep")
    writer = TickWriter(invoker)
    writer.write(NOON)
    monkeypatch.setattr(writer._sources[0]._record.store, "peek", _fail)

    assert [entry.name for entry in writer.entries()] == []
    assert "go on that were read before" in caplog.text


def test_nothing_is_due_before_the_store_has_answered(invoker, sweep, monkeypatch):
    writer = TickWriter(invoker)
    monkeypatch.setattr(type(invoker.task_store), "peek", _fail)

    with pytest.raises(DataStoreGetException):
        writer.write(NOON)


def test_what_is_no_record_keeps_no_declared_command_from_running(invoker, sweep, caplog):
    invoker.task_store.put(invoker.schedules.record.key, b"garbage")

    assert TickWriter(invoker).write(NOON) == 1
    assert "cannot be read" in caplog.text


def test_without_a_store_what_is_declared_runs(sweep):
    invoker = Invoker(PlainQueue("q"), registry=CommandRegistry())

    @periodic_command(invoker, EVERY_MINUTE)
    def tidy(): ...

    writer = TickWriter(invoker)
    assert (writer.write(NOON), writer.may_change) == (1, False)


def test_a_queue_without_unique_keys_gets_each_tick_once_all_the_same(clock):
    tasks = MemoryDataStore("tasks", clock=clock)
    invoker = Invoker(PlainQueue("q"), task_store=tasks, registry=CommandRegistry(), clock=clock)

    @queue_command(invoker)
    def report(): ...

    invoker.schedules.add("pdf", report, EVERY_MINUTE)

    assert [TickWriter(invoker).write(clock() + MINUTE) for _ in range(3)] == [1, 0, 0]


def test_the_last_run_of_each_is_remembered(invoker, report, sweep):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)
    invoker.schedules.add("nightly", report.command("pdf"), crontab(hour=3, minute=0))

    TickWriter(invoker).write(NOON)
    TickWriter(invoker).write(NOON + 30)

    assert {info.name: info.last_run for info in invoker.schedules.list()} == {
        "pdf": NOON,
        "sweep": NOON,
        "nightly": None,
    }


def test_what_runs_often_is_noted_now_and_then(invoker, report, monkeypatch):
    invoker.schedules.add("pdf", report.command("pdf"), EVERY_MINUTE)
    writer, notes = TickWriter(invoker), []
    monkeypatch.setattr(writer._last_ticks, "note", lambda *args: notes.append(args))

    for second in range(8):
        writer._runs["often"] = NOON + second
        writer.write(NOON + second)

    assert len(notes) == 2


def test_a_consumer_runs_what_is_added_while_it_runs(invoker, clock, run_consumer, eventually):
    ran = []

    @queue_command(invoker)
    def note(word):
        ran.append(word)

    run_consumer(invoker, periodic=True)

    invoker.schedules.add("note", note.command("now"), EVERY_MINUTE)
    clock.advance(1)

    eventually(lambda: ran == ["now"], "the tick of a schedule that was added is run")


def _fail(*args):
    raise DataStoreGetException("the server is away")
