"""The fetch loop waits for workers only while there is something that they have yet to do."""

from __future__ import annotations

import threading

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import Consumer, fetcher
from huey_memory import MemoryDataStore, MemoryQueue

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
    monkeypatch.setattr(fetcher, "STUCK_AFTER", 2 * 3600.0)
    invoker = Invoker(queue, MemoryDataStore("results"), registry=CommandRegistry())

    @queue_command(invoker)
    def let_the_next_be_held_ahead():
        return queue.asked.wait(PATIENCE)

    @queue_command(invoker)
    def add(a, b):
        return a + b

    first, held_ahead = let_the_next_be_held_ahead(), add(1, 2)
    consumer = Consumer(invoker, threads=1, periodic=False)
    monkeypatch.setattr(consumer.claim_ahead, "target", lambda busy_for: 10)
    with consumer.running():
        assert first.get(blocking=True, timeout=PATIENCE)
        assert held_ahead.get(blocking=True, timeout=PATIENCE) == 3
        queue.answer.set()
        assert queue.answered.wait(PATIENCE)

        assert add(3, 4).get(blocking=True, timeout=PATIENCE) == 7
