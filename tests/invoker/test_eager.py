"""Running commands at once in the caller."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from huey_core import CommandRegistry, QueueCommand, queue_command
from huey_core.exceptions import CommandError, CommandNotFound, EncodeError


def test_nothing_is_written_to_the_queue(make_invoker):
    invoker = make_invoker(always_eager=True)

    @queue_command(invoker)
    def double(num):
        return 2 * num

    assert double(4).get() == 8
    assert invoker.queue.counts().ready == 0


def test_arguments_go_through_the_serializer(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)

    @queue_command(invoker)
    def show(thing):
        return thing

    with pytest.raises(EncodeError):
        show(object())


def test_an_argument_is_a_copy_as_it_is_in_the_consumer(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)

    @queue_command(invoker)
    def spoil(things):
        things.append("spoilt")

    things = []
    spoil(things)

    assert things == []


def test_an_error_is_raised_in_the_caller_without_a_result_store(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)

    @queue_command(invoker)
    def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        fail()


def test_an_error_is_kept_for_get_with_a_result_store(make_invoker):
    invoker = make_invoker(always_eager=True)

    @queue_command(invoker)
    def fail():
        raise LookupError("gone")

    result = fail()

    with pytest.raises(CommandError, match="gone"):
        result.get()


def test_retries_happen_at_once(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)
    attempts = []

    @queue_command(invoker, retries=2, retry_delay=3600)
    def fragile():
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("not yet")
        return "done"

    assert fragile() == "done"
    assert len(attempts) == 3


def test_a_scheduled_call_runs_at_once(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)

    @queue_command(invoker)
    def later():
        return "now"

    assert later.schedule(eta=datetime.now() + timedelta(days=1)) == "now"


def test_many_commands_run_in_order(make_invoker):
    invoker = make_invoker(results=False, always_eager=True)

    @queue_command(invoker)
    def double(num):
        return 2 * num

    assert invoker.enqueue_many([double.command(1), double.command(2)]) == [2, 4]


@pytest.mark.parametrize("results", [True, False])
def test_a_command_that_cannot_be_read_is_an_error_in_the_caller(make_invoker, results):
    invoker = make_invoker(results=results, always_eager=True)

    class Stranger(QueueCommand):
        registry = CommandRegistry()

        def execute(self): ...

    with pytest.raises(CommandNotFound):
        invoker.enqueue(Stranger())


def test_a_call_of_which_nothing_is_known_is_an_error_in_the_caller(make_invoker, monkeypatch):
    invoker = make_invoker(always_eager=True)

    @queue_command(invoker)
    def double(num):
        return 2 * num

    def fail(keys):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(invoker.task_store, "peek_many", fail)

    with pytest.raises(ConnectionError, match="cable"):
        double(4)
