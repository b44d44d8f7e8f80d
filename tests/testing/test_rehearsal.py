"""An application's commands run in the test's thread, by the test's clock, and fail when the test wants them to."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from huey_core import CommandRegistry, Invoker, PeriodicQueueCommand, QueueCommand, crontab, every, periodic_command
from huey_core import queue_command as command
from huey_core.backends.messages import State
from huey_core.backends.outcomes import Ack, Bury, Retry
from huey_core.commands.registry import default_registry
from huey_core.consumer import Consumer
from huey_core.exceptions import (
    CommandAbandoned,
    CommandError,
    CommandExpired,
    PluginNotFound,
    QueueWriteException,
)
from huey_testing.rehearsal import Rehearsal


class PowerCut(KeyboardInterrupt):
    """Ends a process, and is no error of the command."""


class SendLetter(QueueCommand):
    def execute(self):
        return self.data


@pytest.fixture
def application():
    """An application's own invoker, for a server that is not there."""
    return Invoker.from_url(
        "redis://127.0.0.1:1/?queue=shop&max_deliveries=2&socket_timeout=1", registry=CommandRegistry()
    )


class TestRunning:
    def test_what_was_enqueued_runs_and_leaves_its_result(self, rehearsal, send):
        result = send("ann")

        rehearsal.run_until_idle()

        assert result.get() == "hello, ann"

    def test_commands_run_in_the_order_of_a_consumer(self, rehearsal, invoker):
        order = []

        @command(invoker)
        def note(name):
            order.append(name)

        for name, priority in (("first", 0), ("urgent", 5), ("second", 0)):
            note.using(priority=priority)(name)
        rehearsal.run_until_idle()

        assert order == ["urgent", "first", "second"]

    def test_what_a_command_enqueues_runs_as_well(self, rehearsal, invoker, send):
        @command(invoker)
        def welcome(to):
            send(to)

        welcome("ann")
        runs = rehearsal.run_until_idle()

        assert [run.value for run in runs] == [None, "hello, ann"]

    def test_time_may_pass_and_everything_runs_when_it_falls_due(self, rehearsal, invoker):
        began = rehearsal.clock.now()
        ran = []

        @command(invoker, retries=1, retry_delay=7.5)
        def note(name):
            ran.append((name, rehearsal.clock.now() - began))
            if len(ran) == 1:
                note.schedule(["later"], delay=3600)
                raise OSError

        note("first")
        rehearsal.run_until_idle(over=timedelta(hours=2))

        assert ran == [("first", 0), ("first", 7.5), ("later", 3600)]
        assert rehearsal.clock.now() == began + 7200

    def test_time_passes_for_a_paused_queue_too(self, rehearsal, invoker, send):
        began = rehearsal.clock.now()
        send.schedule(["ann"], delay=1)
        invoker.queue.pause()

        assert rehearsal.run_until_idle(over=10) == []
        assert rehearsal.clock.now() == began + 10

    def test_a_run_tells_its_command_and_its_outcome(self, rehearsal, send):
        send("ann")

        (run,) = rehearsal.run_until_idle()

        assert run.command.command_name == send.command_class.command_name
        assert isinstance(run.outcome, Ack)
        assert run.settled
        assert not run.failed

    def test_a_command_written_as_a_class_is_known(self, rehearsal, invoker):
        result = invoker.enqueue(SendLetter({"to": "ann"}))

        rehearsal.run_until_idle()

        assert result.get() == {"to": "ann"}

    def test_a_command_that_never_lets_it_be_is_found_out(self, rehearsal, invoker):
        @command(invoker)
        def again():
            again()

        again()

        with pytest.raises(RuntimeError, match=r"not idle after 20 runs.*again"):
            rehearsal.run_until_idle(limit=20)

    def test_a_paused_queue_is_idle(self, rehearsal, invoker, send):
        send("ann")
        invoker.queue.pause()

        assert rehearsal.run_until_idle() == []


