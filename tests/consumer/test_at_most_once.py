"""A queue with nothing but the original four methods works end to end."""

from __future__ import annotations

import logging
import time

import pytest

from huey_core import CommandRegistry, Invoker, crontab, hookimpl, periodic_command, queue_command
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_core.consumer import Consumer
from huey_core.consumer.at_most_once import AtMostOnceSource
from huey_core.exceptions import CommandPostponed
from huey_core.invoker.command_schedule import CommandSchedule
from huey_memory import MemoryDataStore
from plain_backend import PlainQueue, PlainStore
from wire import pack


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

    assert add(1, 2).get(blocking=True, timeout=30, max_delay=0.02) == 3


def test_a_scheduled_command_is_kept_until_it_is_due(plain, run_consumer):
    @queue_command(plain)
    def add(a, b):
        return a + b

    run(run_consumer, plain)
    not_before = plain.now() + 0.1
    result = add.schedule(args=(1, 2), delay=0.1)

    assert result.get(blocking=True, timeout=30, max_delay=0.02) == 3
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

    assert fragile().get(blocking=True, timeout=30, max_delay=0.02) == "done"
    assert attempts[1] - attempts[0] >= 0.05


def test_a_scheduled_command_survives_the_consumer(plain, run_consumer, eventually):
    @queue_command(plain)
    def add(a, b):
        return a + b

    first = run(run_consumer, plain)
    result = add.schedule(args=(1, 2), delay=3600)
    eventually(lambda: "schedule" in plain.task_store.values)
    first.stop(timeout=30)
    let_an_hour_pass(plain.task_store)
    run(run_consumer, plain)

    assert result.get(blocking=True, timeout=30, max_delay=0.02) == 3


def let_an_hour_pass(store):
    """Make what a schedule keeps due as if it had waited for an hour."""
    schedule = CommandSchedule(store)
    for message_id, data in schedule.take_due(time.time() + 3600):
        schedule.add(message_id, time.time(), data)


def test_what_cannot_be_read_is_kept_in_the_task_store(plain, run_consumer, eventually):
    plain.queue.write(b"garbage")
    run(run_consumer, plain)

    def kept() -> bool:
        return b"garbage" in [value for key, value in plain.task_store.values.items() if key.startswith("dead:")]

    eventually(kept)


def test_of_a_periodic_command_the_latest_dead_letter_is_kept(plain, run_consumer, eventually):
    @periodic_command(plain, crontab())
    def fails():
        raise ValueError("every time")

    consumer = run(run_consumer, plain)
    for minute in range(2):
        command = fails.command()
        command.tick_at = minute * 60
        plain.enqueue(command)
    eventually(lambda: consumer.stats.buried == 2)

    assert len([key for key in plain.task_store.values if key.startswith("dead:")]) == 1


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
                self.awake.wait(300)
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
    assert add(1, 2).get(blocking=True, timeout=30, max_delay=0.02) == 3

    consumer.stop(timeout=30)

    assert not consumer.queues[0].fetcher.is_alive()


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

    assert [result.get(blocking=True, timeout=30, max_delay=0.02) for result in results] == list(range(20))
    assert sorted(runs) == list(range(20))


NOW = 1_000.0


class FragileQueue(PlainQueue):
    """Raises at the calls whose numbers, from 1, are given."""

    def __init__(self, *, bad_reads=(), bad_writes=()):
        super().__init__()
        self.bad_reads, self.bad_writes = set(bad_reads), set(bad_writes)
        self.reads = self.writes = 0

    def read(self):
        self.reads += 1
        if self.reads in self.bad_reads:
            raise ConnectionError("the server went away")
        return super().read()

    def write(self, data):
        self.writes += 1
        if self.writes in self.bad_writes:
            raise ConnectionError("the server went away")
        super().write(data)


class FragileStore(MemoryDataStore):
    """Raises at so many of the next changes."""

    failures = 0

    def put_if_absent(self, key, value, ttl=None):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the store went away")
        return super().put_if_absent(key, value, ttl)


@pytest.fixture
def fragile_store():
    store = FragileStore("fragile")
    store.flush()
    return store


def source_of(queue, store=None):
    return AtMostOnceSource(queue, CommandSchedule(store), store, (0.001, 1.0, 0.001), clock=lambda: NOW)


