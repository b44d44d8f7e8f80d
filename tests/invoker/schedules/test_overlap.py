"""``overlap="skip"``: one run of a periodic command at a time, none of them doubled and none lost."""

from __future__ import annotations

import itertools
import logging
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, Invoker, PeriodicQueueCommand, crontab, every, periodic_command
from huey_core.backends.json_value import JSONValue
from huey_core.backends.messages import State
from huey_core.backends.outcomes import Ack, Bury, Retry
from huey_core.consumer import Consumer
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import ConfigurationError, QueueWriteException, Unsupported
from huey_core.hookspecs import hookimpl
from huey_core.message import read_header
from huey_memory import MemoryDataStore
from plain_backend import PlainQueue, PlainStore

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()

_spaces = itertools.count(1)


@pytest.fixture
def sweep(invoker):
    @periodic_command(invoker, crontab(), name="sweep", overlap="skip")
    def sweep(): ...

    return sweep


def claim(invoker):
    [delivery] = invoker.queue.claim(1, 3600).deliveries
    return delivery


def end(invoker):
    """Run what is ready to its end, and return for which seconds after noon it was."""
    delivery = claim(invoker)
    invoker.queue.settle([Ack(delivery)])
    return read_header(delivery.data).tick_at - NOON


def test_a_tick_that_is_due_while_the_one_before_is_ready_is_skipped(invoker, sweep):
    writer = TickWriter(invoker)

    assert [writer.write(NOON), writer.write(NOON + 60)] == [1, 0]
    assert end(invoker) == 0


def test_a_tick_that_is_due_while_the_one_before_runs_is_skipped(invoker, sweep):
    TickWriter(invoker).write(NOON)
    claim(invoker)

    assert TickWriter(invoker).write(NOON + 60) == 0


def test_a_tick_that_is_due_while_the_one_before_waits_to_be_tried_again_is_skipped(invoker, sweep):
    TickWriter(invoker).write(NOON)
    delivery = claim(invoker)
    invoker.queue.settle([Retry(delivery, delivery.data, 3600.0)])

    assert TickWriter(invoker).write(NOON + 60) == 0


def test_the_next_tick_after_a_run_has_ended_is_written(invoker, sweep):
    writer = TickWriter(invoker)
    writer.write(NOON), writer.write(NOON + 60)
    end(invoker)

    assert writer.write(NOON + 120) == 1
    assert end(invoker) == 120


def test_a_dead_letter_does_not_stand_in_the_way(invoker, sweep):
    TickWriter(invoker).write(NOON)
    invoker.queue.settle([Bury(claim(invoker), "it failed")])

    assert TickWriter(invoker).write(NOON + 60) == 1


def test_a_call_does_not_stand_in_the_way(invoker, sweep):
    sweep()

    assert TickWriter(invoker).write(NOON) == 1


def test_another_command_does_not_stand_in_the_way(invoker, sweep):
    periodic_command(invoker, crontab(), name="dust", overlap="skip")(lambda: None)

    assert TickWriter(invoker).write(NOON) == 2


def test_by_default_runs_may_overlap(invoker):
    periodic_command(invoker, crontab(), name="sweep")(lambda: None)

    assert [TickWriter(invoker).write(NOON), TickWriter(invoker).write(NOON + 60)] == [1, 1]


def test_a_tick_that_was_skipped_is_not_written_by_a_consumer_that_comes_when_the_run_has_ended(invoker, sweep):
    early, late = TickWriter(invoker), TickWriter(invoker)
    early.write(NOON), early.write(NOON + 60)
    end(invoker)

    assert late.write(NOON + 61) == 0


def test_a_tick_that_has_run_is_not_written_by_a_consumer_that_comes_later(invoker, sweep):
    TickWriter(invoker).write(NOON)
    end(invoker)

    assert TickWriter(invoker).write(NOON + 5) == 0


def test_a_tick_of_which_a_later_one_is_decided_is_left_out(invoker, sweep):
    TickWriter(invoker).write(NOON + 60)
    end(invoker)

    assert TickWriter(invoker).write(NOON) == 0


def test_a_decision_of_a_clock_that_was_far_ahead_does_not_keep_ticks_from_running(invoker, sweep):
    TickWriter(invoker).write(NOON + 86400)
    end(invoker)

    assert TickWriter(invoker).write(NOON) == 1


