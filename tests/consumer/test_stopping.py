"""How a consumer stops, and what becomes of what it holds."""

from __future__ import annotations

import threading

import pytest

from huey_core import queue_command


@pytest.fixture
def slow(invoker):
    """A command that runs until the test lets it end."""

    @queue_command(invoker)
    def slow():
        slow.started.release()
        slow.release.wait(20)
        return "finished"

    slow.started = threading.Semaphore(0)
    slow.release = threading.Event()
    yield slow
    slow.release.set()


def test_a_running_command_may_finish(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    result = slow()
    slow.started.acquire(timeout=10)
    threading.Timer(0.1, slow.release.set).start()

    finished = consumer.stop()

    assert finished
    assert result.get() == "finished"


def test_a_command_that_takes_too_long_is_given_back_at_once(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    slow()
    slow.started.acquire(timeout=10)

    finished = consumer.stop(timeout=0.05)

    assert not finished
    counts = invoker.queue.counts()
    assert (counts.ready, counts.running) == (1, 0)


def test_giving_back_does_not_count_as_a_delivery(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    slow()
    slow.started.acquire(timeout=10)
    consumer.stop(timeout=0)

    [delivery] = invoker.queue.claim(1, 60)

    assert delivery.attempt == 1


def test_the_late_outcome_of_a_command_that_was_given_back_changes_nothing(invoker, run_consumer, slow, eventually):
    consumer = run_consumer(invoker, threads=1)
    result = slow()
    slow.started.acquire(timeout=10)
    consumer.stop(timeout=0)
    slow.release.set()
    eventually(lambda: not consumer.workers[0].is_alive())

    assert invoker.queue.counts().ready == 1
    assert result.get() is None


def test_another_consumer_takes_over_what_was_given_back(invoker, run_consumer, slow):
    first = run_consumer(invoker, threads=1)
    result = slow()
    slow.started.acquire(timeout=10)
    first.stop(timeout=0)
    slow.release.set()
    run_consumer(invoker, threads=1)

    assert result.get(blocking=True, timeout=10) == "finished"


def test_no_lease_is_left_behind(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=3)
    for _ in range(20):
        slow()
    for _ in range(3):
        slow.started.acquire(timeout=10)
    consumer.stop(timeout=0)

    assert invoker.queue.counts().running == 0


def test_an_idle_consumer_stops_at_once(invoker, run_consumer):
    consumer = run_consumer(invoker)
    stopped = threading.Thread(target=consumer.stop)
    stopped.start()
    stopped.join(4)

    assert not stopped.is_alive()


def test_nothing_is_claimed_after_a_stop(invoker, run_consumer, slow):
    run_consumer(invoker).stop()

    slow()

    assert invoker.queue.counts().ready == 1


def test_start_and_stop_are_logged_with_the_queue_since_a_process_may_serve_several(invoker, run_consumer, caplog):
    caplog.set_level("INFO")
    queue = f"queue {invoker.queue.name!r}"

    run_consumer(invoker, threads=1).stop("the test is over")

    lines = [line for line in caplog.messages if line.startswith(f"{queue}: ")]
    assert lines == [
        f"{queue}: ready",
        f"{queue}: stopping (the test is over): 0 commands are running",
        f"{queue}: stopped: Stats(claimed=0, done=0, retried=0, released=0, buried=0, lost=0)",
    ]
