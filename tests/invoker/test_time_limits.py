"""Runs that are interrupted: by their time limit, because they are cancelled, or because their lease was lost."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from huey_core import current_command, hookimpl, queue_command
from huey_core.backends.messages import Delivery, State
from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_core.commands import Join
from huey_core.commands.context import CURRENT
from huey_core.commands.stored_result import decode_result
from huey_core.exceptions import (
    CommandCancelled,
    CommandError,
    CommandInterrupted,
    CommandTimeout,
    ConfigurationError,
    DeliveryLost,
)
from huey_core.invoker.runner import CommandRunner
from huey_core.workers import ThreadInterruption

PATIENCE = 10.0


def loop():
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pass
    return "was not interrupted"


@pytest.fixture
def interruption():
    """That of the thread of the test."""
    return ThreadInterruption()


@pytest.fixture
def run(interruption):
    """Run a call in this thread and return its outcome."""

    def run(invoker, call, error=None):
        delivery = Delivery(invoker.codec.encode(call), call.task_id, "receipt", 1)
        if error is not None:
            interruption.interrupt(delivery, error)
        return CommandRunner(invoker).run(delivery, interruption)[0]

    return run


def result_in(invoker, outcome):
    return decode_result(invoker.accepted, outcome.delivery.message_id, outcome.result.value)


class Hooks:
    """Notes which hooks were called; a hook is not interrupted, though it takes long."""

    def __init__(self):
        self.called = []

    def note(self, what):
        for _ in range(10_000):
            self.called.append(what)
            self.called.remove(what)
        self.called.append(what)

    @hookimpl
    def huey_retry_delay(self, command, error):
        self.note("retry_delay")

    @hookimpl
    def huey_command_cancelled(self, command):
        self.note("cancelled")

    @hookimpl
    def huey_command_failed(self, command):
        self.note("failed")

    @hookimpl
    def huey_command_retried(self, command):
        self.note("retried")


@pytest.fixture
def hooks():
    return Hooks()


@pytest.fixture
def watched(make_invoker, hooks):
    return make_invoker(plugins=[hooks])


def test_a_command_fails_when_its_time_is_up(watched, hooks, run):
    @queue_command(watched, timeout=0.01)
    def slow():
        return loop()

    outcome = run(watched, slow.command())

    assert isinstance(outcome, Bury)
    assert outcome.reason.endswith("CommandTimeout: it ran for longer than its timeout of 0.01 s")
    assert hooks.called == ["retry_delay", "failed"]


def test_an_event_loop_in_a_thread_is_not_interrupted_while_it_begins(watched, run, monkeypatch):
    make_loop, made = asyncio.events.new_event_loop, []

    def make_loop_slowly():
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        made.append(made_loop := make_loop())
        return made_loop

    @queue_command(watched, timeout=0.01)
    async def slow():
        await asyncio.sleep(PATIENCE)

    monkeypatch.setattr(asyncio.events, "new_event_loop", make_loop_slowly)
    outcome = run(watched, slow.command())

    assert made
    assert outcome.reason.endswith("CommandTimeout: it ran for longer than its timeout of 0.01 s")


def test_the_limit_of_a_call_goes_before_that_of_the_command(watched, run):
    @queue_command(watched, timeout=3600)
    def slow():
        return loop()

    outcome = run(watched, slow.using(timeout=0.01).command())

    with pytest.raises(CommandError, match=r"CommandTimeout: it ran for longer than its timeout of 0\.01 s"):
        result_in(watched, outcome)


def test_except_exception_does_not_swallow_it(watched, run):
    @queue_command(watched, timeout=0.01)
    def careless():
        try:
            return loop()
        except Exception:  # noqa: BLE001 - what such a command does
            return "swallowed"

    assert isinstance(run(watched, careless.command()), Bury)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"retries": 1}, Retry),
        ({"retries": 1, "retry_on": CommandTimeout}, Retry),
        ({"retries": 1, "retry_on": OSError}, Bury),
        ({"retries": 1, "give_up_on": CommandTimeout}, Bury),
        ({"retries": 0}, Bury),
    ],
)
def test_it_is_retried_as_any_failure_is(invoker, run, options, kind):
    @queue_command(invoker, timeout=0.005, **options)
    def slow():
        return loop()

    assert isinstance(run(invoker, slow.command()), kind)


def test_a_coroutine_is_interrupted_where_it_awaits(watched, run):
    @queue_command(watched, timeout=0.01)
    async def slow():
        await asyncio.sleep(PATIENCE)

    outcome = run(watched, slow.command())

    assert outcome.reason.endswith("CommandTimeout: it ran for longer than its timeout of 0.01 s")


def test_a_limit_that_was_kept_changes_nothing(watched, hooks, run):
    @queue_command(watched, timeout=3600)
    def quick():
        return "done"

    assert result_in(watched, run(watched, quick.command())) == "done"
    assert not hooks.called


def test_a_command_knows_how_much_time_is_left(invoker, run):
    @queue_command(invoker, timeout=100)
    def left():
        return current_command().deadline - time.monotonic()

    assert 0 < result_in(invoker, run(invoker, left.command())) <= 100


def test_without_a_limit_there_is_no_deadline(invoker, run):
    @queue_command(invoker)
    def deadline():
        current_command().check()
        return current_command().deadline, current_command().cancelled

    assert result_in(invoker, run(invoker, deadline.command())) == (None, False)


def test_a_command_that_cannot_be_interrupted_checks_by_itself(make_invoker):
    invoker = make_invoker(always_eager=True)

    @queue_command(invoker, timeout=0.005)
    def checks():
        while True:
            current_command().check()

    with pytest.raises(CommandError, match="CommandTimeout: it ran for longer than its timeout"):
        checks().get()


def test_a_limit_is_some_time(invoker):
    with pytest.raises(ConfigurationError, match="timeout"):
        queue_command(invoker, timeout=0)


def test_a_cancelled_command_ends_with_an_ack_and_says_so(watched, hooks, run):
    @queue_command(watched, retries=3, retry_on=CommandInterrupted)
    def slow():
        return loop()

    outcome = run(watched, slow.command(), CommandInterrupted)

    assert isinstance(outcome, Ack)
    assert hooks.called == ["cancelled"], "no retry is asked for"
    with pytest.raises(CommandCancelled, match="was cancelled while it ran"):
        result_in(watched, outcome)
    assert not watched.queue.counts().dead


@pytest.mark.parametrize(("error", "kind"), [(CommandInterrupted, Ack), (DeliveryLost, Release)])
def test_what_was_cancelled_ends_so_though_it_makes_another_error_of_it(watched, hooks, run, interruption, error, kind):
    @queue_command(watched, retries=3)
    def translates():
        try:
            threading.Thread(target=interruption.interrupt, args=(CURRENT.get()[1], error)).start()
            loop()
        except CommandInterrupted as interrupted:
            raise RuntimeError("the connection is broken") from interrupted

    assert isinstance(run(watched, translates.command()), kind)
    assert "failed" not in hooks.called
    assert "retried" not in hooks.called


class Groups:
    """Puts every command into a group, followed by another."""

    make_after = None

    @hookimpl
    def huey_follow_ups(self, invoker, message_id):
        return [Join(group="group", member=message_id, of=2, then=self.make_after())]


def test_a_cancelled_member_of_a_group_arrives(make_invoker, run):
    groups = Groups()
    invoker = make_invoker(plugins=[groups])

    @queue_command(invoker)
    def after():
        pass

    @queue_command(invoker)
    def member():
        return loop()

    groups.make_after = after.command
    call = member.command()
    [arrival] = run(invoker, call, CommandInterrupted).arrivals

    assert arrival.member == call.task_id


def test_the_error_of_another_call_that_was_cancelled_is_a_failure(watched, run):
    @queue_command(watched)
    def waits():
        error = CommandCancelled("another command was cancelled while it ran")
        error.task_id = "another"
        raise error

    assert isinstance(run(watched, waits.command()), Bury)


def test_a_command_whose_lease_was_lost_is_given_back_without_a_word(watched, hooks, run):
    @queue_command(watched, retries=3)
    def slow():
        return loop()

    outcome = run(watched, slow.command(), DeliveryLost)

    assert isinstance(outcome, Release)
    assert not hooks.called


def test_a_run_that_was_ended_from_outside_ends_as_if_the_command_had_raised(watched, hooks):
    @queue_command(watched, retries=1)
    def killed():
        raise AssertionError("it is not run here")

    call = killed.command()
    delivery = Delivery(watched.codec.encode(call), call.task_id, "receipt", 1)

    outcome, execution = CommandRunner(watched).interrupted(delivery, CommandTimeout("its process was killed"), 1.5)

    assert isinstance(outcome, Retry)
    assert (execution.duration, hooks.called) == (1.5, ["retry_delay", "retried"])


def test_a_time_limit_in_a_consumer(invoker, run_consumer):
    @queue_command(invoker, timeout=0.01)
    def slow():
        return loop()

    run_consumer(invoker, threads=1)

    with pytest.raises(CommandError) as caught:
        slow().get(blocking=True, timeout=PATIENCE)
    assert caught.value.type_name == "huey_core.exceptions.CommandTimeout"
    [dead] = invoker.queue.peek(State.DEAD)
    assert __file__ in dead.detail
