"""When ticks are written: at the beginning of every minute, whatever happened in the one before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from huey_core.consumer import Consumer
from huey_core.consumer.periodic import PeriodicScheduler

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()


class Clock:
    """A queue's clock, which a writer moves on."""

    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


class Writer:
    """Notes when it is to write, and does so in a way that each test chooses."""

    def __init__(self, clock, act):
        self.clock = clock
        self.times = []
        self.act = act

    def write(self, now):
        self.times.append(now - NOON)
        self.act(len(self.times))


@pytest.fixture
def run_scheduler(invoker):
    """Run a scheduler on a clock of its own, beginning at a second after noon, until it has written three times."""

    def run(begin, act):
        clock = Clock(NOON + begin)
        writer = Writer(clock, lambda time: act(clock, time))
        consumer = Consumer(invoker)
        consumer.source = clock

        def wait(pause):
            clock.at += pause
            return len(writer.times) == 3

        PeriodicScheduler(consumer, writer, wait).run()
        return writer.times

    return run


def test_ticks_are_written_at_the_beginning_of_every_minute(run_scheduler):
    assert run_scheduler(20, lambda clock, time: None) == pytest.approx([20, 60.01, 120.01])


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