def test_of_what_was_missed_one_is_made_up_for_at_a_time(invoker):
    periodic_command(invoker, crontab(), name="sweep", missed="all", overlap="skip")(lambda: None)
    writer = TickWriter(invoker)
    writer.write(NOON)
    end(invoker)

    assert writer.write(NOON + 600) == 1
    assert end(invoker) == 60


class Killed(BaseException):
    """Ends a consumer where a test wants it."""


class Interruptible:
    """Ends whoever enqueues, or fails, when a test wants it: after the decision, and before the write."""

    def __init__(self, error):
        self.errors = [error]

    @hookimpl
    def huey_before_enqueue(self):
        if self.errors:
            raise self.errors.pop()


def test_a_tick_that_was_decided_by_a_consumer_that_was_killed_is_written_by_another(make_invoker):
    invoker = make_invoker(plugins=[Interruptible(KeyboardInterrupt())])
    periodic_command(invoker, crontab(), name="sweep", overlap="skip")(lambda: None)
    with pytest.raises(KeyboardInterrupt):
        TickWriter(invoker).write(NOON)

    assert [TickWriter(invoker).write(NOON + 1), TickWriter(invoker).write(NOON + 2)] == [1, 0]
    assert end(invoker) == 0


def test_a_tick_that_was_decided_and_written_by_nobody_does_not_stand_in_the_way(make_invoker):
    invoker = make_invoker(plugins=[Interruptible(RuntimeError("a defect"))])
    periodic_command(invoker, crontab(), name="sweep", overlap="skip")(lambda: None)
    TickWriter(invoker).write(NOON)

    assert TickWriter(invoker).write(NOON + 60) == 1


def test_a_tick_that_the_server_did_not_take_is_tried_again(make_invoker):
    invoker = make_invoker(plugins=[Interruptible(QueueWriteException("away"))])
    periodic_command(invoker, crontab(), name="sweep", overlap="skip")(lambda: None)
    writer = TickWriter(invoker)
    with pytest.raises(QueueWriteException):
        writer.write(NOON)

    assert writer.write(NOON + 1) == 1


@pytest.mark.parametrize("method", ["peek", "find"])
def test_a_server_that_does_not_answer_is_asked_again(invoker, sweep, monkeypatch, method):
    TickWriter(invoker).write(NOON)
    end(invoker)
    writer = TickWriter(invoker)
    answers = [ConnectionError("away")]
    of = invoker.queue if method == "find" else invoker.task_store
    really = getattr(of, method)

    def away_at_first(*arguments):
        if answers:
            raise answers.pop()
        return really(*arguments)

    monkeypatch.setattr(of, method, away_at_first)
    with pytest.raises(ConnectionError):
        writer.write(NOON + 60)

    assert writer.write(NOON + 61) == 1


@pytest.mark.parametrize("found", [b"", b"[]", b'{"due": "noon"}', b'{"due": 1, "let_through": 1, "message_id": 1}'])
def test_whatever_is_found_as_the_decision_does_not_keep_commands_from_running(invoker, sweep, found):
    invoker.task_store.put("overlap:sweep", found)

    assert [TickWriter(invoker).write(NOON), TickWriter(invoker).write(NOON + 60)] == [1, 0]


