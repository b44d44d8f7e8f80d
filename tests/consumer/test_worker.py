"""What waits in the process for an idle worker."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from huey_core.backends.leased import Delivery
from huey_core.consumer.worker import WorkBuffer

PATIENCE = 30.0


class TakenMeanwhile(SimpleQueue):
    """A queue from which a worker takes the last delivery just after somebody has looked whether there is one."""

    def empty(self):
        is_empty = super().empty()
        if not is_empty:
            self.get()
        return is_empty


def test_everything_is_drained_in_order_without_the_words_to_end():
    buffer = WorkBuffer()
    deliveries = [Delivery(b"", str(number), "receipt", 1) for number in range(3)]
    buffer.put(deliveries)
    buffer.end_workers(2)

    assert buffer.drain() == deliveries
    assert len(buffer) == 0


def test_draining_does_not_wait_for_what_a_worker_has_taken_meanwhile():
    buffer = WorkBuffer()
    buffer._queue = TakenMeanwhile()
    buffer.put([Delivery(b"", "message", "receipt", 1)])
    draining = threading.Thread(target=buffer.drain, daemon=True)

    draining.start()
    draining.join(PATIENCE)

    assert not draining.is_alive()