class TestErrors:
    @pytest.fixture
    def fail(self, invoker):
        @command(invoker)
        def fail():
            raise ZeroDivisionError("no")

        return fail

    def test_an_error_of_a_command_is_raised_with_its_own_type(self, rehearsal, fail):
        fail()

        with pytest.raises(ZeroDivisionError, match="no"):
            rehearsal.run_until_idle()

    def test_what_comes_after_an_error_waits_for_the_next_call(self, rehearsal, fail, send):
        fail()
        result = send("ann")

        with pytest.raises(ZeroDivisionError):
            rehearsal.run_until_idle()
        assert result.get() is None
        rehearsal.run_until_idle()

        assert result.get() == "hello, ann"

    def test_errors_are_collected_on_request(self, rehearsal, fail, send):
        failed = fail()
        send("ann")

        runs = rehearsal.run_until_idle(raises=False)

        assert [(run.failed, type(run.error)) for run in runs] == [(True, ZeroDivisionError), (False, type(None))]
        with pytest.raises(CommandError, match="ZeroDivisionError"):
            failed.get()

    def test_an_error_that_is_tried_again_is_not_raised(self, rehearsal, fail):
        fail.using(retries=1, retry_delay=10)()

        (run,) = rehearsal.run_until_idle()

        assert isinstance(run.outcome, Retry)
        assert not run.failed

    def test_a_message_that_cannot_be_read_is_buried_as_by_a_consumer(self, rehearsal, invoker):
        invoker.queue.write(b"garbage")

        runs = rehearsal.run_until_idle(raises=False)
        while not isinstance(runs[-1].outcome, Bury):
            rehearsal.clock.advance(10)
            runs += rehearsal.run_until_idle(raises=False)

        assert [run.command for run in runs] == [None] * invoker.leased_queue.max_deliveries
        assert invoker.queue.counts().dead == 1

    def test_a_process_that_dies_leaves_its_message_to_the_lease(self, rehearsal, invoker):
        attempts = []

        @command(invoker)
        def crash_once():
            attempts.append(len(attempts) + 1)
            if len(attempts) == 1:
                raise PowerCut

        crash_once()
        with pytest.raises(PowerCut):
            rehearsal.run_until_idle()
        assert rehearsal.run_until_idle() == []
        rehearsal.clock.advance(invoker.lease)
        (run,) = rehearsal.run_until_idle()

        assert run.attempt == 2

    def test_who_waits_for_a_command_that_its_process_never_outlives_is_told(self, rehearsal, given_up):
        assert rehearsal.run_until_idle() == []

        with pytest.raises(CommandAbandoned):
            given_up.get()


class TestClock:
    def test_a_scheduled_command_waits_for_its_time(self, rehearsal, send):
        send.schedule(["ann"], delay=60)

        assert rehearsal.run_until_idle() == []
        rehearsal.clock.advance(59)
        assert rehearsal.run_until_idle() == []
        rehearsal.clock.advance(timedelta(seconds=1))
        assert len(rehearsal.run_until_idle()) == 1

    def test_retries_follow_their_delays(self, rehearsal, invoker):
        attempts = []

        @command(invoker, retries=2, retry_delay=10, retry_backoff=2)
        def unlucky():
            attempts.append(rehearsal.clock.now() - began)
            raise OSError

        began = rehearsal.clock.now()
        unlucky()
        for _ in range(40):
            rehearsal.run_until_idle(raises=False)
            rehearsal.clock.advance(1)

        assert attempts == [0, 10, 30]

    def test_a_command_expires(self, rehearsal, send):
        result = send.using(expires=30)("ann")

        rehearsal.clock.advance(31)
        (run,) = rehearsal.run_until_idle()

        assert not run.failed
        with pytest.raises(CommandExpired):
            result.get()

    def test_results_are_forgotten(self, rehearsal, send):
        result = send.using(result_ttl=60)("ann")
        rehearsal.run_until_idle()

        rehearsal.clock.advance(60)

        assert result.get() is None

    def test_a_revocation_ends(self, rehearsal, send):
        send.revoke(revoke_until=datetime.fromtimestamp(rehearsal.clock.now() + 60, UTC))

        assert send.is_revoked()
        rehearsal.clock.advance(60)
        assert not send.is_revoked()

    def test_a_command_that_takes_longer_than_its_lease_keeps_it(self, rehearsal, invoker):
        @command(invoker)
        def slow():
            rehearsal.clock.advance(10 * invoker.lease)
            assert invoker.queue.claim(1, 60).deliveries == []

        slow()

        assert [run.settled for run in rehearsal.run_until_idle()] == [True]

    def test_time_does_not_go_back_by_advancing(self, rehearsal):
        with pytest.raises(ValueError, match="set"):
            rehearsal.clock.advance(-1)

    @pytest.mark.parametrize("moment", [1_900_000_000.5, datetime.fromtimestamp(1_900_000_000.5, UTC)])
    def test_the_clock_can_be_set(self, rehearsal, invoker, moment):
        rehearsal.clock.set(moment)

        assert rehearsal.clock.now() == invoker.now() == invoker.queue.now() == 1_900_000_000.5


NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


class TestPeriodicCommands:
    @pytest.fixture
    def ran(self, rehearsal, invoker):
        ran = []

        @periodic_command(invoker, crontab(minute="*/10"), missed="once")
        def every_ten_minutes():
            ran.append(rehearsal.clock.now())

        rehearsal.clock.set(datetime(2030, 1, 1, 2, 55, 30, tzinfo=UTC))
        return ran

    def test_they_are_enqueued_at_every_minute_on_the_way(self, rehearsal, ran):
        rehearsal.clock.advance(3600)

        assert len(rehearsal.run_until_idle()) == 6

    def test_they_are_enqueued_at_due_times_between_two_minutes(self, rehearsal, invoker):
        due = []

        class Blink(PeriodicQueueCommand, declare=False):
            schedule = every(seconds=20)

            def execute(self):
                due.append(self.tick_at)

        invoker.registry.register(Blink)
        rehearsal.clock.set(NEW_YEAR + 5)

        rehearsal.clock.advance(60)
        rehearsal.run_until_idle()

        assert due == [NEW_YEAR + 20, NEW_YEAR + 40, NEW_YEAR + 60]

    def test_they_do_not_run_before_their_minute(self, rehearsal, ran):
        rehearsal.clock.advance(269.5)
        assert rehearsal.run_until_idle() == []

        rehearsal.clock.advance(0.5)
        rehearsal.run_until_idle()

        assert ran == [datetime(2030, 1, 1, 3, tzinfo=UTC).timestamp()]

    def test_each_runs_in_its_minute_while_time_passes(self, rehearsal, ran):
        rehearsal.run_until_idle(over=1200)

        first = datetime(2030, 1, 1, 3, tzinfo=UTC).timestamp()
        assert ran == [first, first + 600]

    def test_setting_the_clock_misses_them_and_the_next_minute_makes_up(self, rehearsal, ran):
        rehearsal.clock.advance(60)

        rehearsal.clock.set(rehearsal.clock.now() + 3600)
        assert rehearsal.run_until_idle() == []
        rehearsal.clock.advance(60)

        assert len(rehearsal.run_until_idle()) == 1

    def test_schedules_that_are_made_in_a_test_run_as_they_do_with_consumers(self, rehearsal, invoker):
        @command(invoker)
        def report(kind):
            return kind

        rehearsal.clock.set(datetime(2030, 1, 1, 2, 55, 30, tzinfo=UTC))
        invoker.schedules.add("nightly", report.command("pdf"), crontab(hour=3, minute=0))
        rehearsal.clock.advance(3600)

        assert [run.value for run in rehearsal.run_until_idle()] == ["pdf"]

    def test_they_are_enqueued_although_the_server_is_away_for_a_moment(self, rehearsal, ran):
        rehearsal.faults.fail_next("write", times=3)

        rehearsal.clock.advance(600)

        assert len(rehearsal.run_until_idle()) == 1

    def test_those_of_another_queue_stay_away(self, rehearsal):
        @periodic_command(Invoker("memory://elsewhere/", registry=rehearsal.invoker.registry), crontab())
        def elsewhere(): ...

        rehearsal.clock.advance(120)

        assert rehearsal.run_until_idle() == []