def test_ten_consumers_at_once_let_one_through(invoker, sweep):
    barrier = threading.Barrier(10)
    counts = []

    def write():
        writer = TickWriter(invoker)
        barrier.wait()
        counts.extend([writer.write(NOON), writer.write(NOON + 60)])

    threads = [threading.Thread(target=write) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 1
    assert invoker.queue.counts().ready == 1


def test_the_first_tick_that_is_skipped_is_a_line_in_the_log(invoker, sweep, caplog):
    caplog.set_level(logging.DEBUG, "huey_core")
    writers = [TickWriter(invoker), TickWriter(invoker)]
    for seconds in (0, 60, 120):
        for writer in writers:
            writer.write(NOON + seconds)

    [message] = invoker.queue.peek(State.READY)
    ended = f"is skipped: its run for 2026-05-01 12:00 UTC ({message.message_id}) has not ended"
    assert [(one.levelname, one.getMessage()) for one in caplog.records if "skipped" in one.getMessage()] == [
        ("INFO", f"sweep, due at 2026-05-01 12:01 UTC, {ended}"),
        ("DEBUG", f"sweep, due at 2026-05-01 12:02 UTC, {ended}"),
    ]


steps = st.lists(
    st.tuples(st.sampled_from(["write", "killed", "claim", "end", "fail", "wait"]), st.integers(0, 2)), max_size=40
)


@given(steps=steps)
def test_whatever_happens_nothing_overlaps_and_nothing_is_doubled(steps):
    plugin = Interruptible(None)
    plugin.errors.clear()
    space = f"overlap{next(_spaces)}"
    store = MemoryDataStore("overlap", space=space)
    invoker = Invoker(f"memory://{space}/?queue=overlap", None, store, registry=CommandRegistry(), plugins=[plugin])
    periodic_command(invoker, crontab(), name="sweep", overlap="skip")(lambda: None)
    writers = [TickWriter(invoker) for _ in range(3)]
    now, running, begun = NOON, [], []
    for step, number in steps:
        match step:
            case "wait":
                now += 20.0 * (number + 1)
            case "write":
                writers[number].write(now)
            case "killed":
                plugin.errors.append(KeyboardInterrupt())
                try:
                    writers[number].write(now)
                except KeyboardInterrupt:
                    writers[number] = TickWriter(invoker)
                plugin.errors.clear()
            case "claim":
                found = invoker.queue.claim(5, 86400.0).deliveries
                running += found
                begun += [read_header(each.data).tick_at for each in found]
            case "end" | "fail" if running:
                delivery = running.pop()
                invoker.queue.settle([Ack(delivery) if step == "end" else Bury(delivery, "it failed")])
        assert invoker.queue.counts().ready + len(running) <= 1
    assert len(set(begun)) == len(begun)
    assert begun == sorted(begun)

    for delivery in running:
        invoker.queue.settle([Ack(delivery)])
    invoker.queue.flush()
    assert writers[0].write(now + 3600) == 1


def test_a_command_that_runs_for_long_runs_once_at_a_time(invoker, run_consumer, eventually):
    begun, go = [], threading.Event()

    class Slow(PeriodicQueueCommand, declare=False):
        schedule = every(seconds=1)
        overlap = "skip"

        def execute(self):
            begun.append(self.tick_at)
            go.wait(30)

    invoker.registry.register(Slow)
    for _ in range(2):
        run_consumer(invoker, periodic=True)
    decision = JSONValue(invoker.task_store, f"overlap:{Slow.command_name}", {})

    eventually(lambda: begun and decision.read()["due"] >= begun[0] + 2)
    assert len(begun) == 1
    go.set()
    eventually(lambda: len(begun) > 1)


class TestRefused:
    @pytest.mark.parametrize(
        ("queue", "store", "reason"),
        [
            (PlainQueue(), MemoryDataStore("overlap"), "PlainQueue.* has no 'leases', which overlap='skip' needs"),
            ("memory://overlap/", None, "needs a task store; give the invoker one with task_store="),
            (
                "memory://overlap/",
                PlainStore(),
                "the task store .*PlainStore.* has no 'locks', which overlap=",
            ),
        ],
    )
    def test_at_decoration_where_it_cannot_be_kept(self, queue, store, reason):
        invoker = Invoker(queue, None, store, registry=CommandRegistry())

        with pytest.raises(Unsupported, match=reason):
            periodic_command(invoker, crontab(), overlap="skip")

    def test_at_the_start_of_a_consumer_where_it_cannot_be_kept(self):
        registry = CommandRegistry()

        class Sweep(PeriodicQueueCommand, declare=False):
            overlap = "skip"

        registry.register(Sweep)
        invoker = Invoker(PlainQueue("huey"), None, MemoryDataStore("overlap"), registry=registry)

        with pytest.raises(Unsupported, match=r"Sweep: .*PlainQueue.* has no 'leases'"):
            Consumer(invoker, periodic=True).start()

    def test_as_another_word(self, invoker):
        with pytest.raises(ConfigurationError, match="overlap must be 'allow' or 'skip', not 'wait'"):
            periodic_command(invoker, crontab(), overlap="wait")(lambda: None)
