"""Ticks: each matching minute is run once, whoever writes it and however late."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, Invoker, PeriodicQueueCommand, crontab, periodic_command
from huey_core.consumer.periodic import PeriodicScheduler
from huey_core.consumer.policy import POLICY
from huey_core.consumer.retry import BackOff, Outage, Pauses
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import CommandRejected, QueueWriteException
from huey_core.hookspecs import hookimpl
from huey_memory import MemoryDataStore
from plain_backend import PlainQueue, PlainStore

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()

_spaces = itertools.count(1)


@pytest.fixture
def every_minute(invoker):
    @periodic_command(invoker, crontab())
    def every_minute(): ...

    return every_minute


def test_a_minute_that_matches_is_written(invoker, every_minute):
    assert TickWriter(invoker).write(NOON + 3) == 1
    assert invoker.queue.counts().ready == 1


def test_the_message_of_a_tick_says_for_when_it_is(invoker, every_minute):
    TickWriter(invoker).write(NOON + 3)

    [delivery] = invoker.queue.claim(1, 60).deliveries
    assert invoker.codec.decode(delivery.data).tick_at == NOON


def test_a_minute_that_does_not_match_is_not_written(invoker):
    @periodic_command(invoker, crontab(minute="30"))
    def half_past(): ...

    assert TickWriter(invoker).write(NOON) == 0
    assert TickWriter(invoker).write(NOON + 30 * 60) == 1


def test_a_minute_is_written_once_by_one_writer(invoker, every_minute):
    writer = TickWriter(invoker)

    assert [writer.write(NOON), writer.write(NOON + 59), writer.write(NOON + 60)] == [1, 0, 1]


def test_a_minute_is_written_once_by_ten_writers_at_once(invoker, every_minute):
    barrier = threading.Barrier(10)
    written = []

    def write() -> None:
        writer = TickWriter(invoker)
        barrier.wait()
        written.append(writer.write(NOON))

    threads = [threading.Thread(target=write) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(written) == 1


def test_a_tick_is_not_written_again_after_it_has_run(invoker, every_minute):
    TickWriter(invoker).write(NOON)
    invoker.dequeue()

    assert TickWriter(invoker).write(NOON + 5) == 0


@pytest.mark.parametrize(("missed", "ticks"), [("skip", 1), ("once", 2), ("all", 6)])
def test_missed_minutes_follow_the_policy_of_the_command(invoker, missed, ticks):
    @periodic_command(invoker, crontab(), missed=missed)
    def every_minute(): ...

    writer = TickWriter(invoker)
    writer.write(NOON)

    assert writer.write(NOON + 6 * 60) == ticks


@pytest.mark.parametrize(("missed", "ticks"), [("skip", 1), ("once", 2), ("all", 6)])
def test_minutes_are_missed_too_while_no_consumer_runs(invoker, missed, ticks):
    @periodic_command(invoker, crontab(), missed=missed)
    def every_minute(): ...

    TickWriter(invoker).write(NOON)

    assert TickWriter(invoker).write(NOON + 6 * 60) == ticks


def test_two_consumers_do_not_both_make_up_for_what_was_missed(invoker):
    @periodic_command(invoker, crontab(), missed="all")
    def every_minute(): ...

    one, other = TickWriter(invoker), TickWriter(invoker)
    one.write(NOON), other.write(NOON)

    assert one.write(NOON + 6 * 60) + other.write(NOON + 6 * 60) == 6


def test_nothing_is_made_up_for_before_the_first_tick_ever(invoker):
    @periodic_command(invoker, crontab(), missed="all")
    def every_minute(): ...

    assert TickWriter(invoker).write(NOON) == 1


def test_a_long_stall_is_made_up_for_within_bounds(invoker):
    @periodic_command(invoker, crontab(), missed="all")
    def every_minute(): ...

    writer = TickWriter(invoker)
    writer.write(NOON)

    assert writer.write(NOON + 30 * 24 * 3600) == 24 * 60


def test_local_time_can_be_asked_for(invoker, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    import time

    time.tzset()
    try:

        @periodic_command(invoker, crontab(hour="21", minute="0"))
        def nine_in_tokyo(): ...

        assert TickWriter(invoker, utc=True).write(NOON) == 0
        assert TickWriter(invoker, utc=False).write(NOON) == 1
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("utc", "hour"), [(True, 12), (False, 21)])
def test_a_function_is_asked_in_the_time_of_the_consumer(invoker, monkeypatch, utc, hour):
    import time

    asked = []
    periodic_command(invoker, lambda at: bool(asked.append(at)), name="asked")(lambda: None)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        TickWriter(invoker, utc).write(NOON)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert asked == [datetime(2026, 5, 1, hour)]


@pytest.mark.parametrize("error", [RuntimeError("what time is it?"), SystemExit(1), asyncio.CancelledError()])
def test_a_schedule_that_raises_does_not_keep_the_others_from_running(invoker, every_minute, error):
    def confused(dt):
        raise error

    @periodic_command(invoker, confused)
    def never(): ...

    assert TickWriter(invoker).write(NOON) == 1


def test_an_interrupt_in_the_thread_that_writes_does_not_keep_the_others_from_running(invoker, every_minute):
    def interrupted(dt):
        raise KeyboardInterrupt

    @periodic_command(invoker, interrupted)
    def never(): ...

    written = []
    thread = threading.Thread(target=lambda: written.append(TickWriter(invoker).write(NOON)))
    thread.start()
    thread.join()

    assert written == [1]


def test_a_periodic_command_may_be_written_as_a_class(invoker):
    class Hourly(PeriodicQueueCommand, declare=False):
        def validate_datetime(self, dt):
            return dt.minute == 0

        def execute(self):
            return "tick"

    invoker.registry.register(Hourly)

    assert TickWriter(invoker).write(NOON) == 1
    assert invoker.dequeue().execute() == "tick"


def test_commands_of_another_queue_are_left_to_its_consumers(make_invoker):
    registry = CommandRegistry()
    here, elsewhere = make_invoker(registry=registry), make_invoker(registry=registry)
    elsewhere.queue = PlainQueue("elsewhere")

    @periodic_command(elsewhere, crontab())
    def not_ours(): ...

    assert TickWriter(here).write(NOON) == 0


@pytest.mark.parametrize(("name", "ours"), [(None, True), ("huey", True), ("elsewhere", False)])
def test_a_command_written_as_a_class_goes_by_the_name_of_the_queue(make_invoker, name, ours):
    invoker = make_invoker()
    invoker.queue.name = "huey"

    class Hourly(PeriodicQueueCommand, declare=False):
        queue_name = name

    invoker.registry.register(Hourly)

    assert (Hourly in TickWriter(invoker).commands()) is ours


class Spoilsport:
    """Raises for the command of one function."""

    def __init__(self, spoiled, error):
        self.spoiled, self.error = spoiled, error

    @hookimpl
    def huey_before_enqueue(self, command):
        if command.command_name == self.spoiled and self.error is not None:
            raise self.error


@pytest.fixture
def spoiled(make_invoker):
    """Make an invoker whose first periodic command cannot be written because of an error, and the second one can."""

    def make(error):
        plugin = Spoilsport("spoiled", error)
        invoker = make_invoker(plugins=[plugin])
        for name in ("spoiled", "well"):
            periodic_command(invoker, crontab(), name=name)(lambda: None)
        return invoker, plugin

    return make


@pytest.mark.parametrize(
    "error",
    [CommandRejected("no"), RuntimeError("a defect"), ConnectionError("not our server"), SystemExit(1)],
)
def test_a_plugin_that_raises_for_one_command_does_not_keep_the_others_from_running(spoiled, error):
    invoker, _ = spoiled(error)

    assert TickWriter(invoker).write(NOON) == 1
    assert invoker.dequeue().command_name == "well"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CommandRejected("no"), "a plugin rejected <spoiled {0}>, due at 2026-05-01 12:00 UTC: no"),
        (RuntimeError("a defect"), "could not enqueue <spoiled {0}>, due at 2026-05-01 12:00 UTC"),
    ],
)
def test_what_keeps_one_command_from_being_written_is_logged_with_its_name_and_id(spoiled, caplog, error, line):
    caplog.set_level("INFO")
    invoker, _ = spoiled(error)

    TickWriter(invoker).write(NOON)

    [record] = caplog.records
    assert (record.command, record.queue) == ("spoiled", invoker.queue.name)
    assert record.getMessage() == line.format(record.task_id)


def test_an_error_of_the_server_is_raised_when_the_other_commands_have_had_their_turn(spoiled):
    invoker, _ = spoiled(QueueWriteException("away"))

    with pytest.raises(QueueWriteException):
        TickWriter(invoker).write(NOON)

    assert invoker.dequeue().command_name == "well"


def test_a_minute_that_could_not_be_written_is_tried_again_without_doubling_what_was(spoiled):
    invoker, plugin = spoiled(QueueWriteException("away"))
    writer = TickWriter(invoker)
    with pytest.raises(QueueWriteException):
        writer.write(NOON)
    plugin.error = None

    assert writer.write(NOON + 1) == 1
    assert sorted(invoker.dequeue().command_name for _ in range(len(invoker.queue))) == ["spoiled", "well"]


def test_a_minute_that_a_plain_queue_did_not_take_is_tried_again():
    class AwayAtFirst(PlainQueue):
        away = True

        def write(self, data):
            if self.away:
                raise ConnectionError("away")
            super().write(data)

    store = MemoryDataStore("plain-ticks")
    store.flush()
    invoker = Invoker(AwayAtFirst(), None, store, registry=CommandRegistry())
    periodic_command(invoker, crontab(), name="tick")(lambda: None)
    writer = TickWriter(invoker)
    with pytest.raises(QueueWriteException):
        writer.write(NOON)
    invoker.queue.away = False

    assert writer.write(NOON + 1) == 1


@pytest.mark.parametrize(("store", "ticks"), [(MemoryDataStore("ticks"), 1), (PlainStore(), 2), (None, 2)])
def test_on_a_plain_queue_a_tick_is_claimed_in_the_task_store_where_that_has_locks(store, ticks):
    registry = CommandRegistry()
    one, other = (Invoker(PlainQueue(), None, store, registry=registry) for _ in range(2))

    @periodic_command(one, crontab())
    def every_minute(): ...

    later = NOON + next(_days) * 86400

    assert TickWriter(one).write(later) + TickWriter(other).write(later) == ticks


_days = itertools.count(1)


def test_a_running_consumer_writes_the_present_minute(invoker, run_consumer, eventually):
    ran = threading.Event()

    @periodic_command(invoker, crontab())
    def every_minute():
        ran.set()

    run_consumer(invoker, periodic=True)

    assert ran.wait(60)


def test_a_consumer_that_was_stopped_for_long_does_not_repeat_what_others_have_done(invoker):
    @periodic_command(invoker, crontab(), missed="all")
    def every_minute(): ...

    stopped, alive = TickWriter(invoker), TickWriter(invoker)
    stopped.write(NOON)
    for minute in range(1, 121):
        alive.write(NOON + minute * 60)

    # The first tick keys have been forgotten by now, so only the shared last tick can tell.
    invoker.queue.flush()

    assert stopped.write(NOON + 120 * 60) == 1


class Clock:
    """A queue's clock, which a writer moves on."""

    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