class TestRedirecting:
    @pytest.fixture
    def buy(self, application):
        @command(application)
        def buy(what):
            return what

        return buy

    def test_an_applications_own_invoker_works_in_memory(self, rehearsal, application, buy):
        with rehearsal.redirect(application):
            result = buy("bread")
            rehearsal.recorder.assert_enqueued(buy, "bread")
            rehearsal.run_until_idle()

            assert result.get() == "bread"
            assert application.queue.name == "shop"
            assert application.leased_queue.max_deliveries == 2

    def test_it_goes_by_the_clock_of_the_test(self, rehearsal, application, buy):
        with rehearsal.redirect(application):
            buy.schedule(["bread"], delay=60)
            assert rehearsal.run_until_idle() == []
            rehearsal.clock.advance(60)
            assert len(rehearsal.run_until_idle()) == 1

    def test_its_periodic_commands_are_enqueued(self, rehearsal, application):
        @periodic_command(application, crontab())
        def every_minute(): ...

        with rehearsal.redirect(application):
            rehearsal.clock.advance(60)
            rehearsal.recorder.assert_enqueued(every_minute)

    def test_afterwards_it_has_its_own_server_again(self, rehearsal, application, buy):
        queue = application.queue
        with rehearsal.redirect(application):
            buy("bread")

        assert application.queue is queue
        with pytest.raises(QueueWriteException):
            buy("bread")

    def test_two_invokers_of_one_queue_still_share_it(self, rehearsal, application, buy):
        other = Invoker.from_url("memory://other/?queue=shop", registry=application.registry)
        with rehearsal.redirect(application), rehearsal.redirect(other):
            buy("bread")

            assert other.queue.counts().ready == 1

    def test_commands_of_other_queues_run_too(self, rehearsal, application, buy):
        before = application.on_queue("bakery").queue
        with rehearsal.redirect(application):
            results = [buy.using(queue="bakery")("bread"), buy.using(queue="dairy")("milk")]
            rehearsal.recorder.assert_enqueued(buy, "milk")
            rehearsal.run_until_idle()

            assert [result.get() for result in results] == ["bread", "milk"]

        assert application.on_queue("bakery").queue is before

    def test_the_clock_and_the_faults_hold_for_other_queues(self, rehearsal, application, buy):
        with rehearsal.redirect(application):
            rehearsal.faults.fail_next("write")
            with pytest.raises(QueueWriteException):
                buy.using(queue="bakery")("bread")
            buy.using(queue="bakery").schedule(["bread"], delay=60)
            assert rehearsal.run_until_idle() == []
            assert len(rehearsal.run_until_idle(over=60)) == 1

    def test_periodic_commands_of_other_queues_are_enqueued(self, rehearsal, application):
        @periodic_command(application, crontab(), queue="bakery")
        def every_minute(): ...

        with rehearsal.redirect(application):
            rehearsal.clock.advance(60)

            assert [run.command.command_name for run in rehearsal.run_until_idle()] == [
                every_minute.command_class.command_name
            ]

    def test_the_invoker_of_one_queue_may_be_redirected_alone(self, rehearsal, application, buy):
        with rehearsal.redirect(application.on_queue("bakery")):
            buy.using(queue="bakery")("bread")

            assert len(rehearsal.run_until_idle()) == 1
            with pytest.raises(QueueWriteException):
                buy("butter")

    def test_an_eager_invoker_enqueues_meanwhile(self, rehearsal, application, buy):
        application.always_eager = True
        with rehearsal.redirect(application):
            buy("bread")
            rehearsal.recorder.assert_enqueued(buy)

        assert application.always_eager

    def test_what_has_no_stores_still_has_none(self, rehearsal):
        invoker = Invoker("memory://bare/", registry=CommandRegistry())
        with rehearsal.redirect(invoker):
            assert (invoker.result_store, invoker.task_store) == (None, None)


def test_commands_of_a_rehearsal_are_unknown_outside(rehearsal, send):
    assert send.command_class.command_name in rehearsal.invoker.registry
    assert send.command_class.command_name not in default_registry


def test_commands_that_are_defined_later_are_known(rehearsal):
    class DefinedLater(PeriodicQueueCommand):
        def validate_datetime(self, dt):
            return True

        def execute(self):
            return "ran"

    rehearsal.clock.advance(60)
    try:
        assert [run.value for run in rehearsal.run_until_idle()] == ["ran"]
    finally:
        default_registry.unregister(DefinedLater.command_name)


def test_a_rehearsal_leaves_nothing_behind():
    before = list(default_registry.on_register)

    with Rehearsal():
        pass

    assert default_registry.on_register == before


def test_a_rehearsal_shares_nothing_with_the_next_one(rehearsal, send):
    send("ann")

    with Rehearsal() as other:
        assert other.invoker.queue.counts().ready == 0


def test_without_the_memory_backend_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huey_memory", None)

    with pytest.raises(PluginNotFound, match="pip install huey-memory"):
        Rehearsal()


def test_a_real_consumer_may_run_by_the_clock_of_the_test(rehearsal, invoker, send):
    result = send.using(expires=30)("ann")
    rehearsal.faults.fail_next("claim")

    with Consumer(invoker, threads=1, periodic=False).running():
        assert result.get(blocking=True, timeout=10) == "hello, ann"
        assert invoker.now() == rehearsal.clock.now()


def test_dead_letters_can_be_looked_at(rehearsal, invoker):
    @command(invoker)
    def fail():
        raise ZeroDivisionError("no")

    fail()
    rehearsal.run_until_idle(raises=False)

    assert [dead.reason for dead in invoker.queue.peek(State.DEAD)] == ["ZeroDivisionError: no"]
