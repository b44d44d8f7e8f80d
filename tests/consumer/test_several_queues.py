"""A consumer of several queues: one pool, whose room they share."""

from __future__ import annotations

import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, PeriodicQueueCommand, QueueCommand
from huey_core.consumer import Consumer, consumers_alive
from huey_core.consumer.policy import Policy
from huey_core.exceptions import CommandRevoked, ConfigurationError
from huey_core.features.revocation import Revocation

PATIENCE = 30.0


@pytest.fixture
def invoker(request):
    invoker = Invoker.from_url(f"memory://{request.node.name}/?queue=main", registry=CommandRegistry())
    yield invoker
    invoker.close()


@pytest.fixture
def ran():
    """What has run, in order."""
    return []


@pytest.fixture
def note(invoker, ran):
    """A class of commands that note what they are given."""

    class Note(QueueCommand, declare=False):
        def execute(self):
            ran.append(self.data)
            return self.data

    invoker.registry.register(Note)
    return Note


def test_the_queues_that_are_named_are_served_and_no_other(invoker, note, run_consumer):
    handles = [invoker.on_queue(name).enqueue(note(name)) for name in ("mail", "reports")]
    invoker.enqueue(note("main"))

    run_consumer(invoker, serve_queues=["mail", "reports"])

    assert [handle.get(blocking=True, timeout=PATIENCE) for handle in handles] == ["mail", "reports"]
    assert invoker.queue.counts().ready == 1


def test_one_queue_other_than_the_invokers_may_be_served(invoker, note, run_consumer):
    handle = invoker.on_queue("mail").enqueue(note("mail"))

    consumer = run_consumer(invoker, serve_queues=["mail"])

    assert handle.get(blocking=True, timeout=PATIENCE) == "mail"
    assert consumer.invoker is invoker.on_queue("mail")


def test_in_strict_order_a_queue_waits_for_the_end_of_those_before_it(invoker, note, ran, run_consumer):
    urgent, other = invoker.on_queue("urgent"), invoker.on_queue("other")
    handles = other.enqueue_many(note("other") for _ in range(20))
    urgent.enqueue_many(note("urgent") for _ in range(300))

    run_consumer(invoker, serve_queues=["urgent", "other"], workers=1, policy=Policy(answers_within=3600.0))

    for handle in handles:
        handle.get(blocking=True, timeout=PATIENCE)
    assert ran == ["urgent"] * 300 + ["other"] * 20


def test_by_weight_slow_commands_of_one_queue_leave_workers_to_another(invoker, note, run_consumer):
    going_on, started = threading.Event(), threading.Semaphore(0)

    class Slow(QueueCommand, declare=False):
        def execute(self):
            started.release()
            going_on.wait(PATIENCE)

    invoker.registry.register(Slow)
    invoker.on_queue("slow").enqueue_many(Slow() for _ in range(20))
    quick = invoker.on_queue("quick").enqueue_many(note(number) for number in range(500))

    consumer = run_consumer(invoker, serve_queues={"slow": 1, "quick": 1}, workers=4)

    assert [handle.get(blocking=True, timeout=PATIENCE) for handle in quick] == list(range(500))
    assert started.acquire(timeout=PATIENCE)
    assert consumer.snapshot().running
    going_on.set()


def test_a_message_is_not_held_behind_slow_commands_of_another_queue(invoker, note, run_consumer, eventually):
    going_on, started = threading.Event(), threading.Event()

    class Slow(QueueCommand, declare=False):
        def execute(self):
            started.set()
            going_on.wait(PATIENCE)

    invoker.registry.register(Slow)
    slow, quick = invoker.on_queue("slow"), invoker.on_queue("quick")
    consumer = run_consumer(invoker, serve_queues={"slow": 1, "quick": 1}, workers=1)
    slow.enqueue(Slow())
    assert started.wait(PATIENCE)

    handle = quick.enqueue(note("quick"))

    # It is there for another consumer.
    eventually(lambda: consumer.stats.released == 1)
    assert quick.queue.counts().ready == 1
    going_on.set()
    assert handle.get(blocking=True, timeout=PATIENCE) == "quick"


def test_a_paused_queue_does_not_stop_the_others(invoker, note, run_consumer):
    mail, reports = invoker.on_queue("mail"), invoker.on_queue("reports")
    mail.queue.pause()
    mail.enqueue(note("mail"))
    run_consumer(invoker, serve_queues=["mail", "reports"])

    assert reports.enqueue(note("reports")).get(blocking=True, timeout=PATIENCE) == "reports"
    assert mail.queue.counts().ready == 1


def test_a_queue_whose_server_is_away_does_not_stop_the_others(invoker, note, run_consumer, monkeypatch):
    mail, reports = invoker.on_queue("mail"), invoker.on_queue("reports")

    def be_away(*arguments):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(mail.queue, "claim", be_away)
    run_consumer(invoker, serve_queues=["mail", "reports"])

    assert reports.enqueue(note("reports")).get(blocking=True, timeout=PATIENCE) == "reports"


