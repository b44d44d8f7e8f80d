"""How a message that may kill its consumer is kept away from others."""

from __future__ import annotations

import pytest

from huey_core import queue_command
from huey_core.backends.messages import Delivery
from huey_core.consumer import Consumer
from huey_core.consumer.in_flight import InFlight
from huey_core.consumer.poison import PoisonIsolation, QueuesTogether
from huey_core.consumer.policy import POLICY, Policy
from wire import pack


@pytest.fixture
def held():
    return InFlight()


def deliveries(*attempts):
    return [Delivery(b"", f"message {number}", "receipt", attempt) for number, attempt in enumerate(attempts)]


def test_only_one_message_on_its_last_delivery_is_kept_and_no_other_that_was_redelivered(held):
    fresh, suspect, other, redelivered, also_fresh = claimed = deliveries(1, 3, 3, 2, 1)

    kept, given_back = PoisonIsolation(3, held, policy=POLICY).divide(claimed)

    assert kept == [fresh, suspect, also_fresh]
    assert given_back == [other, redelivered]


def test_messages_before_their_last_delivery_are_held_together(held):
    claimed = deliveries(1, 2, 2)

    assert PoisonIsolation(3, held, policy=POLICY).divide(claimed) == (claimed, [])


@pytest.fixture
def poison(held, clock):
    """One that has let a message on its last delivery through, which is held."""
    poison = PoisonIsolation(3, held, patience=60.0, clock=clock, policy=POLICY)
    [claimed] = deliveries(3)
    held.add([claimed])
    poison.divide([claimed])
    return poison


def test_nothing_is_claimed_beside_a_message_on_its_last_delivery_for_a_moment(poison, clock):
    assert poison.limit(8) == 0

    clock.advance(1.1)

    assert poison.limit(8) == 8


def test_what_was_never_delivered_may_join_a_long_command_on_its_last_delivery_and_nothing_else(poison, clock):
    clock.advance(30.0)
    _, fresh, redelivered = claimed = deliveries(3, 1, 2)

    kept, given_back = poison.divide(claimed[1:])

    assert (kept, given_back) == ([fresh], [redelivered])


def test_what_may_not_join_is_not_claimed_again_at_once(poison, clock):
    clock.advance(30.0)
    poison.divide(deliveries(2))

    assert poison.limit(8) == 0
    clock.advance(1.1)
    assert poison.limit(8) == 8


def test_messages_are_claimed_singly_until_one_comes_that_is_not_on_its_last_delivery(poison, held):
    held.discard(held.all()[0])
    assert poison.limit(8) == 1

    poison.divide(deliveries(1))

    assert poison.limit(8) == 8


def test_a_claim_is_not_enlarged_when_there_is_no_room(poison, held):
    held.discard(held.all()[0])

    assert poison.limit(-3) == -3


def test_a_command_that_has_run_is_not_waited_for_until_its_outcome_is_written(poison, held):
    poison.has_run(held.all()[0])

    assert poison.limit(8) == 1


def test_a_long_command_on_its_last_delivery_does_not_keep_the_others_waiting_for_ever(poison, clock):
    clock.advance(61.0)
    claimed = deliveries(2, 2)

    assert poison.limit(8) == 1
    assert poison.divide(claimed) == (claimed, [])


def test_what_is_not_run_here_is_neither_taken_for_guilty_nor_set_apart(held):
    claimed = deliveries(3, 3, 2, 1)
    poison = PoisonIsolation(3, held, may_kill=lambda delivery: delivery is not claimed[0], policy=POLICY)

    assert poison.divide(claimed[:1]) == (claimed[:1], [])
    assert poison.divide(claimed) == ([claimed[0], claimed[1], claimed[3]], [claimed[2]])


def test_nothing_is_set_apart_when_every_delivery_is_the_last(held):
    poison = PoisonIsolation(1, held, policy=POLICY)
    claimed = deliveries(1, 1)
    held.add(claimed)

    assert poison.divide(claimed) == (claimed, [])
    assert poison.limit(8) == 8


