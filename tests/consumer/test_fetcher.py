"""What the fetch loop waits for, and what it does not wait for."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.backends.messages import Claim, Delivery
from huey_core.backends.outcomes import Ack
from huey_core.consumer import Consumer
from huey_core.consumer.policy import Policy
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import AwayStore

PATIENCE = 30.0


class SlowToFindNothing(MemoryQueue):
    """A queue whose claim, when it need not wait, takes until the command that was held ahead has been run."""

    def __init__(self, name):
        super().__init__(name)
        self.asked = threading.Event()
        self.answer = threading.Event()
        self.answered = threading.Event()

    def claim(self, limit, lease, wait=0.0):
        if wait > 0.0 or self.asked.is_set():
            return super().claim(limit, lease, wait)
        self.asked.set()
        assert self.answer.wait(PATIENCE)
        found = super().claim(limit, lease, wait)
        self.answered.set()
        return found


@pytest.fixture
def queue():
    return SlowToFindNothing("slow")


def test_a_command_that_ends_during_a_claim_is_not_waited_for_after_it(queue, monkeypatch):
    # With the ordinary limit the loop would look again after half a second, which no test can tell from a slow machine.
    invoker = Invoker(queue, MemoryDataStore("results"), registry=CommandRegistry())

    @queue_command(invoker)
    def let_the_next_be_held_ahead():
        return queue.asked.wait(PATIENCE)

    @queue_command(invoker)
    def add(a, b):
        return a + b

    first, held_ahead = let_the_next_be_held_ahead(), add(1, 2)
    consumer = Consumer(invoker, policy=Policy(stuck_after=2 * 3600.0), threads=1, periodic=False)
    monkeypatch.setattr(consumer.queues[0].prefetch, "target", lambda busy_for: 10)
    with consumer.running():
        assert first.get(blocking=True, timeout=PATIENCE)
        assert held_ahead.get(blocking=True, timeout=PATIENCE) == 3
        queue.answer.set()
        assert queue.answered.wait(PATIENCE)

        assert add(3, 4).get(blocking=True, timeout=PATIENCE) == 7


def test_no_command_waits_while_a_worker_is_idle(run_consumer):
    invoker = Invoker(MemoryQueue("pairs"), MemoryDataStore("results"), registry=CommandRegistry())
    both = threading.Barrier(2)

    @queue_command(invoker)
    def meet():
        both.wait(PATIENCE)
        return "met"

    run_consumer(invoker, policy=Policy(stuck_after=2 * 3600.0), threads=2, prefetch=0)

    for _ in range(30):
        pair = [meet(), meet()]
        assert [result.get(blocking=True, timeout=PATIENCE) for result in pair] == ["met", "met"]


class Refusing(MemoryQueue):
    """A queue that refuses every result that holds the word ``poison``, alone or among others."""

    def __init__(self, name):
        super().__init__(name)
        self.refused = threading.Event()

    def settle(self, outcomes):
        if any(
            isinstance(outcome, Ack) and outcome.result and b"poison" in outcome.result.value for outcome in outcomes
        ):
            self.refused.set()
            raise ConnectionError("too large")
        return super().settle(outcomes)


def test_other_commands_run_while_an_outcome_is_refused(run_consumer):
    queue = Refusing("refusing")
    invoker = Invoker(queue, MemoryDataStore("refusing"), registry=CommandRegistry())

    @queue_command(invoker)
    def echo(value):
        return value

    run_consumer(invoker, policy=Policy(parked_for=2 * 3600.0), threads=1, shutdown_timeout=0.1)
    echo("poison")
    assert queue.refused.wait(PATIENCE)

    assert [echo(number).get(blocking=True, timeout=PATIENCE) for number in range(3)] == [0, 1, 2]


def test_nothing_is_claimed_when_too_much_is_set_aside_at_the_last_moment(invoker, monkeypatch):
    consumer = Consumer(invoker)
    answers, claims = iter([False, True]), []
    monkeypatch.setattr(consumer.queues[0].outbox.parked, "is_full", lambda: next(answers))
    monkeypatch.setattr(invoker.queue, "claim", lambda *arguments: claims.append(arguments) or Claim([], []))

    consumer.queues[0].fetcher._cycle()

    assert claims == []


def test_no_more_is_claimed_than_may_wait_for_a_result_store_that_is_away(monkeypatch, run_consumer, eventually):
    queue, store = MemoryQueue("bounded", space="bounded"), AwayStore()
    invoker = Invoker(queue, store, registry=CommandRegistry())

    @queue_command(invoker)
    def echo(value):
        return value

    for number in range(50):
        echo(number)
    claim_really, held = queue.claim, []

    def claim(*arguments):
        deliveries = claim_really(*arguments)
        held.append(queue.counts().running)
        return deliveries

    monkeypatch.setattr(queue, "claim", claim)
    consumer = run_consumer(
        invoker, policy=Policy(parked_outcomes=3, parked_for=0.01), threads=1, prefetch=0, max_delay=0.05
    )
    eventually(consumer.queues[0].outbox.parked.is_full)
    held_while_away = max(held)
    store.away = False
    eventually(lambda: len(store.values) == 50)

    assert held_while_away == 3


def test_what_a_worker_finishes_just_before_a_claim_does_not_wait_for_the_end_of_it(invoker, monkeypatch):
    consumer = Consumer(invoker)
    invoker.queue.write(b"message")
    [delivery] = invoker.queue.claim(1, 60.0).deliveries
    consumer.queues[0].in_flight.add([delivery])
    looks, unsettled = itertools.count(), []

    def is_full():
        if next(looks) == 1:
            # The loop has just seen that the outbox is empty.
            consumer.queues[0].outbox.add(Ack(delivery))
            consumer.queues[0].fetcher.finished_one()
        return False

    monkeypatch.setattr(consumer.queues[0].outbox.parked, "is_full", is_full)
    monkeypatch.setattr(
        invoker.queue, "claim", lambda *arguments: unsettled.append(len(consumer.queues[0].outbox)) or Claim([], [])
    )

    consumer.queues[0].fetcher._cycle()

    assert unsettled == [0]


@pytest.fixture
def consumer(invoker):
    """A consumer that does not run, and whose fetch loop never looks up of its own accord."""
    return Consumer(invoker, policy=Policy(stuck_after=2 * 3600.0), threads=1, initial_delay=0.001)


@pytest.fixture
def fetcher(consumer):
    """The fetch loop of that consumer."""
    return consumer.queues[0].fetcher


def claimed(invoker, fetcher):
    """A delivery that is in flight."""
    invoker.queue.write(b"message")
    deliveries = invoker.queue.claim(1, 60.0).deliveries
    fetcher.in_flight.add(deliveries)
    return deliveries[0]


def test_a_worker_that_finishes_while_the_pool_is_looked_at_is_not_waited_for(invoker, consumer, fetcher, monkeypatch):
    # With one worker and nothing prefetched, there is no room.
    consumer.pool.put([claimed(invoker, fetcher)], fetcher.runner)

    def room():
        # The worker finishes as soon as it was counted.
        fetcher.note_idle_worker()
        return 0

    monkeypatch.setattr(consumer.pool, "room", room)
    cycle = threading.Thread(target=fetcher._cycle, daemon=True)

    cycle.start()
    cycle.join(PATIENCE)

    assert not cycle.is_alive()


def test_the_first_claim_after_a_failed_one_does_not_wait_in_the_server(invoker, fetcher, monkeypatch):
    waits = []

    def claim(limit, lease, wait):
        waits.append(wait)
        if len(waits) == 1:
            raise ConnectionError("the cable is out")
        if len(waits) == 3:
            fetcher.stop()
        return Claim([], [])

    monkeypatch.setattr(invoker.queue, "claim", claim)

    fetcher.run()

    assert [wait > 0 for wait in waits] == [True, False, True]


def test_a_lease_counts_from_the_beginning_of_the_claim(invoker, consumer, fetcher, monkeypatch):
    claim_really, asked = invoker.queue.claim, []

    def claim(limit, lease, wait):
        asked.append(time.monotonic())
        found = claim_really(limit, lease, wait)
        while time.monotonic() <= asked[0]:
            pass
        return found

    monkeypatch.setattr(invoker.queue, "claim", claim)
    invoker.queue.write(b"message")

    fetcher._cycle()

    [delivery] = fetcher.in_flight.all()
    assert asked[0] < fetcher.in_flight.leased_until(delivery) <= asked[0] + fetcher.lease


def test_workers_settle_when_the_loop_has_ended(invoker, fetcher):
    delivery = claimed(invoker, fetcher)
    fetcher.stop()
    fetcher.run()
    fetcher.outbox.add(Ack(delivery))

    fetcher.finished_one()

    assert invoker.queue.counts().running == 0


def test_what_a_worker_cannot_settle_wakes_the_loop(invoker, fetcher, monkeypatch):
    delivery, woken = claimed(invoker, fetcher), []

    def be_away(*arguments):
        raise ConnectionError("the cable is out")

    def claim(limit, lease, wait):
        fetcher.outbox.add(Ack(delivery))
        fetcher.finished_one()
        return Claim([], [])

    monkeypatch.setattr(invoker.queue, "settle", be_away)
    monkeypatch.setattr(invoker.queue, "now", be_away)
    monkeypatch.setattr(invoker.queue, "wake", lambda: woken.append(len(fetcher.outbox)))
    monkeypatch.setattr(invoker.queue, "claim", claim)

    fetcher._cycle()

    assert woken == [1]


def test_one_line_says_how_many_messages_are_not_started_after_their_leases(invoker, fetcher, monkeypatch, caplog):
    monkeypatch.setattr(invoker.queue, "claim", lambda *arguments: Claim([], []))
    for number in range(3):
        fetcher.runner.run(Delivery(b"", str(number), "ended", 1))

    fetcher._cycle()
    fetcher._cycle()

    assert [line for line in caplog.messages if "not started" in line] == [
        "3 messages not started: the lease ended while waiting for a worker"
    ]


def test_what_is_claimed_after_the_stop_has_given_up_waiting_is_given_back():
    queue = SlowToFindNothing("late")
    invoker = Invoker(queue, registry=CommandRegistry())
    queue_command(invoker, name="command")(lambda: None)()
    # The only claim that the queue keeps waiting is one that need not wait itself.
    consumer = Consumer(invoker, policy=Policy(longest_wait=0.0), threads=1, periodic=False)
    consumer.start()
    assert queue.asked.wait(PATIENCE)
    consumer.stop(timeout=0.0)

    queue.answer.set()
    consumer.queues[0].fetcher.join(PATIENCE)

    counts = queue.counts()
    assert (counts.ready, counts.running) == (1, 0)


def test_of_many_workers_those_that_end_together_are_given_work_by_one_claim(run_consumer, monkeypatch, eventually):
    class NotesClaims(MemoryQueue):
        def claim(self, limit, lease, wait=0.0):
            limits.append(limit)
            return super().claim(limit, lease, wait)

    def let_the_second_end(seconds=None):
        gates[1].set()
        eventually(lambda: consumer.pool.room() == 2)
        return False

    invoker = Invoker(NotesClaims("many"), MemoryDataStore("results"), registry=CommandRegistry())
    gates, limits = [threading.Event() for _ in range(32)], []

    @queue_command(invoker)
    def wait(number):
        return gates[number].wait(PATIENCE)

    invoker.enqueue_many([wait.command(number) for number in range(32)])
    consumer = run_consumer(invoker, policy=Policy(stuck_after=2 * 3600.0), workers=32, prefetch=0)
    eventually(lambda: len(consumer.pool.running()) == 32)
    limits.clear()
    monkeypatch.setattr(consumer.queues[0].fetcher._stopping, "wait", let_the_second_end)
    gates[0].set()
    eventually(lambda: limits)
    monkeypatch.undo()
    for gate in gates:
        gate.set()

    assert limits[0] == 2
