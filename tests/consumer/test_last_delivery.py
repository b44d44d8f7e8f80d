"""How a message that may kill its consumer is kept away from others."""

from __future__ import annotations

import pytest

from huey_core import queue_command
from huey_core.backends.leased import Delivery
from huey_core.consumer import Consumer
from huey_core.consumer.held import HeldDeliveries
from huey_core.consumer.last_delivery import LastDelivery


@pytest.fixture
def held():
    return HeldDeliveries()


def deliveries(*attempts):
    return [Delivery(b"", f"message {number}", "receipt", attempt) for number, attempt in enumerate(attempts)]


def test_only_one_message_on_its_last_delivery_is_kept_and_no_other_that_was_redelivered(held):
    fresh, suspect, other, redelivered, also_fresh = claimed = deliveries(1, 3, 3, 2, 1)

    kept, apart = LastDelivery(3, held).divide(claimed)

    assert kept == [fresh, suspect, also_fresh]
    assert apart == [other, redelivered]


def test_messages_before_their_last_delivery_are_held_together(held):
    claimed = deliveries(1, 2, 2)

    assert LastDelivery(3, held).divide(claimed) == (claimed, [])


def test_a_message_on_its_last_delivery_is_known_for_as_long_as_it_is_held(held):
    last_delivery = LastDelivery(3, held)
    [claimed] = deliveries(3)
    held.add([claimed])
    last_delivery.divide([claimed])
    assert last_delivery.is_held()

    held.discard(claimed)

    assert not last_delivery.is_held()


def test_a_long_command_on_its_last_delivery_does_not_idle_the_other_workers_for_ever(held):
    now = 0.0
    last_delivery = LastDelivery(3, held, patience=60.0, clock=lambda: now)
    [claimed] = deliveries(3)
    held.add([claimed])
    last_delivery.divide([claimed])

    now = 61.0

    assert not last_delivery.is_held()


def test_nothing_is_set_apart_when_every_delivery_is_the_last(held):
    last_delivery = LastDelivery(1, held)
    claimed = deliveries(1, 1)
    held.add(claimed)

    assert last_delivery.divide(claimed) == (claimed, [])
    assert not last_delivery.is_held()


def test_what_must_wait_has_been_given_back_before_the_last_delivery_can_start(invoker, monkeypatch):
    @queue_command(invoker)
    def suspicious():
        return True

    queue = invoker.queue
    results = [suspicious() for _ in range(4)]
    for _ in range(queue.max_deliveries - 1):
        assert len(queue.claim(4, 0.001, wait=5.0)) == 4
    consumer = Consumer(invoker, threads=4, periodic=False)
    running = []
    put_really = consumer.buffer.put

    def put(deliveries):
        running.append(queue.counts().running)
        put_really(deliveries)

    monkeypatch.setattr(consumer.buffer, "put", put)

    with consumer.running():
        assert [result.get(blocking=True, timeout=10) for result in results] == [True] * 4

    assert running == [1, 1, 1, 1]