def test_what_must_wait_has_been_given_back_before_the_last_delivery_can_start(invoker, monkeypatch):
    @queue_command(invoker)
    def suspicious():
        return True

    queue = invoker.queue
    results = [suspicious() for _ in range(4)]
    for _ in range(queue.max_deliveries - 1):
        assert len(queue.claim(4, 0.001, wait=5.0).deliveries) == 4
    consumer = Consumer(invoker, policy=Policy(alone=3600.0), threads=4, periodic=False)
    running = []
    put_really = consumer.pool.put

    def put(deliveries, runner):
        running.append(queue.counts().running)
        put_really(deliveries, runner)

    monkeypatch.setattr(consumer.pool, "put", put)

    with consumer.running():
        assert [result.get(blocking=True, timeout=30) for result in results] == [True] * 4

    assert running == [1, 1, 1, 1]


def test_many_on_their_last_delivery_are_not_claimed_and_given_back_again_and_again(invoker, run_consumer):
    @queue_command(invoker)
    def suspicious():
        return True

    queue = invoker.queue
    results = [suspicious() for _ in range(50)]
    for _ in range(queue.max_deliveries - 1):
        assert len(queue.claim(50, 0.001, wait=5.0).deliveries) == 50

    # However long a busy machine makes each of them run.
    consumer = run_consumer(invoker, policy=Policy(alone=3600.0), threads=8)

    assert [result.get(blocking=True, timeout=30) for result in results] == [True] * 50
    assert consumer.stats.released < 8


@pytest.mark.parametrize("data", [b"garbage", pack({"id": "1", "cmd": "unknown", "ser": "json"}, b"")])
def test_a_message_that_is_not_run_here_cannot_be_the_guilty_one(invoker, data):
    consumer = Consumer(invoker)

    [delivery] = claimed = [Delivery(data, "1", "receipt", invoker.queue.max_deliveries)]

    assert consumer.queues[0].poison.divide(claimed) == ([delivery], [])
    assert consumer.queues[0].poison.limit(8) == 8


def test_a_message_in_a_serializer_that_is_not_accepted_cannot_be_the_guilty_one(invoker):
    @queue_command(invoker, name="known")
    def known():
        """Never run."""

    claimed = [Delivery(pack({"id": "1", "cmd": "known", "ser": "pickle"}, b""), "1", "receipt", 5)]
    consumer = Consumer(invoker)

    assert consumer.queues[0].poison.divide(claimed) == (claimed, [])
    assert consumer.queues[0].poison.limit(8) == 8


class TestSeveralQueues:
    @pytest.fixture
    def other(self, held, clock):
        """The isolation of another queue, whose consumer has a message on its last delivery in flight here."""
        together = QueuesTogether()
        here, other = (
            PoisonIsolation(3, in_flight, clock=clock, policy=POLICY, together=together)
            for in_flight in (held, InFlight())
        )
        [suspect] = deliveries(3)
        held.add([suspect])
        here.divide([suspect])
        return other

    def test_what_was_redelivered_from_another_queue_is_not_beside_it(self, other):
        fresh, redelivered, last = claimed = deliveries(1, 2, 3)

        assert other.divide(claimed) == ([fresh], [redelivered, last])

    def test_the_other_queue_is_claimed_from_all_the_same_until_it_brings_what_may_not_join(self, other, clock):
        before = other.limit(8)
        other.divide(deliveries(2))
        after = other.limit(8)
        clock.advance(1.1)

        assert (before, after, other.limit(8)) == (8, 0, 8)

    def test_one_of_the_other_queue_has_its_turn_when_that_is_over(self, other, held):
        held.discard(held.all()[0])
        [last] = claimed = deliveries(3)

        assert other.divide(claimed) == ([last], [])