def message(message_id, eta=None):
    return pack({"id": message_id, **({} if eta is None else {"eta": eta})}, b"")


def ids(deliveries):
    return [delivery.message_id for delivery in deliveries]


def test_an_error_between_two_reads_loses_nothing_of_what_was_read():
    queue = FragileQueue(bad_reads=[3])
    for name in "abcd":
        queue.write(message(name))
    source = source_of(queue)

    assert ids(source.claim(10, 60).deliveries) == ["a", "b"]
    assert ids(source.claim(10, 60).deliveries) == ["c", "d"]


def test_an_error_of_the_first_read_is_raised():
    queue = FragileQueue(bad_reads=[1])

    with pytest.raises(ConnectionError):
        source_of(queue).claim(10, 60)


def test_what_the_schedule_cannot_keep_goes_back_to_the_queue(fragile_store):
    queue = FragileQueue()
    later = message("later", eta=NOW + 10)
    queue.write(later)
    fragile_store.failures = 1

    with pytest.raises(ConnectionError):
        source_of(queue, fragile_store).claim(10, 60)

    assert queue.messages == [later]


def test_an_error_of_the_schedule_loses_nothing_of_what_was_read(fragile_store):
    queue = FragileQueue()
    for data in (message("now"), message("later", eta=NOW + 10)):
        queue.write(data)
    fragile_store.failures = 1

    assert ids(source_of(queue, fragile_store).claim(10, 60).deliveries) == ["now"]


def test_what_neither_the_schedule_nor_the_queue_takes_is_tried_again(fragile_store):
    queue = FragileQueue(bad_writes=[2])
    queue.write(message("later", eta=NOW + 10))
    source = source_of(queue, fragile_store)
    fragile_store.failures = 1
    with pytest.raises(ConnectionError):
        source.claim(10, 60)

    source.claim(10, 60)

    assert CommandSchedule(fragile_store).remove("later")


def test_a_batch_that_failed_half_way_does_not_do_its_first_half_again(fragile_store):
    queue = FragileQueue()
    for name in "ab":
        queue.write(message(name))
    source = source_of(queue, fragile_store)
    a, b = source.claim(2, 60).deliveries
    batch = [Release(a), Retry(b, b.data, 10)]
    fragile_store.failures = 1
    with pytest.raises(ConnectionError):
        source.settle(batch)

    assert source.settle(batch) == [True, True]
    assert queue.messages == [a.data]
    assert CommandSchedule(fragile_store).remove("b")


def test_outcomes_that_failed_together_may_be_settled_singly(fragile_store):
    queue = FragileQueue()
    for name in "ab":
        queue.write(message(name))
    source = source_of(queue, fragile_store)
    a, b = source.claim(2, 60).deliveries
    fragile_store.failures = 1
    with pytest.raises(ConnectionError):
        source.settle([Retry(a, a.data), Retry(b, b.data, 10)])

    source.settle([Retry(a, a.data)])

    assert queue.messages == [a.data]


@pytest.mark.parametrize("end", [Ack, lambda delivery, *end: Bury(delivery, "why", "", *end)])
def test_follow_ups_are_written_once_though_one_of_them_failed_at_first(end):
    queue = FragileQueue(bad_writes=[3])
    queue.write(message("a"))
    source = source_of(queue)
    outcome = end(source.claim(1, 60).deliveries[0], None, (Message(b"one"), Message(b"two")))
    with pytest.raises(ConnectionError):
        source.settle([outcome])

    source.settle([outcome])

    assert queue.messages == [b"one", b"two"]


def test_an_attempt_counts_once_though_its_outcome_was_settled_twice(fragile_store):
    now = NOW
    queue = FragileQueue()
    queue.write(message("a"))
    source = AtMostOnceSource(queue, CommandSchedule(fragile_store), None, (0.001, 1.0, 0.001), clock=lambda: now)
    [delivery] = source.claim(1, 60).deliveries
    outcome = Retry(delivery, delivery.data, 10, keep_attempts=True)
    fragile_store.failures = 1
    with pytest.raises(ConnectionError):
        source.settle([outcome])
    source.settle([outcome])
    now += 10

    assert [again.attempt for again in source.claim(1, 60).deliveries] == [2]


