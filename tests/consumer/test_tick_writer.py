"""What a writer of ticks makes of entries, wherever they come from."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from huey_core import CommandRegistry, Invoker, PeriodicQueueCommand, crontab, every, periodic_command
from huey_core.commands.periodic import ScheduledEntry
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import ConfigurationError
from huey_core.message import read_header
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


class Listed:
    """Due at times that a test lists, in seconds after noon."""

    def __init__(self, *seconds):
        self.seconds = seconds

    def next_after(self, utc):
        later = [at for each in self.seconds if (at := datetime.fromtimestamp(NOON + each, UTC)) > utc]
        return min(later, default=None)


class Source:
    """Entries that a test changes."""

    def __init__(self, *entries):
        self.listed = list(entries)

    def entries(self):
        return self.listed


class Sweep(PeriodicQueueCommand, declare=False):
    """What the entries of these tests enqueue."""


ENTRY = ScheduledEntry("sweep", Listed(0, 20, 40), Sweep)


def written(invoker):
    """Take the messages out of the queue, and return for which seconds after noon they are."""
    deliveries = invoker.queue.claim(100, 60).deliveries
    return [read_header(each.data).tick_at - NOON for each in deliveries]


def writer_of(invoker, *entries):
    return TickWriter(invoker, sources=[Source(*entries)])


def test_ticks_are_written_for_due_times_between_two_minutes(invoker):
    writer = writer_of(invoker, ENTRY)

    assert [writer.write(NOON + at) for at in (0, 10, 20, 25, 41, 59)] == [1, 0, 1, 0, 1, 0]
    assert written(invoker) == [0, 20, 40]


def test_the_next_due_time_is_that_of_any_entry(invoker):
    writer = writer_of(invoker, ENTRY, replace(ENTRY, name="other", schedule=Listed(33)))

    assert [writer.next_due(NOON + at) - NOON for at in (-10, 0, 10, 20, 33)] == [0, 20, 20, 33, 40]


def test_without_an_earlier_due_time_the_next_minute_is_waited_for(invoker):
    assert writer_of(invoker).next_due(NOON + 3) == NOON + 60
    assert writer_of(invoker, ENTRY).next_due(NOON + 50) == NOON + 60


def test_an_entry_that_is_added_later_is_due_from_then_on(invoker):
    writer = TickWriter(invoker, sources=[source := Source()])
    writer.write(NOON + 25)
    source.listed.append(ENTRY)

    assert writer.write(NOON + 30) == 0
    assert writer.write(NOON + 40) == 1


def test_an_entry_that_is_taken_away_is_not_due_any_more(invoker):
    writer = TickWriter(invoker, sources=[source := Source(ENTRY)])
    writer.write(NOON)
    source.listed.clear()

    assert writer.write(NOON + 20) == 0


def test_an_entry_whose_schedule_changes_goes_by_the_new_one(invoker):
    writer = TickWriter(invoker, sources=[source := Source(ENTRY)])
    writer.write(NOON)
    source.listed[:] = [replace(ENTRY, schedule=Listed(0, 30))]

    assert [writer.write(NOON + at) for at in (20, 30, 40)] == [0, 1, 0]


def test_nothing_is_made_up_for_that_was_due_before_an_entry_began(invoker):
    begun = replace(ENTRY, schedule=Listed(-300, -200, -100, 0), missed="all", since=NOON - 200)
    TickWriter(invoker, sources=[Source(ENTRY)]).write(NOON - 400)

    assert writer_of(invoker, begun).write(NOON) == 2
    assert written(invoker) == [-100, 0]


def test_an_entry_that_is_due_at_the_moment_at_which_it_began_is_not_due_then(invoker):
    assert writer_of(invoker, replace(ENTRY, since=NOON)).write(NOON) == 0


def test_entries_of_two_writers_are_one_where_their_names_are(invoker):
    assert writer_of(invoker, ENTRY).write(NOON) == 1
    assert writer_of(invoker, ENTRY).write(NOON + 1) == 0
    assert writer_of(invoker, replace(ENTRY, name="other")).write(NOON + 1) == 1


def test_a_clock_that_is_set_back_does_not_keep_ticks_from_being_written(invoker):
    writer = writer_of(invoker, replace(ENTRY, schedule=Listed(-3600, 0)))
    writer.write(NOON)

    assert writer.write(NOON - 3600) == 1


def test_a_due_time_may_be_a_fraction_of_a_second(invoker):
    writer = writer_of(invoker, replace(ENTRY, schedule=Listed(0.25, 20.5)))

    assert [writer.write(NOON + 1), writer.write(NOON + 21)] == [1, 1]
    assert written(invoker) == [0.25, 20.5]


@pytest.mark.parametrize("answer", ["tomorrow", datetime(2000, 1, 1, tzinfo=UTC)])
def test_a_schedule_with_an_answer_that_makes_no_sense_does_not_keep_the_others_from_running(invoker, caplog, answer):
    class Confused:
        def next_after(self, utc):
            return answer

    writer = writer_of(invoker, replace(ENTRY, name="confused", schedule=Confused()), ENTRY)

    assert writer.write(NOON) == 1
    assert writer.next_due(NOON) == NOON + 20
    assert caplog.messages == ["confused could not say when it is due"]


def test_a_command_that_cannot_be_made_does_not_keep_the_others_from_running(invoker, caplog):
    def make():
        raise RuntimeError("a defect")

    assert writer_of(invoker, replace(ENTRY, name="broken", make_command=make), ENTRY).write(NOON + 20) == 1
    assert caplog.messages == ["could not enqueue broken, due at 2026-05-01 12:00:20 UTC"]


def test_a_source_that_cannot_be_asked_is_an_outage(invoker):
    class Away:
        def entries(self):
            raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        TickWriter(invoker, sources=[Away()]).write(NOON)


def test_a_command_may_have_a_schedule_of_its_own(invoker):
    @periodic_command(invoker, Listed(0, 20))
    def sweep(): ...

    class Dust(PeriodicQueueCommand, declare=False):
        schedule = Listed(20)

    invoker.registry.register(Dust)

    assert [TickWriter(invoker).write(NOON), TickWriter(invoker).write(NOON + 20)] == [1, 2]


def test_what_is_no_schedule_is_refused(invoker):
    with pytest.raises(
        ConfigurationError, match=r"must be a schedule, such as crontab\(\), .* not 30; a period is every\(30\)$"
    ):
        periodic_command(invoker, 30)
    with pytest.raises(ConfigurationError, match=r"a line of cron is read by crontab.parse\('0 3 \* \* \*'\)$"):
        periodic_command(invoker, "0 3 * * *")
    with pytest.raises(ConfigurationError, match=r"is a class, where one of its objects is meant: crontab\(\.\.\.\)"):
        periodic_command(invoker, crontab)
    with pytest.raises(ConfigurationError, match=r"schedule must have next_after\(\), .* which <class 'huey_core"):

        class Bare(PeriodicQueueCommand, declare=False):
            schedule = crontab

    with pytest.raises(ConfigurationError, match=r"schedule must have next_after\(\)"):

        class Wrong(PeriodicQueueCommand, declare=False):
            schedule = "0 3 * * *"


def test_a_second_is_written_once_by_ten_writers_at_once(invoker):
    periodic_command(invoker, every(seconds=1), name="tick")(lambda: None)
    barrier = threading.Barrier(10)
    counts = []

    def write():
        writer = TickWriter(invoker)
        barrier.wait()
        counts.append(sum(writer.write(NOON + second) for second in range(5)))

    threads = [threading.Thread(target=write) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 5
    assert sorted(written(invoker)) == [0, 1, 2, 3, 4]


def test_what_was_due_before_the_first_consumer_started_is_not_made_up_for_by_the_second(invoker):
    periodic_command(invoker, every(seconds=10), name="tick", missed="all")(lambda: None)

    assert TickWriter(invoker).write(NOON + 46) == 1
    assert TickWriter(invoker).write(NOON + 47) == 0
    assert TickWriter(invoker).write(NOON + 51) == 1
    assert written(invoker) == [40, 50]


def test_what_a_short_outage_made_late_follows_the_policy_of_the_command(invoker):
    for missed in ("skip", "once", "all"):
        periodic_command(invoker, every(seconds=5), name=missed, missed=missed)(lambda: None)
    writer = TickWriter(invoker)
    writer.write(NOON)
    invoker.queue.flush()

    writer.write(NOON + 21)

    names = [read_header(each.data).command_name for each in invoker.queue.claim(100, 60).deliveries]
    assert {name: names.count(name) for name in names} == {"skip": 1, "once": 2, "all": 4}


def test_a_consumer_that_starts_again_makes_up_for_the_seconds_that_were_missed(invoker):
    periodic_command(invoker, every(seconds=10), name="tick", missed="all")(lambda: None)
    before = TickWriter(invoker)
    for second in range(0, 75, 5):
        before.write(NOON + second)
    assert written(invoker) == [0, 10, 20, 30, 40, 50, 60, 70]

    TickWriter(invoker).write(NOON + 100)

    assert written(invoker) == [80, 90, 100]


@pytest.mark.parametrize("missed", ["once", "all"])
def test_a_tick_within_a_minute_is_not_made_up_for_when_its_unique_key_is_forgotten(missed):
    clock = ManualClock(NOON - 60)
    place = {"space": f"forgotten-{missed}", "clock": clock}
    stores = MemoryDataStore("results", **place), MemoryDataStore("tasks", **place)
    invoker = Invoker(MemoryQueue("q", **place), *stores, registry=CommandRegistry(), clock=clock)
    entry = replace(ENTRY, schedule=Listed(30), missed=missed)
    before = writer_of(invoker, entry)
    for seconds in (30, 30, 35):
        clock.advance(seconds)
        before.write(clock())
    assert len(invoker.queue) == 1

    clock.advance(2 * 3600)

    assert writer_of(invoker, entry).write(clock()) == 0


def test_consumers_that_run_write_each_second_once(invoker, run_consumer, eventually):
    ran = []

    class Tick(PeriodicQueueCommand, declare=False):
        schedule = every(seconds=1)

        def execute(self):
            ran.append(self.tick_at)

    invoker.registry.register(Tick)
    for _ in range(3):
        run_consumer(invoker, periodic=True)

    eventually(lambda: len(ran) >= 3)
    assert len(set(ran)) == len(ran)
    assert max(ran) - min(ran) == len(ran) - 1
