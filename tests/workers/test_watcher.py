"""The thread that enforces time limits."""

from __future__ import annotations

import threading
import time

import pytest

from huey_core.workers.watcher import Watcher

PATIENCE = 10.0


@pytest.fixture
def watcher():
    return Watcher()


def test_it_calls_when_the_time_has_come(watcher):
    called = threading.Event()
    until = time.monotonic() + 0.02

    watcher.watch("one", until, called.set)

    assert called.wait(PATIENCE)
    assert time.monotonic() >= until


def test_what_comes_sooner_is_not_kept_waiting_by_what_comes_later(watcher):
    called = threading.Event()
    watcher.watch("late", time.monotonic() + 3600, called.wait)

    watcher.watch("soon", time.monotonic(), called.set)

    assert called.wait(PATIENCE)


def test_what_is_forgotten_is_not_called(watcher):
    called, forgotten = threading.Event(), []
    watcher.watch("forgotten", time.monotonic() + 0.02, lambda: forgotten.append(True))
    watcher.forget("forgotten")

    watcher.watch("kept", time.monotonic() + 0.04, called.set)

    assert called.wait(PATIENCE)
    assert not forgotten


def test_a_call_that_raises_is_logged_and_harms_no_other(watcher, caplog):
    called = threading.Event()
    watcher.watch("bad", time.monotonic(), lambda: 1 / 0)

    watcher.watch("good", time.monotonic() + 0.01, called.set)

    assert called.wait(PATIENCE)
    assert "ZeroDivisionError" in caplog.text


def test_it_is_one_thread_that_is_not_started_before_it_is_needed(watcher):
    before = threading.active_count()
    assert before == threading.active_count()

    for who in range(10):
        watcher.watch(who, time.monotonic() + 3600, print)

    assert [one.daemon for one in threading.enumerate() if one.name == "huey-watcher"].count(False) == 0
    assert threading.active_count() == before + 1
