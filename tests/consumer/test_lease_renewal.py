from __future__ import annotations

import threading

from huey_core import CommandRegistry, Invoker, current_command, hookimpl, queue_command
from huey_core.exceptions import DeliveryLost
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

PATIENCE = 30.0


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

    @hookimpl
    def huey_command_succeeded(self, command):
        self.ends.append("succeeded")


def test_a_lost_lease_is_noticed_and_the_outcome_changes_nothing(invoker, run_consumer, eventually, caplog):
    started, release = threading.Event(), threading.Event()

    @queue_command(invoker)
    def slow():
        started.set()
        release.wait(PATIENCE)
        return "late"

    consumer = run_consumer(invoker, threads=1)
    result = slow()
    assert started.wait(PATIENCE)
    invoker.queue.delete([result.task_id])
    consumer.queues[0].lease_renewal.renew()
    release.set()
    eventually(lambda: not consumer.snapshot().running)

    assert consumer.stats.lost == 1
    assert result.get() is None
    [line] = [record for record in caplog.records if "lease" in record.msg]
    assert (line.command, line.task_id) == (slow.command_class.command_name, result.task_id)


def test_a_command_whose_lease_was_lost_is_stopped_and_nobody_is_told_of_an_end(make_invoker, run_consumer, eventually):
    hooks = Ends()
    invoker = make_invoker(plugins=[hooks])
    started, stopped = threading.Event(), []

    @queue_command(invoker)
    def loop():
        started.set()
        try:
            while True:
                pass
        except DeliveryLost:
            stopped.append(current_command().cancelled)
            raise

    consumer = run_consumer(invoker, threads=1)
    result = loop()
    assert started.wait(PATIENCE)
    invoker.queue.delete([result.task_id])
    consumer.queues[0].lease_renewal.renew()
    eventually(lambda: not consumer.snapshot().running)

    assert stopped == [True]
    assert not hooks.ends
    assert result.get() is None


def test_a_running_command_keeps_its_lease(run_consumer, eventually, pass_two_leases):
    clock = ManualClock()
    invoker = Invoker(MemoryQueue("q", clock=clock), MemoryDataStore("q", clock=clock), registry=CommandRegistry())
    runs, release = [], threading.Event()

    @queue_command(invoker)
    def slow():
        runs.append(1)
        release.wait(PATIENCE)
        return "once"

    consumer = run_consumer(invoker, threads=2, lease=1.0)
    result = slow()
    eventually(lambda: runs)
    pass_two_leases(consumer, clock)
    release.set()

    assert result.get(blocking=True, timeout=PATIENCE) == "once"
    assert len(runs) == 1
