"""How a consumer stops, and what becomes of what it holds."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import Consumer, ConsumerConfig
from huey_core.consumer.delivery_runner import DeliveryRunner
from huey_core.consumer.policy import Policy
from huey_core.consumer.pools import thread as thread_module
from huey_core.consumer.prefetch import Prefetch
from huey_core.exceptions import DeliveryLost
from huey_core.hookspecs import hookimpl
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

PATIENCE = 30.0


@pytest.fixture
def slow_on():
    """Make a command of an invoker that runs until the test lets it end."""
    made = []

    def make(invoker):
        @queue_command(invoker)
        def slow():
            slow.started.release()
            slow.release.wait(10 * PATIENCE)
            return "finished"

        slow.started = threading.Semaphore(0)
        slow.release = threading.Event()
        made.append(slow)
        return slow

    yield make
    for slow in made:
        slow.release.set()


@pytest.fixture
def slow(invoker, slow_on):
    """A command that runs until the test lets it end."""
    return slow_on(invoker)


def test_a_running_command_may_finish(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    result = slow()
    assert slow.started.acquire(timeout=PATIENCE)
    threading.Timer(0.1, slow.release.set).start()

    finished = consumer.stop(timeout=PATIENCE)

    assert finished
    assert result.get() == "finished"


def test_a_command_that_takes_too_long_is_given_back_at_once(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)

    finished = consumer.stop(timeout=0.05)

    assert not finished
    counts = invoker.queue.counts()
    assert (counts.ready, counts.running) == (1, 0)


def test_a_command_that_takes_too_long_is_stopped_before_it_is_given_back(invoker, run_consumer):
    started, stopped = threading.Event(), []

    @queue_command(invoker)
    def loop():
        started.set()
        try:
            while True:
                pass
        except DeliveryLost:
            stopped.append(invoker.queue.counts().ready)
            raise

    consumer = run_consumer(invoker, threads=1)
    loop()
    assert started.wait(PATIENCE)

    finished = consumer.stop(timeout=0.05)

    assert not finished
    assert stopped == [0], "it was given back while it ran"
    counts = invoker.queue.counts()
    assert (counts.ready, counts.running) == (1, 0)


@pytest.fixture
def consumer_without_workers(make_invoker, eventually, monkeypatch):
    """A consumer whose only worker has died of a command, on a queue whose time the test moves."""

    def die(*_):
        raise SystemExit

    def unguarded(loop, *_):
        with suppress(SystemExit):
            loop()

    monkeypatch.setattr(thread_module, "run_supervised", unguarded)
    monkeypatch.setattr(DeliveryRunner, "run", die)
    clock = ManualClock()
    queue = MemoryQueue("q", space="without workers", clock=clock)
    invoker = Invoker(queue, registry=CommandRegistry())
    queue_command(invoker, name="deadly")(lambda: None)()
    consumer = Consumer(invoker, threads=1, periodic=False)
    consumer.start()
    eventually(lambda: not consumer.pool.workers[0].is_alive())
    yield consumer
    consumer.stop()


@pytest.mark.parametrize("stop", [Consumer.stop, Consumer.stop_now])
def test_what_has_ended_a_worker_is_not_given_back_and_its_delivery_counts(consumer_without_workers, stop, caplog):
    consumer = consumer_without_workers

    stop(consumer)

    records = caplog.get_records("setup")
    assert [record.delivery_count for record in records if "ended the worker" in record.getMessage()] == [1]
    [delivery] = consumer.queues[0].source.claim(1, 60).deliveries
    assert delivery.attempt == 2


def test_a_consumer_is_stopped_in_an_exit_handler_where_no_thread_can_be_started(
    invoker, run_consumer, slow, monkeypatch
):
    consumer = run_consumer(invoker, threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)

    def refuse(thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as ending:
        ending.setattr(threading.Thread, "start", refuse)
        consumer.stop(timeout=0)

    assert invoker.queue.counts().ready == 1


def test_giving_back_does_not_count_as_a_delivery(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)
    consumer.stop(timeout=0)

    [delivery] = invoker.queue.claim(1, 60).deliveries

    assert delivery.attempt == 1


def test_the_late_outcome_of_a_command_that_was_given_back_changes_nothing(invoker, run_consumer, slow, eventually):
    consumer = run_consumer(invoker, threads=1)
    result = slow()
    assert slow.started.acquire(timeout=PATIENCE)
    consumer.stop(timeout=0)
    slow.release.set()
    eventually(lambda: not consumer.pool.workers[0].is_alive())

    assert invoker.queue.counts().ready == 1
    assert result.get() is None


def test_another_consumer_takes_over_what_was_given_back(invoker, run_consumer, slow):
    first = run_consumer(invoker, threads=1)
    result = slow()
    assert slow.started.acquire(timeout=PATIENCE)
    first.stop(timeout=0)
    slow.release.set()
    run_consumer(invoker, threads=1)

    assert result.get(blocking=True, timeout=PATIENCE) == "finished"


def test_no_lease_is_left_behind(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=3)
    for _ in range(20):
        slow()
    for _ in range(3):
        assert slow.started.acquire(timeout=PATIENCE)
    consumer.stop(timeout=0)

    assert invoker.queue.counts().running == 0


def test_an_idle_consumer_stops_without_waiting_for_its_claim_to_end(invoker, run_consumer):
    consumer = run_consumer(invoker, policy=Policy(longest_wait=10 * PATIENCE), lease=100 * PATIENCE)

    consumer.stop(timeout=PATIENCE)

    assert not consumer.queues[0].fetcher.is_alive()


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
        f"{queue}: stopping (the test is over): 0 commands running",
        f"{queue}: stopped: Stats(claimed=0, done=0, retried=0, released=0, buried=0, lost=0)",
    ]


class CutOffQueue(MemoryQueue):
    """A queue whose server does not answer after ``cut_off()``, until it was asked so many times to settle."""

    def __init__(self, name, space):
        super().__init__(name, space=space)
        self._left = 0

    def cut_off(self, tries):
        self._left = tries

    def now(self):
        if self._left:
            raise ConnectionError("the cable is out")
        return super().now()

    def settle(self, outcomes):
        if self._left:
            self._left -= 1
            raise ConnectionError("the cable is out")
        return super().settle(outcomes)


@pytest.fixture
def cut_off(request):
    """An invoker whose queue can be cut off."""
    space = request.node.name
    return Invoker(CutOffQueue("q", space), MemoryDataStore("q", space=space), registry=CommandRegistry())


def finish_while_cut_off(invoker, run_consumer, tries, **settings):
    """Run a command to its end while the server does not answer, and return the consumer and the result."""

    @queue_command(invoker)
    def work():
        invoker.queue.cut_off(tries)
        return "finished"

    consumer = run_consumer(invoker, threads=1, initial_delay=0.001, **settings)
    result = work()
    return consumer, result


def test_what_a_command_did_is_written_when_the_server_comes_back_during_the_stop(cut_off, run_consumer, eventually):
    consumer, result = finish_while_cut_off(cut_off, run_consumer, tries=10**9, shutdown_timeout=PATIENCE)
    eventually(consumer.queues[0].outbox.left)
    cut_off.queue.cut_off(tries=5)

    assert consumer.stop()

    assert result.get() == "finished"
    assert cut_off.queue.counts().running == 0


def test_a_command_whose_outcome_waits_already_is_not_given_back_too(
    cut_off, run_consumer, eventually, monkeypatch, caplog
):
    let_go = threading.Event()
    # The first that a worker does after it has handed over an outcome.
    monkeypatch.setattr(Prefetch, "observe", lambda self, duration: let_go.wait(10 * PATIENCE))
    consumer, _ = finish_while_cut_off(cut_off, run_consumer, tries=10**9)
    eventually(consumer.queues[0].outbox.left)

    consumer.stop(timeout=0)

    let_go.set()
    assert "did not finish" not in caplog.text
    assert "could not be given back" not in caplog.text


def test_what_could_not_be_written_in_time_is_said_and_counts_as_unfinished(cut_off, run_consumer, eventually, caplog):
    consumer, _ = finish_while_cut_off(cut_off, run_consumer, tries=10**9)
    eventually(consumer.queues[0].outbox.left)

    assert not consumer.stop(timeout=0.1)

    assert "1 outcome could not be written; redelivery follows when the lease ends" in caplog.messages
    assert "could not be given back" not in caplog.text


def test_a_message_that_could_not_be_given_back_is_said(cut_off, run_consumer, slow_on, caplog):
    slow = slow_on(cut_off)
    consumer = run_consumer(cut_off, threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)
    cut_off.queue.cut_off(tries=10**9)

    assert not consumer.stop(timeout=0.1)

    assert "1 message could not be given back; redelivery follows when the lease ends" in caplog.messages
    assert "could not be written" not in caplog.text


def test_giving_everything_back_at_once_leaves_alone_what_has_an_outcome(cut_off, run_consumer, eventually, caplog):
    consumer, result = finish_while_cut_off(cut_off, run_consumer, tries=10**9)
    eventually(consumer.queues[0].outbox.left)
    # Nobody tries to write it while the server comes back: half a try would tell that the server refuses it.
    consumer.queues[0].fetcher.stop()
    consumer.pool.stop()
    for thread in (consumer.queues[0].fetcher, *consumer.pool.workers):
        thread.join(PATIENCE)
    cut_off.queue.cut_off(tries=0)

    consumer.stop_now()

    assert result.get() == "finished"
    assert (consumer.stats.released, consumer.stats.lost) == (0, 0)


def returns_at_once(stop, *arguments):
    """Whether a way to stop does not wait for what hangs."""
    stopping = threading.Thread(target=stop, args=arguments, daemon=True)
    stopping.start()
    stopping.join(PATIENCE)
    return not stopping.is_alive()


@pytest.fixture
def hang():
    """What hangs until the end of the test; ``began`` is set when the first thread does."""
    end = threading.Event()

    def hang():
        hang.began.set()
        end.wait(10 * PATIENCE)

    hang.began = threading.Event()
    yield hang
    end.set()


def test_a_plugin_that_blocks_in_the_heartbeat_does_not_hold_up_the_stop(make_invoker, run_consumer, hang):
    class Blocking:
        @hookimpl
        def huey_consumer_heartbeat(self, consumer, snapshot):
            hang()

    consumer = run_consumer(make_invoker(plugins=[Blocking()]), heartbeat=0.1)
    assert hang.began.wait(PATIENCE)

    assert returns_at_once(consumer.stop, "stopped", 0.0)


@pytest.mark.parametrize("method", ["claim", "settle", "extend"])
@pytest.mark.parametrize("stop", [lambda consumer: consumer.stop(timeout=0.0), Consumer.stop_now])
def test_a_call_that_hangs_does_not_hold_up_the_stop(invoker, run_consumer, slow, hang, monkeypatch, method, stop):
    really = getattr(invoker.queue, method)
    consumer = run_consumer(invoker, threads=3, lease=1.0)
    for _ in range(3):
        slow()
        assert slow.started.acquire(timeout=PATIENCE)
    monkeypatch.setattr(invoker.queue, method, lambda *arguments: hang() or really(*arguments))
    if method != "extend":
        slow.release.set()
    assert hang.began.wait(PATIENCE)

    assert returns_at_once(stop, consumer)


def test_an_outcome_that_is_on_its_way_is_not_taken_for_written(invoker, run_consumer, hang, monkeypatch, caplog):
    settle_really = invoker.queue.settle
    monkeypatch.setattr(invoker.queue, "settle", lambda outcomes: hang() or settle_really(outcomes))
    queue_command(invoker, name="quick")(lambda: None)()
    consumer = run_consumer(invoker)
    assert hang.began.wait(PATIENCE)

    assert not consumer.stop(timeout=0.0)

    assert "1 outcome could not be written; redelivery follows when the lease ends" in caplog.messages
    assert "could not be given back" not in caplog.text


def test_settings_beside_a_config_are_refused(invoker):
    with pytest.raises(TypeError, match="threads"):
        Consumer(invoker, ConsumerConfig(), threads=2)


def test_nothing_is_started_after_a_stop_while_the_fetch_loop_hangs(
    invoker, run_consumer, slow, monkeypatch, eventually
):
    consumer = run_consumer(invoker, policy=Policy(stuck_after=100 * PATIENCE), threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)
    fetcher, prefetched = consumer.queues[0].fetcher, slow()
    deliveries = invoker.queue.claim(1, 10 * PATIENCE).deliveries
    consumer.queues[0].in_flight.add(deliveries)
    consumer.pool.put(deliveries, fetcher.runner)
    join_really = fetcher.join_until

    def hang(deadline):
        slow.release.set()
        eventually(lambda: not consumer.pool.running() and not consumer.pool.waiting())
        join_really(deadline)

    monkeypatch.setattr(fetcher, "join_until", hang)

    assert consumer.stop(timeout=PATIENCE)

    assert prefetched.get() is None
    assert invoker.queue.counts().ready == 1


def test_a_consumer_that_was_not_started_can_be_stopped_and_is_not_started_later(invoker):
    consumer = Consumer(invoker)

    assert consumer.stop()

    with pytest.raises(RuntimeError, match="is started once"):
        consumer.start()


def test_a_second_start_is_refused_and_leaves_running_commands_alone(invoker, run_consumer, slow):
    consumer = run_consumer(invoker, threads=1)
    result = slow()
    assert slow.started.acquire(timeout=PATIENCE)

    with pytest.raises(RuntimeError, match="is started once"):
        consumer.start()

    slow.release.set()
    assert result.get(blocking=True, timeout=PATIENCE) == "finished"
    assert consumer.stats.released == 0


@pytest.mark.parametrize("where", ["command", "huey_command_failed", "huey_consumer_heartbeat", "huey_worker_stop"])
def test_a_stop_in_a_thread_of_the_consumer_does_not_wait_for_that_thread(make_invoker, where):
    returned, ended = [], threading.Event()

    def stop_in(place):
        if place == where:
            returned.append(consumer.stop("from inside", timeout=PATIENCE))

    class Plugin:
        @hookimpl
        def huey_command_failed(self):
            stop_in("huey_command_failed")

        @hookimpl
        def huey_consumer_heartbeat(self):
            stop_in("huey_consumer_heartbeat")

        @hookimpl
        def huey_worker_stop(self):
            stop_in("huey_worker_stop")

        @hookimpl
        def huey_consumer_stop(self):
            ended.set()

    invoker = make_invoker(plugins=[Plugin()])

    @queue_command(invoker)
    def command():
        stop_in("command")
        raise ValueError

    consumer = Consumer(invoker, threads=2, periodic=False, heartbeat=0.1)
    consumer.start()
    command()
    if where == "huey_worker_stop":
        assert consumer.stop(timeout=PATIENCE)

    assert ended.wait(PATIENCE)
    assert consumer.stop()
    assert not any(returned)


def test_a_second_stop_waits_for_the_first_one_and_returns_the_same(make_invoker, run_consumer, slow_on):
    told = []

    class Counting:
        @hookimpl
        def huey_consumer_stop(self, consumer, reason):
            told.append(reason)

    invoker = make_invoker(plugins=[Counting()])
    slow = slow_on(invoker)
    consumer = run_consumer(invoker, threads=1)
    slow()
    assert slow.started.acquire(timeout=PATIENCE)
    finished = []
    both = [
        threading.Thread(target=lambda: finished.append(consumer.stop("stopped", PATIENCE)), daemon=True)
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    slow.release.set()
    for thread in both:
        thread.join(PATIENCE)

    assert (finished, told) == ([True, True], ["stopped"])


def test_when_a_thread_cannot_be_started_no_other_is_left(invoker, monkeypatch):
    consumer = Consumer(invoker, threads=2)
    last = consumer.queues[0].fetcher

    def refuse():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(last, "start", refuse)
    known = set(threading.enumerate())

    with pytest.raises(RuntimeError, match="can't start"):
        consumer.start()

    for thread in set(threading.enumerate()) - known:
        thread.join(PATIENCE)
        assert not thread.is_alive()
