"""Threads for what an event loop cannot run."""

from __future__ import annotations

import threading

import pytest

from huey_core.consumer.pools.executor import DaemonExecutor

PATIENCE = 30.0


@pytest.fixture
def events():
    return []


@pytest.fixture
def executor(events):
    executor = DaemonExecutor(
        2, lambda name: events.append(("start", name)), lambda name: events.append(("stop", name))
    )
    yield executor
    executor.shutdown()


def test_what_a_function_returns_or_raises_is_the_futures(executor):
    assert executor.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        executor.submit(divmod, 1, 0).result(PATIENCE)


def test_an_idle_thread_is_used_again(executor):
    names = {executor.submit(lambda: threading.current_thread().name).result(PATIENCE) for _ in range(20)}

    assert names == {"huey-thread-1"}


def test_no_more_threads_are_started_than_allowed(executor):
    gate = threading.Event()
    waiting = [executor.submit(gate.wait, PATIENCE) for _ in range(5)]
    gate.set()

    assert [future.result(PATIENCE) for future in waiting] == [True] * 5
    assert len(executor.threads) == 2


def test_its_threads_do_not_keep_the_process(executor):
    assert executor.submit(lambda: threading.current_thread().daemon).result(PATIENCE)


def test_each_thread_says_when_it_starts_and_ends(executor, events):
    executor.submit(int).result(PATIENCE)
    executor.shutdown()

    assert events == [("start", "thread-1"), ("stop", "thread-1")]


def test_nothing_is_taken_after_the_end(executor):
    executor.shutdown()

    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(int)
