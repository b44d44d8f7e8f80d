"""Running commands at once in the caller."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from huey_core import CommandRegistry, QueueCommand, queue_command
from huey_core.exceptions import CommandError, CommandNotFound, EncodeError
from huey_core.invoker import placed as invoker_module
from huey_core.invoker.eager import EagerGroups
from odd_errors import ODD
from plain_backend import PlainStore


@pytest.fixture
def invoker(make_invoker):
    return make_invoker(always_eager=True)


@pytest.fixture
def without_results(make_invoker):
    """An eager invoker whose calls return what their functions return, or raise what they raise."""
    return make_invoker(results=False, always_eager=True)


def test_nothing_is_written_to_the_queue(invoker):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    assert double(4).get() == 8
    assert invoker.queue.counts().ready == 0


def test_an_error_whose_attributes_raise_is_an_error_for_the_caller(invoker):
    @queue_command(invoker)
    def fail():
        raise ODD["attributes that raise"]

    with pytest.raises(CommandError):
        fail().get()


def test_arguments_go_through_the_serializer(without_results):
    @queue_command(without_results)
    def show(thing):
        return thing

    with pytest.raises(EncodeError):
        show(object())


def test_an_argument_is_a_copy_as_it_is_in_the_consumer(without_results):
    @queue_command(without_results)
    def spoil(things):
        things.append("spoilt")

    things = []
    spoil(things)

    assert things == []


def test_an_error_is_raised_in_the_caller_without_a_result_store(without_results):
    @queue_command(without_results)
    def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        fail()


def test_an_error_is_kept_for_get_with_a_result_store(invoker):
    @queue_command(invoker)
    def fail():
        raise LookupError("gone")

    result = fail()

    with pytest.raises(CommandError, match="gone"):
        result.get()


def test_a_wait_for_a_command_that_returned_none_ends(invoker):
    @queue_command(invoker)
    def nothing(): ...

    assert nothing().get(blocking=True, timeout=0) is None


def test_a_wait_ends_though_nothing_is_stored(invoker):
    invoker.result_store = PlainStore("results")

    @queue_command(invoker, store_result=False)
    def secret():
        return "hush"

    assert secret().get(blocking=True, timeout=0) is None


def test_retries_happen_at_once(without_results):
    attempts = []

    @queue_command(without_results, retries=2, retry_delay=3600)
    def fragile():
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("not yet")
        return "done"

    assert fragile() == "done"
    assert len(attempts) == 3


def test_a_scheduled_call_runs_at_once(without_results):
    @queue_command(without_results)
    def later():
        return "now"

    assert later.schedule(eta=datetime.now() + timedelta(days=1)) == "now"


def test_many_commands_run_in_order(without_results):
    @queue_command(without_results)
    def double(num):
        return 2 * num

    assert without_results.enqueue_many([double.command(1), double.command(2)]) == [2, 4]


@pytest.mark.parametrize("results", [True, False])
def test_a_command_that_cannot_be_read_is_an_error_in_the_caller(make_invoker, results):
    invoker = make_invoker(results=results, always_eager=True)

    class Stranger(QueueCommand):
        registry = CommandRegistry()

        def execute(self): ...

    with pytest.raises(CommandNotFound):
        invoker.enqueue(Stranger())


def test_a_call_of_which_nothing_is_known_is_an_error_in_the_caller(invoker, monkeypatch):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    def fail(keys):
        raise ConnectionError("the cable is out")

    monkeypatch.setattr(invoker.task_store, "peek_many", fail)

    with pytest.raises(ConnectionError, match="cable"):
        double(4)


def run_inside_a_loop(function):
    async def call():
        return function()

    return asyncio.run(call())


def test_a_command_sees_the_context_of_its_caller_and_leaves_it_as_it_was(without_results):
    tenant = contextvars.ContextVar("tenant", default=None)

    @queue_command(without_results)
    def bill():
        before = tenant.get()
        tenant.set("the command's")
        return before

    token = tenant.set("the caller's")

    assert bill() == "the caller's"
    assert tenant.get() == "the caller's"
    tenant.reset(token)


def test_a_coroutine_function_runs_outside_of_a_loop(without_results):
    @queue_command(without_results)
    async def double(num):
        await asyncio.sleep(0)
        return 2 * num

    assert double(4) == 8


def test_a_coroutine_function_runs_inside_a_loop_too(invoker):
    @queue_command(invoker)
    async def double(num):
        await asyncio.sleep(0)
        return 2 * num

    async def call():
        return await double(4)

    assert asyncio.run(call()) == 8


def test_an_error_of_a_coroutine_inside_a_loop_is_raised_in_the_caller(without_results):
    @queue_command(without_results)
    async def fail():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_inside_a_loop(fail)


def test_a_coroutine_that_is_cancelled_inside_a_loop_is_an_error_of_the_command(without_results):
    @queue_command(without_results)
    async def give_up():
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="the coroutine was cancelled"):
        run_inside_a_loop(give_up)


def test_a_coroutine_sees_the_context_of_its_caller_inside_a_loop(without_results):
    tenant = contextvars.ContextVar("tenant")

    @queue_command(without_results)
    async def who():
        return tenant.get()

    def call():
        tenant.set("ann")
        return who()

    assert run_inside_a_loop(call) == "ann"


def test_a_retry_sees_the_arguments_of_the_call(without_results):
    seen = []

    @queue_command(without_results, retries=1)
    def use_up(addresses, *, notes):
        seen.append((list(addresses), dict(notes)))
        addresses.clear()
        notes["tried"] = True
        if len(seen) == 1:
            raise ConnectionError

    use_up(["ann", "bob"], notes={})

    assert seen == [(["ann", "bob"], {})] * 2


def test_a_retry_of_a_class_sees_what_the_run_has_left(without_results):

    class Count(QueueCommand, declare=False):
        def execute(self):
            self.data["runs"] += 1
            if self.data["runs"] < 3:
                raise ConnectionError
            return self.data["runs"]

    without_results.registry.register(Count)

    assert without_results.enqueue(Count({"runs": 0}, overrides={"retries": 5})) == 3


def test_threads_that_run_the_first_commands_at_once_share_the_groups(invoker, monkeypatch):
    both_make = threading.Barrier(2)

    def make():
        with suppress(threading.BrokenBarrierError):
            both_make.wait(1)
        return EagerGroups()

    monkeypatch.setattr(invoker_module, "EagerGroups", make)

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: invoker.eager_groups, range(2))

    assert one is other