@pytest.mark.parametrize("served", [["mail", "reports"], {"mail": 3, "reports": 1}], ids=["in_order", "by_weight"])
def test_a_queue_whose_server_hangs_does_not_stop_the_others(invoker, note, run_consumer, monkeypatch, served):
    mail, reports = invoker.on_queue("mail"), invoker.on_queue("reports")
    going_on = threading.Event()
    claim = mail.queue.claim

    def hang(*arguments):
        going_on.wait(PATIENCE)
        return claim(*arguments)

    monkeypatch.setattr(mail.queue, "claim", hang)
    handles = reports.enqueue_many(note(number) for number in range(300))

    run_consumer(invoker, serve_queues=served)

    assert [handle.get(blocking=True, timeout=PATIENCE) for handle in handles] == list(range(300))
    going_on.set()


def test_a_queue_whose_outcomes_cannot_be_written_does_not_stop_the_others(invoker, note, run_consumer, monkeypatch):
    mail, reports = invoker.on_queue("mail"), invoker.on_queue("reports")
    going_on, settle = threading.Event(), mail.queue.settle

    class Slow(QueueCommand, declare=False):
        def execute(self):
            # By then the fetch loop waits for the only worker.
            time.sleep(0.2)

    def hang(*arguments):
        going_on.wait(PATIENCE)
        return settle(*arguments)

    invoker.registry.register(Slow)
    monkeypatch.setattr(mail.queue, "settle", hang)
    mail.enqueue(Slow())
    handles = reports.enqueue_many(note(number) for number in range(20))

    run_consumer(invoker, serve_queues=["mail", "reports"], workers=1)

    assert [handle.get(blocking=True, timeout=PATIENCE) for handle in handles] == list(range(20))
    going_on.set()


def test_a_revocation_in_one_queue_is_honoured_whatever_a_look_at_another_finds(invoker, note):
    mail, reports = invoker.on_queue("mail"), invoker.on_queue("reports")
    revoked = note("mail")
    mail.enqueue(revoked).revoke()
    feature = Revocation()
    feature.huey_after_claim(mail, [])
    feature.huey_after_claim(reports, [])

    with pytest.raises(CommandRevoked):
        feature.huey_before_execute(mail, revoked)


def test_a_consumer_is_seen_once_from_each_queue_that_it_serves(invoker, run_consumer, eventually):
    consumer = run_consumer(invoker, serve_queues={"mail": 3, "reports": 1})

    for name in ("mail", "reports"):
        store = invoker.on_queue(name).task_store
        eventually(
            lambda store=store: (
                [(each.name, each.queues) for each in consumers_alive(store)] == [(consumer.name, ("mail", "reports"))]
            )
        )
    consumer.stop()
    assert consumers_alive(invoker.on_queue("mail").task_store) == []


def test_the_start_up_report_names_the_queues_with_their_weights(invoker, note, run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(invoker, serve_queues={"mail": 3, "reports": 0.5})

    assert "queues (2), by weight: 'mail' (weight 3), 'reports' (weight 0.5)" in caplog.messages
    assert [line for line in caplog.messages if line.endswith("ready")] == [
        "queue 'mail': ready",
        "queue 'reports': ready",
    ]


class TestPeriodic:
    @pytest.fixture
    def commands(self, invoker):
        """Periodic commands of the queue ``mail``, of the queue ``other``, and of none."""

        class EveryMinute(PeriodicQueueCommand, declare=False):
            def validate_datetime(self, at):
                return True

        for queue in ("mail", "other", None):
            command = type(f"Periodic_{queue}", (EveryMinute,), {"queue_name": queue}, declare=False)
            invoker.registry.register(command)

    def written(self, consumer):
        """Write the ticks of a minute to all served queues, and return how many each has got."""
        for scheduler in consumer.periodic:
            scheduler.writer.write(1_000_000_000.0)
        return {one.queue.name: one.queue.counts().ready for one in consumer.invokers}

    def test_a_tick_is_written_to_the_queue_of_its_command(self, invoker, commands):
        assert self.written(Consumer(invoker, serve_queues=["mail", "main"])) == {"mail": 1, "main": 1}

    def test_a_command_that_names_no_queue_is_left_to_who_serves_that_of_the_invoker(self, invoker, commands):
        assert self.written(Consumer(invoker, serve_queues=["mail", "reports"])) == {"mail": 1, "reports": 0}


def test_an_invoker_that_runs_commands_at_once_has_no_queues_to_serve(invoker):
    invoker.always_eager = True

    with pytest.raises(ConfigurationError, match="no queue 'mail'"):
        Consumer(invoker, serve_queues=["mail"])
