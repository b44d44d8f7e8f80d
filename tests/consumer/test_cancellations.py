"""Commands that run and are cancelled."""

from __future__ import annotations

import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, current_command, hookimpl, queue_command
from huey_core.backends import Capability
from huey_core.consumer.policy import Policy
from huey_core.consumer.prefetch import Prefetch
from huey_core.exceptions import CommandCancelled, CommandInterrupted, CommandRevoked
from huey_core.features.revocation import Revocations
from huey_memory import MemoryDataStore, MemoryQueue

PATIENCE = 10.0

QUICKLY = Policy(long_run=0.01)


class Ends:
    """Notes how commands end."""

    def __init__(self):
        self.ends = []

    @hookimpl
    def huey_command_cancelled(self, command):
        self.ends.append("cancelled")

    @hookimpl
    def huey_command_failed(self, command):
        self.ends.append("failed")


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def looping_on():
    """Make a command of an invoker that runs until it is interrupted."""

    def make(invoker):
        @queue_command(invoker, retries=3)
        def loop():
            loop.began.release()
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                pass

        loop.began = threading.Semaphore(0)
        return loop

    return make


def test_a_command_that_runs_is_cancelled(make_invoker, ends, looping_on, run_consumer):
    invoker = make_invoker(plugins=[ends])
    loop = looping_on(invoker)
    run_consumer(invoker, threads=2, policy=QUICKLY)
    call, neighbour = loop(), loop()
    assert loop.began.acquire(timeout=PATIENCE)
    assert loop.began.acquire(timeout=PATIENCE)

    call.revoke(terminate=True)

    with pytest.raises(CommandCancelled, match=f"{call.task_id} was cancelled while it ran"):
        call.get(blocking=True, timeout=PATIENCE)
    assert ends.ends == ["cancelled"]
    counts = invoker.queue.counts()
    assert (counts.running, counts.dead, counts.scheduled) == (1, 0, 0)
    neighbour.revoke(terminate=True)
    with pytest.raises(CommandCancelled):
        neighbour.get(blocking=True, timeout=PATIENCE)


def test_a_command_may_clean_up(invoker, run_consumer):
    began, cleaned = threading.Event(), []

    @queue_command(invoker)
    def careful():
        try:
            began.set()
            while True:
                pass
        except CommandInterrupted:
            cleaned.append(current_command().cancelled)
            raise

    run_consumer(invoker, threads=1, policy=QUICKLY)
    call = careful()
    assert began.wait(PATIENCE)

    call.revoke(terminate=True)

    with pytest.raises(CommandCancelled):
        call.get(blocking=True, timeout=PATIENCE)
    assert cleaned == [True]


def test_a_command_that_does_not_run_yet_is_dropped(invoker, looping_on, run_consumer):
    loop = looping_on(invoker)
    call = loop()

    call.revoke(terminate=True)
    run_consumer(invoker, threads=1, policy=QUICKLY)

    with pytest.raises(CommandRevoked):
        call.get(blocking=True, timeout=PATIENCE)


def test_a_command_that_waits_in_its_consumer_does_not_run_to_its_end(
    invoker, looping_on, run_consumer, eventually, monkeypatch
):
    monkeypatch.setattr(Prefetch, "target", lambda *_: 10)
    loop = looping_on(invoker)
    first, waiting = loop(), loop()
    consumer = run_consumer(invoker, threads=1, policy=Policy(long_run=0.01, stuck_after=3600.0))
    eventually(lambda: len(consumer.queues[0].in_flight) == 2)

    waiting.revoke(terminate=True)
    first.revoke(terminate=True)

    with pytest.raises((CommandCancelled, CommandRevoked)):
        waiting.get(blocking=True, timeout=PATIENCE)


def test_what_cannot_be_interrupted_goes_on_and_that_is_logged(invoker, run_consumer, eventually, caplog):
    began, release = threading.Event(), threading.Event()

    @queue_command(invoker)
    def stubborn():
        began.set()
        return release.wait(PATIENCE)

    consumer = run_consumer(invoker, threads=1, policy=QUICKLY)
    consumer.pool.cancel = lambda run, error: False
    call = stubborn()
    assert began.wait(PATIENCE)

    call.revoke(terminate=True)

    eventually(lambda: f"message {call.task_id} was cancelled and cannot be interrupted here" in caplog.text)
    release.set()
    assert call.get(blocking=True, timeout=PATIENCE) is True


class Counting(MemoryDataStore):
    """Counts how often it is looked whether anything was cancelled."""

    looks = 0

    def peek(self, key):
        self.looks += key == "cancelled-calls"
        return super().peek(key)


class Silent(Counting):
    """Does not tell of changes."""

    capabilities = MemoryDataStore.capabilities - {Capability.NOTIFY}


class Flaky(Counting):
    """Fails a few times when it is looked into."""

    failures = 3

    def peek_many(self, keys):
        if self.failures and keys[0].startswith("revoked-call:"):
            self.failures -= 1
            raise ConnectionError("not now")
        return super().peek_many(keys)


@pytest.mark.parametrize("store_class", [Silent, Flaky])
def test_it_is_cancelled_by_the_next_renewal_of_leases_whatever_the_store_does(
    store_class, looping_on, run_consumer, eventually
):
    store = store_class(f"state-{store_class.__name__}")
    invoker = Invoker(MemoryQueue("q"), MemoryDataStore("q"), store, registry=CommandRegistry())
    loop = looping_on(invoker)
    run_consumer(invoker, threads=1, lease=1.0, policy=QUICKLY, initial_delay=0.001)
    call = loop()
    assert loop.began.acquire(timeout=PATIENCE)
    eventually(lambda: store.looks)

    call.revoke(terminate=True)

    with pytest.raises(CommandCancelled):
        call.get(blocking=True, timeout=PATIENCE)


def test_a_consumer_of_quick_commands_does_not_look(invoker, run_consumer, monkeypatch):
    looks = []
    monkeypatch.setattr(Revocations, "last_cancellation", lambda self: looks.append(1))

    @queue_command(invoker)
    def quick():
        return "done"

    consumer = run_consumer(invoker, threads=1, policy=Policy(long_run=0.3))
    for _ in range(20):
        assert quick().get(blocking=True, timeout=PATIENCE) == "done"
    consumer.stop()

    assert not looks
