"""What a run by the clock leaves behind: no result, and one dead letter of each command."""

from __future__ import annotations

import pytest

from huey_core import crontab, periodic_command, queue_command
from huey_core.backends.base import EmptyData
from huey_core.backends.json_value import JSONValue
from huey_core.backends.messages import State
from huey_core.exceptions import CommandError


@pytest.fixture
def fails(invoker):
    @periodic_command(invoker, crontab())
    def fails():
        raise ValueError("every time")

    return fails


def tick(function, minute=0):
    """Enqueue a run by the clock, and return its id."""
    command = function.command()
    command.tick_at = minute * 60
    function.invoker.enqueue(command)
    return command.task_id


def dead_letters(invoker):
    return {each.message_id for each in invoker.queue.peek(State.DEAD)}


@pytest.mark.parametrize(
    ("options", "stored"), [({}, False), ({"store_result": False}, False), ({"store_result": True}, True)]
)
def test_the_result_of_a_tick_is_stored_only_when_asked_for(invoker, run_consumer, eventually, options, stored):
    @periodic_command(invoker, crontab(), **options)
    def count():
        return 5

    consumer = run_consumer(invoker)
    task_id = tick(count)
    eventually(lambda: consumer.stats.done == 1)

    assert (invoker.results.peek(task_id) is not EmptyData) is stored


def test_a_call_of_a_periodic_command_has_a_result(invoker, result_of):
    @periodic_command(invoker, crontab())
    def count():
        return 5

    assert result_of(count()) == 5


def test_a_tick_that_is_tried_again_is_a_tick(invoker, run_consumer, eventually):
    @periodic_command(invoker, crontab(), retries=1)
    def fails():
        raise ValueError("every time")

    run_consumer(invoker)
    task_id = tick(fails)
    eventually(lambda: dead_letters(invoker) == {task_id})

    assert invoker.results.peek(task_id) is EmptyData


def test_a_dead_letter_takes_the_place_of_that_of_an_earlier_tick(invoker, fails, run_consumer, eventually):
    run_consumer(invoker)
    first = tick(fails, 1)
    eventually(lambda: dead_letters(invoker) == {first})

    second = tick(fails, 2)

    eventually(lambda: dead_letters(invoker) == {second})


def test_the_dead_letter_of_a_call_stays(invoker, fails, run_consumer, eventually):
    run_consumer(invoker)
    call = fails()
    with pytest.raises(CommandError):
        call.get(blocking=True, timeout=10)
    first = tick(fails, 1)
    eventually(lambda: dead_letters(invoker) == {call.task_id, first})

    second = tick(fails, 2)

    eventually(lambda: dead_letters(invoker) == {call.task_id, second})


def test_a_dead_letter_that_was_requeued_is_left_alone(invoker, fails, run_consumer, eventually):
    consumer = run_consumer(invoker)
    first = tick(fails, 1)
    eventually(lambda: dead_letters(invoker) == {first})
    consumer.stop()
    invoker.queue.requeue([first])
    [delivery] = invoker.queue.claim(1, 60).deliveries
    run_consumer(invoker)

    second = tick(fails, 2)
    latest = JSONValue(invoker.task_store, "dead-tick:" + fails.command_class.command_name, "")
    eventually(lambda: latest.read() == second)
    eventually(lambda: dead_letters(invoker) == {second})

    assert invoker.queue.find([delivery.message_id])


def test_that_of_a_tick_that_kills_its_consumers_takes_the_place_too(invoker, fails, run_consumer, eventually):
    consumer = run_consumer(invoker)
    first = tick(fails, 1)
    eventually(lambda: dead_letters(invoker) == {first})
    consumer.stop()
    second = tick(fails, 2)
    for _ in range(invoker.queue.max_deliveries):
        eventually(lambda: invoker.queue.claim(1, lease=0.001).deliveries)

    run_consumer(invoker)

    eventually(lambda: dead_letters(invoker) == {second})


def test_each_kept_schedule_of_a_command_keeps_its_own_dead_letter(invoker, run_consumer, eventually):
    @queue_command(invoker)
    def fails(kind):
        raise ValueError("every time")

    def kept_tick(name, minute):
        record, table = invoker.schedules.record.read(), invoker.command_options
        command = record.kept[name].make_command(invoker.codec, table)
        command.mark_tick(minute * 60, None)
        invoker.enqueue(command)
        return command.task_id

    for name in ("pdf", "html"):
        invoker.schedules.add(name, fails.command(name), crontab())
    kept_tick("pdf", 1)
    last_ones = {kept_tick("html", 1), kept_tick("pdf", 2)}

    run_consumer(invoker, threads=1)

    eventually(lambda: dead_letters(invoker) == last_ones)