class Writer:
    """Notes when it is to write, and does so in a way that each test chooses."""

    may_change = False

    def __init__(self, clock, act):
        self.clock = clock
        self.times = []
        self.act = act

    def write(self, now):
        self.times.append(now - NOON)
        self.act(len(self.times))

    def next_due(self, now):
        return now // 60 * 60 + 60


@pytest.fixture
def run_scheduler(invoker):
    """Run a scheduler on a clock of its own, beginning at a second after noon, until it has written three times."""

    def run(begin, act):
        clock = Clock(NOON + begin)
        writer = Writer(clock, lambda time: act(clock, time))
        back_off = BackOff(Outage("the queue", logging.getLogger("test")), "writing ticks", Pauses(0.1, 1.15, 10.0))

        def wait(pause):
            clock.at += pause
            return len(writer.times) == 3

        PeriodicScheduler(writer, clock.now, back_off, POLICY, wait).run()
        return writer.times

    return run


def test_ticks_are_written_at_the_beginning_of_every_minute(run_scheduler):
    assert run_scheduler(20, lambda clock, time: None) == pytest.approx([20, 60.01, 120.01])


def test_a_due_time_between_two_minutes_is_waited_for(run_scheduler, monkeypatch):
    monkeypatch.setattr(Writer, "next_due", lambda self, now: now // 25 * 25 + 25)

    assert run_scheduler(20, lambda clock, time: None) == pytest.approx([20, 25.01, 50.01])


def test_what_may_be_changed_at_run_time_is_looked_at_every_two_seconds(run_scheduler, monkeypatch):
    monkeypatch.setattr(Writer, "may_change", True)

    assert run_scheduler(20, lambda clock, time: None) == pytest.approx([20, 22, 24])


def test_a_tick_is_not_late_because_the_one_before_took_long_to_write(run_scheduler):
    def take_long(clock, time):
        clock.at += 30

    assert run_scheduler(0, take_long) == pytest.approx([0, 60.01, 120.01])


def test_a_minute_that_begins_while_another_is_written_is_written_at_once(run_scheduler):
    def take_long(clock, time):
        clock.at += 30

    assert run_scheduler(50, take_long) == pytest.approx([50, 80, 120.01])


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), asyncio.CancelledError()])
def test_no_exception_ends_the_writing_of_ticks(run_scheduler, caplog, error):
    def fail_once(clock, time):
        if time == 1:
            raise error

    times = run_scheduler(20, fail_once)

    assert times[1] <= 60.01
    assert [record.levelname for record in caplog.records if record.exc_info] == ["CRITICAL"]


