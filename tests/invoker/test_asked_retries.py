"""Commands that ask to be tried again, and that cancel themselves, in single runs and at once in the caller."""

from __future__ import annotations

import logging
import pickle
from datetime import timedelta

import pytest

from huey_core import CommandCancelled, CommandRetry, current_command, hookimpl, queue_command
from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Ack, Bury, Retry
from huey_core.exceptions import CommandError, ConfigurationError
from huey_core.features.results import write_result
from huey_core.invoker.eager import MOST_RETRIES
from huey_core.invoker.endings import LEAST_POSTPONEMENT
from huey_core.invoker.runner import CommandRunner
from huey_core.message import read_header


class Ends:
    """Notes what observers are told."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def huey_command_retried(self, command, error, delay):
        self.seen.append(("retried", type(error).__name__, delay))

    @hookimpl
    def huey_command_failed(self, command, error):
        self.seen.append(("failed", type(error).__name__))

    @hookimpl
    def huey_command_cancelled(self, command):
        self.seen.append(("cancelled",))

    @hookimpl
    def huey_command_buried(self, reason):
        self.seen.append(("buried", reason))


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture
def observed(make_invoker, ends):
    return make_invoker(plugins=[ends])


@pytest.fixture
def run(observed):
    """Run a command that raises an error, once, after so many retries, and return its outcome."""

    def run(error, *, retried=0, **options):
        @queue_command(observed, name="ask", **options)
        def ask():
            raise error

        command = ask.command()
        command.retried = retried
        delivery = Delivery(observed.codec.encode(command), command.task_id, "receipt", 1)
        return CommandRunner(observed).run(delivery)[0]

    return run


@pytest.mark.parametrize(("delay", "seconds"), [(60, 60.0), (0.5, 0.5), (timedelta(minutes=2), 120.0)])
def test_a_command_that_asks_for_it_is_tried_again_after_its_delay_and_uses_up_no_retry(run, ends, delay, seconds):
    outcome = run(CommandRetry(delay), retries=2, retried=7)

    assert isinstance(outcome, Retry)
    assert outcome.delay == seconds
    header = read_header(outcome.data)
    assert (header.retries, header.retried) == (2, 8)
    assert ends.seen == [("retried", "CommandRetry", seconds)]


def test_it_goes_before_what_the_options_say_of_errors(run):
    assert isinstance(run(CommandRetry(1), give_up_on=CommandRetry, retry_on=OSError), Retry)


def test_without_a_delay_it_is_the_commands_own(run):
    assert run(CommandRetry(), retry_delay=10, retry_backoff=2, retried=2).delay == 40


def test_others_have_a_turn_before_a_command_that_wants_no_delay(run):
    assert run(CommandRetry(0)).delay == LEAST_POSTPONEMENT


def test_a_command_that_was_tried_again_as_often_as_it_may_has_failed_and_the_reason_says_so(run, ends):
    outcome = run(CommandRetry(60, max_retries=3), retries=5, retried=3)

    assert isinstance(outcome, Bury)
    reason = "CommandRetry: the command asks to be tried again, and has been 3 times already: its max_retries is 3"
    assert outcome.reason == reason
    assert ends.seen == [("failed", "CommandRetry"), ("buried", reason)]


def test_before_that_it_is_tried_again(run):
    assert isinstance(run(CommandRetry(60, max_retries=3), retried=2), Retry)


def test_one_that_failed_so_leaves_no_dead_letter_where_none_is_wanted(run):
    assert isinstance(run(CommandRetry(max_retries=0), keep_failed=False), Ack)


def test_the_log_says_who_asked_and_why(run, caplog):
    caplog.set_level(logging.INFO, "huey_core")
    asked = CommandRetry(60)
    asked.__cause__ = ConnectionError("refused")

    run(asked)

    [line] = [record.getMessage() for record in caplog.records if "tried again" in record.getMessage()]
    assert "<ask " in line
    assert line.endswith("asks to be tried again, retrying in 60 s, because of ConnectionError: refused")


def test_a_plugin_may_decide_otherwise(make_invoker):
    class Patient:
        @hookimpl
        def huey_retry_delay(self, error):
            return 3600.0 if isinstance(error, CommandRetry) else None

    invoker = make_invoker(plugins=[Patient()])

    @queue_command(invoker)
    def ask():
        raise CommandRetry(1)

    command = ask.command()
    outcome, _ = CommandRunner(invoker).run(Delivery(invoker.codec.encode(command), command.task_id, "receipt", 1))

    assert outcome.delay == 3600.0


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), True, "60", timedelta(seconds=-1)])
def test_a_delay_that_is_none_is_refused(delay):
    with pytest.raises(ConfigurationError, match=r"delay must be a number of seconds or a timedelta, of at least 0"):
        CommandRetry(delay)


@pytest.mark.parametrize("most", [-1, 1.5, True, "3"])
def test_a_number_of_retries_that_is_none_is_refused(most):
    with pytest.raises(ConfigurationError, match="max_retries must be a whole number of at least 0"):
        CommandRetry(max_retries=most)


def test_a_kind_of_ones_own_may_leave_out_what_it_does_not_need(run):
    class LimitReached(CommandRetry):
        def __init__(self, delay):
            self.delay = delay

    assert run(LimitReached(5.0)).delay == 5.0


def test_it_can_be_pickled():
    back = pickle.loads(pickle.dumps(CommandRetry(timedelta(minutes=1), 3)))

    assert (back.delay, back.max_retries, str(back)) == (60.0, 3, "the command asks to be tried again in 60 s")


def test_a_command_that_cancels_itself_is_neither_retried_nor_buried(run, ends):
    outcome = run(CommandCancelled("there is nothing to do"), retries=3, retry_on=CommandCancelled)

    assert isinstance(outcome, Ack)
    assert ends.seen == [("cancelled",)]


@pytest.mark.parametrize(("text", "told"), [("nothing to do", "nothing to do"), ("", "ask .* has cancelled itself")])
def test_whoever_waits_for_a_command_that_cancels_itself_gets_its_text(run, observed, text, told):
    outcome = run(CommandCancelled(text))
    write_result(outcome.result)

    with pytest.raises(CommandCancelled, match=f"^{told}$") as cancelled:
        observed.result(outcome.result.key).get()
    assert cancelled.value.task_id == outcome.result.key


def test_a_command_that_lets_the_cancellation_of_another_one_through_has_failed(make_invoker):
    invoker = make_invoker(always_eager=True)

    @queue_command(invoker)
    def inner():
        raise CommandCancelled

    @queue_command(invoker)
    def outer():
        return inner().get()

    @queue_command(invoker)
    def outer_that_gives_up():
        try:
            return inner().get()
        except CommandCancelled as error:
            raise CommandCancelled("without the other one there is nothing to do") from error

    with pytest.raises(CommandError, match="CommandCancelled"):
        outer().get()
    with pytest.raises(CommandCancelled, match="without the other one"):
        outer_that_gives_up().get()


def test_at_once_in_the_caller_a_command_is_tried_again_until_it_asks_no_more(make_invoker):
    @queue_command(make_invoker(always_eager=True))
    def poll():
        if current_command().retry_count < 5:
            raise CommandRetry(60)
        return current_command().retry_count

    assert poll().get() == 5


@pytest.mark.parametrize("results", [True, False])
def test_at_once_in_the_caller_one_that_never_ends_to_ask_is_given_up(make_invoker, results):
    runs = []

    @queue_command(make_invoker(always_eager=True, results=results))
    def poll():
        runs.append(current_command().retry_count)
        raise CommandRetry(60)

    with pytest.raises(CommandRetry) as asked:
        poll()

    assert len(runs) == MOST_RETRIES + 1
    assert asked.value.__notes__ == ["with always_eager, which waits for nothing, it has asked for that 1,001 times"]
