"""What a command knows of its run."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading

import pytest

from huey_core import QueueCommand, current_command, hookimpl, queue_command
from huey_core.backends.messages import Delivery
from huey_core.exceptions import NoCurrentCommand
from huey_core.invoker.runner import CommandRunner


def look():
    run = current_command()
    return {
        "task_id": run.task_id,
        "name": run.name,
        "delivery_count": run.delivery_count,
        "retries_left": run.retries_left,
        "retry_count": run.retry_count,
        "headers": dict(run.headers),
        "enqueued_at": run.enqueued_at,
    }


async def look_later():
    await asyncio.sleep(0)
    return await asyncio.to_thread(look)


class Look(QueueCommand, declare=False):
    def execute(self):
        return look()


@pytest.fixture
def eager(make_invoker):
    return make_invoker(results=False, always_eager=True)


@pytest.mark.parametrize("written_as", [look, look_later, Look])
def test_a_command_knows_its_run(invoker, written_as):
    if written_as is Look:
        invoker.registry.register(Look)
        command = Look()
    else:
        command = queue_command(invoker)(written_as).command()
    command.retries, command.retried, command.headers, command.enqueued_at = 2, 4, {"trace": "1"}, 5.0
    delivery = Delivery(invoker.codec.encode(command), command.task_id, "receipt", 3)

    _, execution = CommandRunner(invoker).run(delivery)

    assert execution.value == {
        "task_id": command.task_id,
        "name": command.command_name,
        "delivery_count": 3,
        "retries_left": 2,
        "retry_count": 4,
        "headers": {"trace": "1"},
        "enqueued_at": 5.0,
    }


def test_a_consumers_command_knows_its_run(invoker, run_consumer):
    call = queue_command(invoker)(look)()
    run_consumer(invoker, threads=1)

    assert call.get(blocking=True, timeout=30)["task_id"] == call.task_id


def test_each_try_has_a_run_of_its_own(eager):
    seen = []

    @queue_command(eager, retries=2)
    def fragile():
        seen.append((current_command().retries_left, current_command().delivery_count))
        raise LookupError

    with pytest.raises(LookupError):
        fragile()

    assert seen == [(2, 1), (1, 1), (0, 1)]


def test_a_command_that_is_run_within_another_has_a_run_of_its_own(eager):
    @queue_command(eager)
    def inner():
        return current_command().name

    @queue_command(eager)
    def outer():
        return [inner(), current_command().name]

    assert outer() == [inner.command_class.command_name, outer.command_class.command_name]


def test_the_hooks_around_a_run_know_it_and_those_of_an_enqueueing_know_who_enqueues(make_invoker):
    seen = []

    class Watcher:
        @hookimpl
        def huey_before_execute(self, command):
            seen.append(("runs", current_command().task_id == command.task_id))

        @hookimpl
        def huey_before_enqueue(self, command):
            if seen:
                seen.append(("enqueues", current_command().task_id != command.task_id))

    eager = make_invoker(results=False, always_eager=True, plugins=[Watcher()])

    @queue_command(eager)
    def inner(): ...

    @queue_command(eager)
    def outer():
        inner()

    outer()

    assert seen == [("runs", True), ("enqueues", True), ("runs", True)]


def test_a_run_cannot_be_changed(eager):
    @queue_command(eager)
    def meddle():
        run = current_command()
        with pytest.raises(AttributeError):
            run.retries_left = 5
        run.headers["trace"] = "2"
        return run.headers

    assert meddle() == {}


def test_a_command_can_pass_its_headers_on(eager):
    @queue_command(eager)
    def child(headers):
        return headers

    @queue_command(eager)
    def parent():
        return child(current_command().headers)

    command = parent.command()
    command.headers = {"trace": "1"}

    assert eager.enqueue(command) == {"trace": "1"}


def test_a_thread_knows_the_run_in_a_copy_of_its_context_only(eager):
    found = []

    def ask():
        try:
            found.append(current_command().name)
        except NoCurrentCommand:
            found.append(None)

    @queue_command(eager)
    def start_threads():
        for target, args in ((ask, ()), (contextvars.copy_context().run, (ask,))):
            thread = threading.Thread(target=target, args=args)
            thread.start()
            thread.join()

    start_threads()

    assert found == [None, start_threads.command_class.command_name]


@pytest.mark.parametrize("end", ["success", "failure"])
def test_a_thread_that_outlives_its_run_is_told_that_nothing_can_follow_it_any_more(eager, end):
    ended, threads, errors = threading.Event(), [], []

    @queue_command(eager)
    def follow():
        raise AssertionError("nobody is to run it")

    def ask_too_late():
        ended.wait(30)
        try:
            current_command().then(follow.command())
        except NoCurrentCommand as error:
            errors.append(error)

    @queue_command(eager)
    def start_thread():
        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(ask_too_late,)))
        threads[0].start()
        if end == "failure":
            raise ValueError("as planned")

    with contextlib.suppress(ValueError):
        start_thread()
    ended.set()
    threads[0].join()

    [error] = errors
    assert "has ended" in str(error)


def test_a_thread_that_is_waited_for_may_say_what_follows(eager):
    followed = []

    @queue_command(eager)
    def follow():
        followed.append("it")

    @queue_command(eager)
    async def ask_in_a_thread():
        await asyncio.to_thread(lambda: current_command().then(follow.command()))

    ask_in_a_thread()

    assert followed == ["it"]


def test_outside_of_a_command_there_is_none(eager):
    queue_command(eager)(look)()

    with pytest.raises(RuntimeError, match="no command runs here"):
        current_command()


def test_what_is_logged_names_the_command_and_goes_to_the_logger_of_its_module(eager, caplog):
    caplog.set_level(logging.INFO)

    @queue_command(eager)
    def work():
        current_command().log.info("at %d", 5, extra={"row": 5})
        return current_command().task_id

    task_id = work()

    [record] = caplog.records
    assert (record.name, record.getMessage(), record.row) == (__name__, "at 5", 5)
    assert (record.command, record.task_id) == (work.command_class.command_name, task_id)
    assert (record.queue, record.delivery_count) == (eager.queue.name, 1)