def test_a_clock_that_is_set_back_does_not_hold_up_the_ticks(run_scheduler):
    def set_back(clock, time):
        clock.at -= 3600 if time == 1 else 0

    first, second, third = run_scheduler(20, set_back)

    assert second - first == pytest.approx(60 - 3600)
    assert third - second == pytest.approx(40.01)


@pytest.fixture
def two_services(make_invoker):
    """Make two consumers' invokers of one queue, of which only the first knows the command that is made up for."""
    one, other = make_invoker(), make_invoker()

    @periodic_command(one, crontab(minute="0"), missed="all")
    def report(): ...

    @periodic_command(other, crontab())
    def heartbeat(): ...

    return one, other


@pytest.mark.parametrize("policy", ["skip", "all"])
def test_minutes_are_missed_although_consumers_run_that_do_not_know_the_command(two_services, policy):
    one, other = two_services
    periodic_command(other, crontab(minute="30"), name="half_past", missed=policy)(lambda: None)
    TickWriter(one).write(NOON - 120)

    writer = TickWriter(other)
    for minute in range(-2, 181):
        writer.write(NOON + minute * 60)

    assert TickWriter(one).write(NOON + 181 * 60) == 4


def test_what_is_remembered_of_one_command_is_kept_when_another_consumer_remembers_its_own(two_services):
    one, other = two_services
    periodic_command(other, crontab(minute="0"), name="elsewhere", missed="all")(lambda: None)
    TickWriter(one).write(NOON), TickWriter(other).write(NOON)

    later = NOON + 3600 + 60

    assert (TickWriter(one).write(later), TickWriter(other).write(later)) == (1, 2)