def test_a_command_that_was_given_back_may_be_given_back_again():
    queue = FragileQueue()
    queue.write(message("a"))
    source = source_of(queue)

    for _ in range(2):
        source.settle([Release(source.claim(1, 60).deliveries[0])])

    assert queue.messages == [message("a")]


def test_every_delivery_of_a_message_has_a_receipt_of_its_own():
    queue = FragileQueue()
    queue.write(message("a"))
    source = source_of(queue)
    [first] = source.claim(1, 60).deliveries
    source.settle([Release(first)])

    [second] = source.claim(1, 60).deliveries

    assert first.receipt != second.receipt


class ClosedQueue(PlainQueue):
    """Takes nothing until the consumer that reads it is told to stop, or never if ``for_good``."""

    def __init__(self, for_good=False):
        super().__init__()
        self.is_open, self.for_good = True, for_good

    def write(self, data):
        if not self.is_open:
            raise ConnectionError("the server is full")
        super().write(data)

    def wake(self):
        self.is_open = not self.for_good


class ClosedStore(MemoryDataStore):
    """Takes nothing."""

    def put_if_absent(self, key, value, ttl=None):
        raise ConnectionError("the server is full")


def hold_what_is_to_be_put_back(run_consumer, eventually, queue):
    """Start a consumer that has read a delayed message, and can neither keep it nor put it back."""
    invoker = Invoker(queue, None, ClosedStore("closed"), registry=CommandRegistry())
    queue.write(message("later", eta=invoker.now() + 3600))
    queue.is_open = False
    consumer = run(run_consumer, invoker)
    eventually(lambda: consumer.queues[0].source.to_put_back)
    return consumer


def test_what_nothing_has_taken_goes_back_to_the_queue_when_the_consumer_stops(run_consumer, eventually):
    queue = ClosedQueue()
    consumer = hold_what_is_to_be_put_back(run_consumer, eventually, queue)

    consumer.stop()

    assert len(queue.messages) == 1
    assert consumer.queues[0].source.to_put_back == 0


def test_what_nothing_takes_to_the_end_is_said_to_be_lost(run_consumer, eventually, caplog):
    consumer = hold_what_is_to_be_put_back(run_consumer, eventually, ClosedQueue(for_good=True))

    consumer.stop(timeout=0.1)

    assert "1 message could not be given back; lost for good" in caplog.messages


class PostponesAll:
    postponed = 0

    @hookimpl
    def huey_before_execute(self):
        self.postponed += 1
        raise CommandPostponed(3600)


def test_what_waits_in_this_process_alone_is_put_back_when_the_consumer_stops(run_consumer, eventually):
    plugin = PostponesAll()
    invoker = Invoker(PlainQueue(), PlainStore("results"), plugins=[plugin], registry=CommandRegistry())
    handle = queue_command(invoker, name="wait")(lambda: None)()
    consumer = run(run_consumer, invoker)
    eventually(lambda: plugin.postponed)

    consumer.stop()

    assert invoker.dequeue().task_id == handle.task_id


def test_what_could_not_be_put_back_may_be_put_back_later(fragile_store):
    queue = FragileQueue(bad_writes=[2, 3])
    later = message("later", eta=NOW + 10)
    queue.write(later)
    source = source_of(queue, fragile_store)
    fragile_store.failures = 1
    for attempt in (lambda: source.claim(10, 60).deliveries, source.put_back):
        with pytest.raises(ConnectionError):
            attempt()
    assert source.to_put_back == 1

    source.put_back()

    assert (queue.messages, source.to_put_back) == ([later], 0)


def test_what_is_being_put_back_is_written_by_nobody_else_and_counts_until_it_is(fragile_store):
    class Meanwhile(FragileQueue):
        count_meanwhile = None

        def write(self, data):
            super().write(data)
            if self.writes == 3:
                self.count_meanwhile = source.to_put_back
                source.put_back()

    queue = Meanwhile(bad_writes=[2])
    later = message("later", eta=NOW + 10)
    queue.write(later)
    source = source_of(queue, fragile_store)
    fragile_store.failures = 1
    with pytest.raises(ConnectionError):
        source.claim(10, 60)

    source.put_back()

    assert (queue.messages, queue.writes, queue.count_meanwhile, source.to_put_back) == ([later], 3, 1, 0)
