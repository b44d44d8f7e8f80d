"""What waits in the process for an idle worker."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

from huey_core.backends.messages import Delivery
from huey_core.consumer.pools import ThreadPool, thread
from huey_core.workers import PoolSettings

PATIENCE = 30.0


RUNNER: Any = object()
"""Runs the deliveries of one queue."""


class TakenMeanwhile(SimpleQueue):
    """A queue from which a worker takes the last delivery just after somebody has looked whether there is one."""

    def empty(self):
        is_empty = super().empty()
        if not is_empty:
            self.get()
        return is_empty


def make_pool() -> ThreadPool:
    """A pool of two workers, that are not started."""
    return ThreadPool(PoolSettings(size=2, on_start=lambda worker: None, on_stop=lambda worker: None))


def test_everything_is_drained_in_order_without_the_words_to_end():
    pool = make_pool()
    deliveries = [Delivery(b"", str(number), "receipt", 1) for number in range(3)]
    pool.put(deliveries, RUNNER)
    pool.stop()

    assert pool.drain() == [(delivery, RUNNER) for delivery in deliveries]
    assert (pool.waiting(), pool.room()) == (0, pool.size)


def test_draining_does_not_wait_for_what_a_worker_has_taken_meanwhile(monkeypatch):
    monkeypatch.setattr(thread, "SimpleQueue", TakenMeanwhile)
    pool = make_pool()
    pool.put([Delivery(b"", "message", "receipt", 1)], RUNNER)
    draining = threading.Thread(target=pool.drain, daemon=True)

    draining.start()
    draining.join(PATIENCE)

    assert not draining.is_alive()
