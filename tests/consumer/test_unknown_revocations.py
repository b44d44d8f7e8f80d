"""What becomes of commands while the task store cannot say whether they were revoked."""

from __future__ import annotations

import pytest

from huey_core import Invoker, queue_command
from huey_memory import MemoryDataStore, MemoryQueue


class FlakyStore(MemoryDataStore):
    """Cannot be read while ``down``."""

    down = True

    def peek(self, key):
        if self.down:
            raise ConnectionError("the store is out of reach")
        return super().peek(key)

    def peek_many(self, keys):
        return [self.peek(key) for key in keys]


@pytest.fixture
def store(request):
    return FlakyStore("q.state", space=request.node.name)


@pytest.fixture
def invoker(request, store):
    space = request.node.name
    return Invoker(MemoryQueue("q", space=space), MemoryDataStore("q", space=space), store)


def test_a_command_waits_until_it_is_known_that_it_may_run(invoker, store, run_consumer, eventually, caplog):
    @queue_command(invoker)
    def add(a, b):
        return a + b

    run_consumer(invoker, initial_delay=0.01)
    result = add(1, 2)
    eventually(lambda: "out of reach" in caplog.text)
    assert result.get() is None

    store.down = False

    assert result.get(blocking=True, timeout=30) == 3
    assert invoker.queue.counts().dead == 0


def test_the_outage_is_logged_once(invoker, store, run_consumer, eventually, caplog):
    @queue_command(invoker)
    def add(a, b):
        return a + b

    consumer = run_consumer(invoker, initial_delay=0.001)
    add(1, 2)

    eventually(lambda: consumer.stats.claimed > 3)

    assert caplog.text.count("cannot be used") == 1


def test_a_revocation_that_cannot_be_read_holds_up_its_own_command_only(invoker, store, run_consumer, eventually):
    @queue_command(invoker, name="tests.held")
    def held():
        return "ran"

    @queue_command(invoker, name="tests.free")
    def free():
        return "ran"

    store.down = False
    store.put("revoked-commands", b'{"tests.held": "in a way of next year"}')
    run_consumer(invoker, unreadable_delay=3600.0)

    waiting = held()
    assert free().get(blocking=True, timeout=30) == "ran"
    eventually(lambda: invoker.queue.counts().scheduled == 1)
    assert waiting.get() is None
