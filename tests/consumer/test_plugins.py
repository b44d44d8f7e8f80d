"""What plugins see and decide while a consumer runs."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from huey_core import hookimpl, queue_command
from huey_core.exceptions import CommandError, CommandExpired

PATIENCE = 30.0


def test_hooks_follow_a_command_and_a_worker(make_invoker, run_consumer, eventually):
    class Recorder:
        def __init__(self):
            self.seen = []

        @hookimpl
        def huey_worker_start(self, worker):
            self.seen.append("start")

        @hookimpl
        def huey_command_succeeded(self, command, execution):
            self.seen.append(execution.value)

        @hookimpl
        def huey_command_failed(self, error):
            self.seen.append(str(error))

        @hookimpl
        def huey_worker_stop(self, worker):
            self.seen.append("stop")

        @hookimpl
        def huey_consumer_stop(self, reason):
            self.seen.append(reason)

    recorder = Recorder()
    invoker = make_invoker(plugins=[recorder])

    @queue_command(invoker)
    def divide(a, b):
        return a / b

    consumer = run_consumer(invoker, threads=1)
    divide(4, 2), divide(1, 0)
    eventually(lambda: consumer.stats.done + consumer.stats.buried == 2)
    consumer.stop("enough", PATIENCE)

    assert recorder.seen == ["start", 2.0, "division by zero", "stop", "enough"]


def test_an_observer_that_raises_harms_nobody(make_invoker, result_of):
    class Nuisance:
        @hookimpl
        def huey_command_succeeded(self):
            raise RuntimeError("I am a nuisance")

    invoker = make_invoker(plugins=[Nuisance()])

    @queue_command(invoker)
    def add(a, b):
        return a + b

    assert result_of(add(1, 2)) == 3
    assert [faults.errors for faults in invoker.plugins.hook_faults() if faults.errors] == [1]


def test_a_wrapper_surrounds_every_run(make_invoker, result_of):
    class Doubling:
        @hookimpl(wrapper=True)
        def huey_execute(self):
            execution = yield
            execution.value *= 2
            return execution

    invoker = make_invoker(plugins=[Doubling()])

    @queue_command(invoker)
    def three():
        return 3

    assert result_of(three()) == 6


def test_a_plugin_can_drop_a_command_with_an_error_of_its_own(make_invoker, result_of):
    class OutOfQuota(CommandExpired):
        pass

    class Quota:
        @hookimpl
        def huey_before_execute(self):
            raise OutOfQuota("the quota is used up")

    invoker = make_invoker(plugins=[Quota()])

    @queue_command(invoker)
    def work():
        raise AssertionError("it is not to run")

    with pytest.raises(CommandExpired, match="the quota is used up"):
        result_of(work())


def test_a_plugin_can_decide_about_retries(make_invoker, result_of):
    class OnceMore:
        @hookimpl
        def huey_retry_delay(self, error):
            return 0.0 if "again" in str(error) else None

    invoker = make_invoker(plugins=[OnceMore()])
    attempts = []

    @queue_command(invoker)
    def fragile():
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("again")
        return len(attempts)

    assert result_of(fragile()) == 3


class DelaysByTimedelta:
    @hookimpl
    def huey_retry_delay(self):
        return timedelta(seconds=1)


class StoresText:
    @hookimpl(wrapper=True)
    def huey_store_result(self, execution):
        result = yield
        return result if execution.error else "a text"


class StoresNothingInTheEnd:
    @hookimpl
    def huey_store_result(self):
        raise OSError("the disk is full")


def test_who_waits_for_a_failure_that_a_plugin_could_not_store_learns_of_it(make_invoker, result_of):
    invoker = make_invoker(plugins=[StoresNothingInTheEnd()])

    @queue_command(invoker)
    def fail():
        raise ValueError("the command's own error")

    with pytest.raises(CommandError, match="the command's own error"):
        result_of(fail())


class ExitsBefore:
    @hookimpl
    def huey_before_execute(self):
        sys.exit("out of order")


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        (DelaysByTimedelta(), "the command's own error"),
        (StoresText(), "huey_store_result"),
        (ExitsBefore(), "out of order"),
    ],
)
def test_a_plugin_that_answers_wrongly_fails_the_command_at_once(make_invoker, result_of, eventually, plugin, told):
    invoker = make_invoker(plugins=[plugin])

    @queue_command(invoker)
    def work(fails):
        if fails:
            raise ValueError("the command's own error")

    with pytest.raises(CommandError, match=told):
        result_of(work(isinstance(plugin, DelaysByTimedelta)))
    eventually(lambda: invoker.queue.counts().dead == 1)


class Sentinel:
    """Begins something when a consumer starts, and ends it when that stops."""

    def __init__(self):
        self.seen = []

    @hookimpl(tryfirst=True)
    def huey_consumer_start(self):
        self.seen.append("began")

    @hookimpl
    def huey_consumer_stop(self):
        self.seen.append("ended")


class RefusesToStart:
    @hookimpl
    def huey_consumer_start(self):
        raise RuntimeError("not here")


def test_what_a_plugin_has_begun_it_can_end_when_another_refuses_the_consumer(make_invoker, run_consumer):
    sentinel = Sentinel()

    with pytest.raises(RuntimeError, match="not here"):
        run_consumer(make_invoker(plugins=[sentinel, RefusesToStart()]))

    assert sentinel.seen == ["began", "ended"]


class SeesClaims:
    """Notes what is claimed and what is run, and raises at the first claim if it is told to."""

    def __init__(self, error=None):
        self.error = error
        self.claims = []
        self.runs = []

    @hookimpl
    def huey_after_claim(self, deliveries):
        self.claims.append([delivery.message_id for delivery in deliveries])
        error, self.error = self.error, None
        if error is not None:
            raise error

    @hookimpl
    def huey_before_execute(self, command):
        assert any(command.task_id in claim for claim in self.claims)
        self.runs.append(command.task_id)


def test_plugins_see_the_messages_of_a_claim_together_before_any_of_them_runs(make_invoker, run_consumer):
    plugin = SeesClaims()
    invoker = make_invoker(plugins=[plugin])
    add = queue_command(invoker, name="add")(lambda a, b: a + b)
    handles = [add(number, 1) for number in range(3)]

    run_consumer(invoker, threads=3)

    assert [handle.get(blocking=True, timeout=30) for handle in handles] == [1, 2, 3]
    assert plugin.claims == [[handle.task_id for handle in handles]]


def test_what_plugins_cannot_prepare_for_is_given_back_and_claimed_again(make_invoker, run_consumer):
    plugin = SeesClaims(ConnectionError("away"))
    invoker = make_invoker(plugins=[plugin])
    handle = queue_command(invoker, name="add")(lambda a, b: a + b)(1, 2)

    run_consumer(invoker, initial_delay=0.01)

    assert handle.get(blocking=True, timeout=30) == 3
    assert plugin.claims == [[handle.task_id]] * 2
    assert plugin.runs == [handle.task_id]
