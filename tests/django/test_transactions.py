"""A command that is enqueued in a transaction is written when that is committed."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import override_settings

from huey_core import QueueCommand
from huey_core.exceptions import EncodeError
from huey_django import get_invoker, queue_command

pytestmark = pytest.mark.django_db(transaction=True)


@queue_command(name="transactions.add")
def add(a, b):
    return a + b


@queue_command(name="transactions.at_once", on_commit=False)
def at_once():
    pass


def length():
    return len(get_invoker().queue)


@pytest.fixture(autouse=True)
def empty_queue():
    get_invoker().flush()
    yield
    get_invoker().flush()


def test_nothing_is_written_before_the_commit():
    with transaction.atomic():
        add(1, 2)
        assert length() == 0
    assert length() == 1


def test_a_transaction_that_is_rolled_back_enqueues_nothing():
    with transaction.atomic():
        add(1, 2)
        transaction.set_rollback(True)
    assert length() == 0


def test_the_id_is_known_before_the_commit_and_is_that_of_the_message():
    with transaction.atomic():
        handle = add(1, 2)
    [message] = get_invoker().leased_queue.peek("ready")
    assert message.message_id == handle.task_id


def test_a_command_may_say_that_it_does_not_wait():
    with transaction.atomic():
        at_once()
        assert length() == 1


def test_a_call_may_say_that_it_does_not_wait():
    with transaction.atomic():
        add.using(on_commit=False)(1, 2)
        assert length() == 1


def test_the_setting_decides_for_commands_that_do_not():
    with override_settings(HUEY_CONFIG={"ON_COMMIT": False}), transaction.atomic():
        add(1, 2)
        assert length() == 1


def test_a_class_of_commands_that_leaves_it_open_waits_as_the_setting_says():
    class Open(QueueCommand, declare=False):
        command_name = "transactions.open"
        on_commit = None

    with transaction.atomic():
        get_invoker().enqueue(Open({}))
        assert length() == 0


def test_what_cannot_be_carried_is_told_at_the_call():
    with transaction.atomic(), pytest.raises(EncodeError):
        add(object(), 2)


def test_arguments_are_those_of_the_call_and_not_of_the_commit():
    numbers = [1]
    with transaction.atomic():
        add(numbers, [])
        numbers.append(2)
    assert get_invoker().dequeue().data == ([[1], []], {})


def test_several_commands_come_back_as_handles_in_their_order():
    first, second, third = add.command(1, 1), at_once.command(), add.command(3, 3)
    with transaction.atomic():
        handles = get_invoker().enqueue_many([first, second, third])
        assert length() == 1
    assert [handle.task_id for handle in handles] == [first.task_id, second.task_id, third.task_id]


def test_after_the_commit_the_handle_of_a_duplicate_is_that_of_the_live_command():
    live = add.using(unique_key="sum")(1, 2)
    with transaction.atomic():
        handle = add.using(unique_key="sum")(1, 2)
        assert handle.task_id != live.task_id
    assert handle.task_id == live.task_id


def test_of_several_commands_each_handle_follows_its_own():
    live = add.using(unique_key="sum")(1, 2)
    first, last = add.command(1, 1), at_once.command()
    with transaction.atomic():
        handles = get_invoker().enqueue_many([last, add.using(unique_key="sum").command(1, 2), first])
    assert [handle.task_id for handle in handles] == [last.task_id, live.task_id, first.task_id]


def test_outside_of_a_transaction_a_command_is_written_at_once():
    add(1, 2)
    assert length() == 1


@pytest.fixture
def beside():
    """Another queue, which nothing is left of afterwards."""
    beside = get_invoker().on_queue("transactions-beside")
    beside.flush()
    yield beside
    beside.flush()


def test_a_command_of_another_queue_waits_for_the_commit_too(beside):
    with transaction.atomic():
        handle = add.using(queue=beside.queue.name)(1, 2)
        assert len(beside.queue) == 0

    [message] = beside.leased_queue.peek("ready")
    assert message.message_id == handle.task_id
    assert handle.invoker is beside
    assert length() == 0


def test_commands_of_several_queues_and_transactions_come_back_in_their_order(beside):
    commands = [
        add.using(queue=beside.queue.name).command(1, 1),
        at_once.command(),
        add.command(3, 3),
        at_once.using(queue=beside.queue.name).command(),
    ]
    with transaction.atomic():
        handles = get_invoker().enqueue_many(commands)
        assert (len(beside.queue), length()) == (1, 1)

    assert [handle.task_id for handle in handles] == [command.task_id for command in commands]
    assert [handle.invoker.queue.name for handle in handles[:2]] == [beside.queue.name, get_invoker().queue.name]
    assert (len(beside.queue), length()) == (2, 2)


def test_a_call_from_asyncio_waits_for_the_commit():
    with transaction.atomic():
        handle = async_to_sync(add.acall)(1, 2)
        assert length() == 0
    [message] = get_invoker().leased_queue.peek("ready")
    assert message.message_id == handle.task_id


def test_a_call_from_asyncio_in_a_transaction_that_is_rolled_back_enqueues_nothing():
    with transaction.atomic():
        async_to_sync(add.acall)(1, 2)
        transaction.set_rollback(True)
    assert length() == 0


def test_a_call_from_asyncio_may_say_that_it_does_not_wait():
    with transaction.atomic():
        async_to_sync(at_once.acall)()
        assert length() == 1


def test_outside_of_a_transaction_a_call_from_asyncio_is_written_at_once():
    asyncio.run(add.acall(1, 2))
    assert length() == 1


def test_several_commands_from_asyncio_wait_each_for_its_own_commit():
    async def enqueue():
        return await get_invoker().aenqueue_many(command for command in (add.command(1, 1), at_once.command()))

    with transaction.atomic():
        handles = async_to_sync(enqueue)()
        [message] = get_invoker().leased_queue.peek("ready")
        assert message.message_id == handles[1].task_id
    assert length() == 2


def test_what_cannot_be_carried_is_told_at_a_call_from_asyncio():
    with transaction.atomic(), pytest.raises(EncodeError):
        async_to_sync(add.acall)(object(), 2)


@override_settings(HUEY_CONFIG={"ALWAYS_EAGER": True})
def test_a_call_from_asyncio_that_is_to_run_at_once_sees_the_rows_of_its_transaction(django_user_model):
    loops = []

    @queue_command(name="transactions.count")
    def count():
        return django_user_model.objects.count()

    @queue_command(name="transactions.count_in_a_coroutine")
    async def count_in_a_coroutine():
        loops.append(asyncio.get_running_loop())
        return await django_user_model.objects.acount()

    async def call():
        loops.append(asyncio.get_running_loop())
        return await (await count.acall()), await (await count_in_a_coroutine.acall())

    with transaction.atomic():
        django_user_model.objects.create(username="ann")
        counts = async_to_sync(call)()
        transaction.set_rollback(True)

    assert counts == (1, 1)
    assert loops[0] is loops[1]
