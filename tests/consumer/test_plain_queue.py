"""A queue with nothing but the original four methods works end to end."""

from __future__ import annotations

import logging

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import Consumer
from huey_memory import MemoryDataStore
from plain_backend import PlainQueue, PlainStore


@pytest.fixture
def plain() -> Invoker:
    return Invoker(PlainQueue(), PlainStore("results"), PlainStore("state"), registry=CommandRegistry())


def run(run_consumer, invoker):
    return run_consumer(invoker, threads=2, initial_delay=0.005, max_delay=0.02, unreadable_delay=0.01)


def test_a_command_runs_and_its_result_arrives(plain, run_consumer):
    @queue_command(plain)
    def add(a, b):
        return a + b

    run(run_consumer, plain)

    assert add(1, 2).get(blocking=True, timeout=10, max_delay=0.02) == 3


def test_a_scheduled_command_is_kept_until_it_is_due(plain, run_consumer):
    @queue_command(plain)
    def add(a, b):
        return a + b

    run(run_consumer, plain)
    not_before = plain.now() + 0.1
    result = add.schedule(args=(1, 2), delay=0.1)

    assert result.get(blocking=True, timeout=10, max_delay=0.02) == 3
    assert plain.now() >= not_before


def test_a_retry_with_a_delay_is_kept_until_it_is_due(plain, run_consumer):
    attempts = []

    @queue_command(plain, retries=1, retry_delay=0.05)
    def fragile():
        attempts.append(plain.now())
        if len(attempts) == 1:
            raise OSError("not yet")
        return "done"

    run(run_consumer, plain)

    assert fragile().get(blocking=True, timeout=10, max_delay=0.02) == "done"
    assert attempts[1] - attempts[0] >= 0.05


def test_a_scheduled_command_survives_the_consumer(plain, run_consumer, eventually):
    @queue_command(plain)
    def add(a, b):
        return a + b

    first = run(run_consumer, plain)
    result = add.schedule(args=(1, 2), delay=0.3)
    eventually(lambda: "schedule" in plain.task_store.values)
    first.stop()
    run(run_consumer, plain)

    assert result.get(blocking=True, timeout=10, max_delay=0.02) == 3


def test_what_cannot_be_read_is_kept_in_the_task_store(plain, run_consumer, eventually):
    plain.queue.write(b"garbage")
    run(run_consumer, plain)

    def kept() -> bool:
        return b"garbage" in [value for key, value in plain.task_store.values.items() if key.startswith("dead:")]

    eventually(kept)


def test_what_was_read_and_not_started_goes_back_when_the_consumer_stops(plain, run_consumer):
    consumer = run(run_consumer, plain)
    consumer.stop()

    @queue_command(plain)
    def add(a, b):
        return a + b

    add(1, 2)

    assert len(plain.queue) == 1


def test_the_consumer_says_what_it_cannot_promise(plain, caplog):
    caplog.set_level(logging.INFO)

    with Consumer(plain, periodic=True, initial_delay=0.01).running():
        pass

    assert "delivery is at most once" in caplog.text
    assert "kept by the consumer, in the task store" in caplog.text
    assert "run one consumer only" in caplog.text
    assert "cannot be revoked" in caplog.text
    assert "kept until they are read" in caplog.text


def test_a_blocking_read_ends_when_the_consumer_stops(run_consumer):
    class BlockingQueue(PlainQueue):
        blocking = True

        def __init__(self):
            super().__init__()
            import threading

            self.awake = threading.Event()

        def read(self):
            if not self.messages:
                self.awake.wait(30)
                self.awake.clear()
            return super().read()

        def write(self, data):
            super().write(data)
            self.awake.set()

        def wake(self):
            self.awake.set()

    invoker = Invoker(BlockingQueue(), PlainStore(), registry=CommandRegistry())

    @queue_command(invoker)
    def add(a, b):
        return a + b

    consumer = run(run_consumer, invoker)
    assert add(1, 2).get(blocking=True, timeout=10, max_delay=0.02) == 3

    started = invoker.now()
    consumer.stop()

    assert invoker.now() - started < 5


def test_two_consumers_on_a_plain_queue_share_one_schedule_where_the_store_has_locks(run_consumer):
    invoker = Invoker(PlainQueue(), PlainStore(), MemoryDataStore("state"), registry=CommandRegistry())
    runs = []

    @queue_command(invoker)
    def once(number):
        runs.append(number)
        return number

    for _ in range(2):
        run(run_consumer, invoker)
    results = [once.schedule(args=(number,), delay=0.05) for number in range(20)]

    assert [result.get(blocking=True, timeout=10, max_delay=0.02) for result in results] == list(range(20))
    assert sorted(runs) == list(range(20))
