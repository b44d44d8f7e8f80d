"""When the progress of runs is written, by a clock that the test moves."""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

from huey_core.commands.progress import Progress
from huey_core.commands.progress_writer import INTERVAL, LONGEST_PAUSE, PATIENCE, ProgressReporter, ProgressWriter
from huey_memory import MemoryDataStore


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Away(Exception):
    pass


class Written:
    """Notes what is written, or raises instead."""

    def __init__(self):
        self.all = []
        self.error = None

    def __call__(self, progress):
        if self.error is not None:
            raise self.error
        self.all.append(progress.done)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def writer(clock):
    """A writer whose thread is the test's."""
    return ProgressWriter(clock)


@pytest.fixture
def written():
    return Written()


@pytest.fixture
def store():
    return MemoryDataStore("results", space="progress writer")


@pytest.fixture
def reporter(writer, store, written):
    return ProgressReporter(lambda: writer, store, written)


def test_the_first_is_written_at_once(writer, reporter, written):
    reporter.report(Progress(1, 10))
    writer.step(wait=False)

    assert written.all == [1]


def test_of_those_that_come_together_the_latest_is_written_once_in_an_interval(writer, reporter, written, clock):
    for done in range(1, 500):
        reporter.report(Progress(done, 1000))
        writer.step(wait=False)
        clock.now += INTERVAL / 100

    assert written.all[0] == 1
    assert len(written.all) in {5, 6}


def test_what_nothing_comes_after_is_written_when_the_interval_is_over(writer, reporter, written, clock):
    for done in (1, 2, 3):
        reporter.report(Progress(done, 10))
        writer.step(wait=False)
    assert written.all == [1]

    clock.now += INTERVAL
    writer.step(wait=False)

    assert written.all == [1, 3]


def test_the_first_that_is_complete_is_written_at_once_and_others_are_not(writer, reporter, written):
    for done in (1, 10, 11, 12):
        reporter.report(Progress(done, max(done, 10)))
        writer.step(wait=False)

    assert written.all == [1, 10]


def test_each_run_has_an_interval_of_its_own(writer, reporter, store, written):
    other = ProgressReporter(lambda: writer, store, written)
    reporter.report(Progress(1))
    writer.step(wait=False)
    other.report(Progress(2))
    writer.step(wait=False)

    assert written.all == [1, 2]


def test_what_is_not_written_when_the_run_ends_is_written_then(writer, reporter, written):
    reporter.report(Progress(1, 10))
    writer.step(wait=False)
    reporter.report(Progress(2, 10))
    ending = threading.Thread(target=reporter.end)
    ending.start()
    while written.all != [1, 2]:
        writer.step(wait=True)
    ending.join(PATIENCE)

    assert not ending.is_alive()
    assert not reporter.report(Progress(3, 10))


def test_an_end_with_nothing_to_be_written_waits_for_nothing(writer, reporter, written):
    reporter.report(Progress(1, 10))
    writer.step(wait=False)

    reporter.end()
    writer.step(wait=False)

    assert written.all == [1]


def test_where_the_store_does_not_forget_the_end_removes_it(writer, store, written):
    removed = []
    reporter = ProgressReporter(lambda: writer, store, written, forget=lambda: removed.append(True))
    reporter.report(Progress(1))
    writer.step(wait=False)
    ending = threading.Thread(target=reporter.end)
    ending.start()
    writer.step(wait=True)
    ending.join(PATIENCE)

    assert removed == [True]


def test_a_run_whose_lease_was_lost_writes_nothing(writer, store, written):
    reporter = ProgressReporter(lambda: writer, store, written, is_lost=lambda: True)

    reporter.report(Progress(1))
    writer.step(wait=False)

    assert written.all == []


def test_a_store_that_is_away_is_left_alone_for_growing_pauses_and_logged_once(writer, store, clock, caplog):
    caplog.set_level(logging.INFO, "huey_core")
    tries = []

    def fail(progress):
        tries.append(clock.now)
        raise Away("no route")

    reporter = ProgressReporter(lambda: writer, store, fail)
    reporter.report(Progress(1, 10))
    began = clock.now
    while clock.now < began + 100:
        writer.step(wait=False)
        clock.now += 0.5

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses[:5] == [PATIENCE, 2 * PATIENCE, 4 * PATIENCE, 8 * PATIENCE, 16 * PATIENCE]
    assert max(pauses) <= LONGEST_PAUSE
    [line] = [record.getMessage() for record in caplog.records]
    assert line == "the progress of commands cannot be written for now: Away: no route"


def test_the_latest_is_written_when_the_store_is_back(writer, reporter, written, clock, caplog):
    caplog.set_level(logging.INFO, "huey_core")
    written.error = Away()
    reporter.report(Progress(1, 10))
    writer.step(wait=False)
    reporter.report(Progress(2, 10))
    written.error = None

    writer.step(wait=False)
    assert written.all == []
    clock.now += PATIENCE
    writer.step(wait=False)

    assert written.all == [2]
    assert caplog.records[-1].getMessage() == "the progress of commands is written again"


def test_an_end_does_not_wait_for_a_store_that_is_away(writer, reporter, written):
    written.error = Away()
    reporter.report(Progress(1, 10))
    writer.step(wait=False)
    reporter.report(Progress(2, 10))
    ending = threading.Thread(target=reporter.end)
    ending.start()
    writer.step(wait=True)
    ending.join(PATIENCE / 2)

    assert not ending.is_alive()


def test_a_store_that_is_away_holds_up_no_other(writer, reporter, written):
    other_written = Written()
    other = ProgressReporter(lambda: writer, MemoryDataStore("other", space="progress writer"), other_written)
    written.error = Away()
    reporter.report(Progress(1))
    writer.step(wait=False)

    other.report(Progress(1))
    writer.step(wait=False)

    assert other_written.all == [1]


def test_where_no_thread_can_be_started_nothing_is_written_and_nobody_waits(monkeypatch, store, written, caplog):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer = ProgressWriter().start()
    reporter = ProgressReporter(lambda: writer, store, written)

    reporter.report(Progress(1))
    reporter.end()

    assert "no thread can be started: can't start new thread" in caplog.text
