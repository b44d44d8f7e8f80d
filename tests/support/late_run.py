"""A run that ends after its lease, when another has stored its result in a store that is not the queue's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from huey_core import CommandRegistry, Invoker
from huey_core.backends.outcomes import Ack, ResultWrite
from huey_core.consumer import Consumer

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import Delivery

__all__ = ["add_result", "claim_anew", "idle_consumer", "result_after_a_late_run"]

PATIENCE = 20.0


def idle_consumer(queue: LeasedQueue, store: BaseDataStore) -> Consumer:
    """A consumer that does not run: the test claims and settles in its place."""
    return Consumer(Invoker(queue, store, registry=CommandRegistry()), lease=600.0)


def claim_anew(consumer: Consumer, lease: float = 600.0) -> Delivery:
    """Claim the one message of a consumer's queue, when the lease that is on it has ended."""
    deadline = time.monotonic() + PATIENCE
    while not (deliveries := consumer.queues[0].source.claim(1, lease).deliveries):
        assert time.monotonic() < deadline, "the message does not come back"
        time.sleep(0.005)
    consumer.queues[0].in_flight.add(deliveries)
    return deliveries[0]


def add_result(consumer: Consumer, delivery: Delivery, value: bytes) -> None:
    """Have a delivery acked, with a result."""
    consumer.queues[0].outbox.add(Ack(delivery, ResultWrite(consumer.invoker.results, delivery.message_id, value)))


def result_after_a_late_run(queue: LeasedQueue, store: BaseDataStore) -> bytes | EmptyDataType:
    """Run a message twice, and return the result that is left when the run that lost its lease ends last."""
    assert not queue.settles_into(store)
    late, good = idle_consumer(queue, store), idle_consumer(queue, store)
    queue.write(b"message")
    lost = claim_anew(late, lease=0.01)
    delivery = claim_anew(good)
    add_result(good, delivery, b"good")
    good.queues[0].outbox.flush()

    add_result(late, lost, b"late")
    late.queues[0].outbox.flush()

    assert (good.stats.done, good.stats.lost, late.stats.done, late.stats.lost) == (1, 0, 0, 1)
    return store.peek(delivery.message_id)
