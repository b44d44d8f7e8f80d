"""No thread of a consumer dies unnoticed, whatever is raised in it."""

from __future__ import annotations

import logging
import threading

import pytest

from huey_core import CommandRegistry, Invoker, hookimpl
from huey_core.consumer import Consumer, supervision
from huey_core.consumer.lease_renewal import LeaseRenewal
from huey_core.consumer.policy import POLICY, Policy
from huey_core.consumer.supervision import Service, run_supervised
from huey_memory import MemoryDataStore, MemoryQueue

PATIENCE = 30.0
AT_ONCE = Policy(restart_after=0.001)


class FailsOnce:
    """Calls a function, but raises ``SystemExit`` the first time."""

    def __init__(self, function=lambda: None):
        self.function = function
        self.calls = 0

    def __call__(self, *arguments, **named):
        self.calls += 1
        if self.calls == 1:
            raise SystemExit
        return self.function(*arguments, **named)


@pytest.fixture
def invoker(request):
    space = request.node.name
    return Invoker(MemoryQueue("q", space=space), MemoryDataStore("q", space=space), registry=CommandRegistry())


def test_a_loop_that_raises_is_begun_again_after_a_pause_and_the_log_says_so(caplog):
    pauses = []
    loop = FailsOnce()

    run_supervised(loop, "the loop", 60.0, pauses.append)

    assert (loop.calls, pauses) == (2, [60.0])
    # A thread that another test has left behind may log, too.
    ours = [record.levelname for record in caplog.records if record.getMessage() == "the loop crashed, restarting"]
    assert ours == ["CRITICAL"]
    assert "SystemExit" in caplog.text


def test_a_loop_is_begun_again_though_its_failure_cannot_be_logged(monkeypatch):
    loop = FailsOnce()
    monkeypatch.setattr(logging.getLogger(supervision.__name__), "handle", FailsOnce())

    # Where the loops of a consumer run: in the main thread, an exit may be what a signal asks for.
    thread = threading.Thread(target=run_supervised, args=(loop, "the loop", 0.0))
    thread.start()
    thread.join()

    assert loop.calls == 2


def test_a_loop_that_returns_is_over():
    loop = FailsOnce()
    loop.calls = 1

    run_supervised(loop, "the loop", 60.0)

    assert loop.calls == 2


def test_a_service_that_raises_when_told_to_stop_is_not_begun_again():
    class Failing(Service):
        calls = 0

        def _work(self):
            self.calls += 1
            raise SystemExit

    service = Failing("failing", "the failing loop", POLICY)
    service.stop()
    service.start()

    service.join(PATIENCE)
    assert not service.is_alive()
    assert service.calls == 1


def test_the_fetch_loop_goes_on_after_anything(invoker, add, run_consumer, monkeypatch):
    monkeypatch.setattr(invoker.queue, "claim", FailsOnce(invoker.queue.claim))
    run_consumer(invoker, policy=AT_ONCE)

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_what_was_claimed_when_the_fetch_loop_failed_is_given_back_and_runs(invoker, add, run_consumer, monkeypatch):
    consumer = run_consumer(invoker, policy=AT_ONCE)
    monkeypatch.setattr(consumer.queues[0].poison, "divide", FailsOnce(consumer.queues[0].poison.divide))

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_a_worker_goes_on_after_anything(invoker, add, run_consumer, monkeypatch):
    consumer = run_consumer(invoker, policy=AT_ONCE, threads=1)
    monkeypatch.setattr(consumer.queues[0].prefetch, "observe", FailsOnce(consumer.queues[0].prefetch.observe))

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3
    assert add(3, 4).get(blocking=True, timeout=PATIENCE) == 7


def test_a_worker_begins_though_a_plugin_is_interrupted_when_it_is_told(invoker, add, run_consumer):
    class Interrupted:
        @hookimpl
        def huey_worker_start(self):
            raise KeyboardInterrupt

    invoker.plugins.register(Interrupted())
    run_consumer(invoker, policy=AT_ONCE, threads=1)

    assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_what_a_worker_cannot_hand_on_is_not_held_any_longer(invoker, add, run_consumer, eventually, monkeypatch):
    consumer = run_consumer(invoker, policy=AT_ONCE, threads=1)
    monkeypatch.setattr(consumer.queues[0].outbox, "add", FailsOnce(consumer.queues[0].outbox.add))

    add(1, 2)

    eventually(lambda: consumer.stats.claimed == 1 and not len(consumer.queues[0].in_flight))
    eventually(lambda: consumer.snapshot().running == {})


def test_the_heart_goes_on_beating_after_anything(invoker, run_consumer, eventually, monkeypatch):
    monkeypatch.setattr(Consumer, "send_heartbeat", sent := FailsOnce(lambda: None))
    run_consumer(invoker, heartbeat=0.1)

    eventually(lambda: sent.calls > 1)


def test_leases_are_renewed_after_anything(invoker, run_consumer, eventually, monkeypatch):
    monkeypatch.setattr(LeaseRenewal, "renew", renewed := FailsOnce(lambda: None))
    run_consumer(invoker, lease=1.0)

    eventually(lambda: renewed.calls > 1)


class Idle(Service):
    """Comes round after a while, as a test says, until told to stop."""

    def __init__(self, policy):
        super().__init__("idle", "the idle loop", policy)
        self.going_on, self.waits = threading.Event(), threading.Event()

    def _work(self):
        self._comes_round_within(0.0)
        self.waits.set()
        self.going_on.wait(PATIENCE)
        self._rest(PATIENCE)


def test_a_loop_that_does_not_come_round_in_time_is_stuck_until_it_does(eventually):
    service = Idle(Policy(stuck_for=0.05))
    service.start()
    service.waits.wait(PATIENCE)

    eventually(lambda: (service.problem() or "").startswith("the idle loop has been stuck for "))
    service.going_on.set()
    eventually(lambda: service.problem() is None)
    service.stop()


def test_a_service_that_has_not_been_told_to_end_and_has_is_a_problem():
    class Short(Service):
        def _work(self):
            pass

    service = Short("short", "the short loop", POLICY)
    service.start()
    service.join(PATIENCE)

    assert service.problem() == "the short loop has ended"


def test_a_service_that_ends_as_it_was_told_is_none():
    service = Idle(POLICY)
    service.going_on.set()
    service.start()
    service.stop()
    service.join(PATIENCE)

    assert service.problem() is None