def test_consumers_that_remember_at_the_same_time_lose_nothing_of_each_other(make_invoker):
    registries = [CommandRegistry() for _ in range(8)]
    invokers = [make_invoker(registry=registry) for registry in registries]
    for number, invoker in enumerate(invokers):
        periodic_command(invoker, crontab(), name=f"command-{number}", missed="all")(lambda: None)
    barrier = threading.Barrier(len(invokers))

    def write(invoker) -> None:
        barrier.wait()
        TickWriter(invoker).write(NOON)

    threads = [threading.Thread(target=write, args=(invoker,)) for invoker in invokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [TickWriter(invoker).write(NOON + 180) for invoker in invokers] == [3] * len(invokers)


def test_a_command_that_nobody_knows_any_more_is_forgotten_in_the_end(make_invoker):
    for month, name in enumerate(["former", "present"]):
        invoker = make_invoker()
        periodic_command(invoker, crontab(), name=name, missed="once")(lambda: None)
        TickWriter(invoker).write(NOON + month * 31 * 86400)

    assert list(json.loads(invoker.task_store.peek("last-tick"))) == ["present"]


def test_of_commands_that_are_not_made_up_for_only_the_last_run_is_remembered(invoker):
    periodic_command(invoker, crontab(), name="tick")(lambda: None)

    TickWriter(invoker).write(NOON)

    assert json.loads(invoker.task_store.peek("last-tick")) == {"tick": {"run": NOON}}


def test_one_consumer_remembers_for_all_that_know_the_same_commands(invoker, monkeypatch):
    periodic_command(invoker, crontab(), name="tick", missed="all")(lambda: None)
    TickWriter(invoker).write(NOON)
    store, writes = invoker.task_store, []
    for method in ("put", "put_if_absent", "replace_if_equal"):
        monkeypatch.setattr(store, method, lambda *arguments, **_: writes.append(arguments))

    TickWriter(invoker).write(NOON + 1)

    assert writes == []


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
    | st.dictionaries(st.sampled_from(["tick", "other"]), st.none() | st.text() | st.floats() | st.lists(st.none()))
    .map(json.dumps)
    .map(str.encode)
)
def test_whatever_is_found_as_the_last_tick_does_not_keep_commands_from_running(found):
    store = MemoryDataStore("found", space=f"found{next(_spaces)}")
    invoker = Invoker("memory://found/", None, store, registry=CommandRegistry())
    periodic_command(invoker, crontab(), name="tick", missed="all")(lambda: None)
    store.put("last-tick", found)

    TickWriter(invoker).write(NOON)

    assert json.loads(store.peek("last-tick"))["tick"]["until"] == NOON
