"""A task that is delivered more than once, or that no message should name: what is run, and what is known of it.

Deliveries are claimed and run by hand here, as a consumer would, so that each comes in the order that a test is about.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.tasks import TaskResultStatus
from tasks.sample_tasks import add, calls, fail, kill_the_worker, note

from huey_core.backends.messages import State
from huey_core.exceptions import CommandException, CommandNotFound
from huey_core.features.results import write_result
from huey_core.invoker.runner import CommandRunner
from huey_django.tasks import invokers_of


@pytest.fixture
def invoker(backend):
    return invokers_of("default")["default"]


@pytest.fixture
def claim(invoker, eventually):
    """Claim the one message, also from a consumer whose lease has ended."""

    def claim(lease=60.0):
        return eventually(lambda: invoker.leased_queue.claim(1, lease).deliveries, "a delivery")[0]

    return claim


@pytest.fixture
def run(invoker):
    """Run a delivery, and say whether its outcome took effect."""

    def run(delivery):
        outcome, _ = CommandRunner(invoker).run(delivery)
        return invoker.leased_queue.settle([outcome])[0]

    return run


def write_call_of(invoker, path):
    """Write a message that names something else, as somebody could who can write to the queue."""
    note.enqueue("written")
    [stored] = invoker.leased_queue.peek(State.READY)
    command = invoker.codec.decode(stored.data)
    command.to_payload = lambda: {"task": path, "backend": "default", "queue": "default", "args": ["called"]}
    invoker.leased_queue.delete([stored.message_id])
    invoker.leased_queue.write(invoker.codec.encode(command), message_id=stored.message_id)
    return stored.message_id


def test_a_worker_that_was_killed_counts_as_an_attempt(claim, run):
    result = kill_the_worker.enqueue()
    with pytest.raises(KeyboardInterrupt):
        run(claim(lease=0.01))
    with pytest.raises(KeyboardInterrupt):
        run(claim())
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.RUNNING, 2)
    assert result.started_at < result.last_attempted_at


def test_a_task_that_kills_its_workers_has_failed_when_it_is_buried(new_url, configure, eventually):
    backend = configure(new_url(max_deliveries=1))
    [invoker] = {invokers_of("default")["default"]}
    result = kill_the_worker.enqueue()
    [delivery] = invoker.leased_queue.claim(1, 0.01).deliveries
    with pytest.raises(KeyboardInterrupt):
        CommandRunner(invoker).run(delivery)
    eventually(
        lambda: not invoker.leased_queue.claim(1, 60).deliveries and invoker.leased_queue.counts().dead, "it is buried"
    )
    got = backend.get_result(result.id)
    assert (got.status, got.attempts) == (TaskResultStatus.FAILED, 1)
    assert got.finished_at >= got.started_at
    assert got.errors[0].exception_class is CommandException
    assert "abandoned: no outcome recorded in 1 delivery" in got.errors[0].traceback


def test_a_record_that_can_be_seen_a_moment_after_the_burial_is_waited_for(invoker, claim, monkeypatch):
    result = fail.enqueue()
    outcome, _ = CommandRunner(invoker).run(claim())
    invoker.leased_queue.settle([replace(outcome, result=None)])

    def let_it_come(key, timeout):
        write_result(outcome.result)
        return True

    monkeypatch.setattr(invoker.result_store, "wait", let_it_come)
    result.refresh()
    assert [error.exception_class for error in result.errors] == [ValueError]


def test_what_a_later_version_wrote_about_a_task_is_passed_over(invoker, claim, run):
    result = note.using(retries=2).enqueue("once")
    [stored] = invoker.leased_queue.peek(State.READY)
    later = stored.data.replace(b'"options":{', b'"novelty":1,"options":{"urgency":"high",')
    invoker.leased_queue.delete([result.id])
    invoker.leased_queue.write(later, message_id=result.id)
    assert note.get_result(result.id) == result
    assert run(claim())


@pytest.mark.parametrize(
    ("task", "arguments", "status", "called", "errors"),
    [(note, ["once"], "SUCCESSFUL", ["once"], []), (fail, [], "FAILED", ["fail"], [ValueError])],
)
def test_a_late_consumer_does_not_run_what_has_ended_meanwhile(claim, run, task, arguments, status, called, errors):
    result = task.enqueue(*arguments)
    late = claim(lease=0.01)
    assert run(claim())
    assert not run(late)
    result.refresh()
    assert (result.status, result.attempts, calls) == (status, 1, called)
    assert [error.exception_class for error in result.errors] == errors


def test_the_end_of_a_late_run_changes_nothing(invoker, claim, run):
    result = add.enqueue(1, 2)
    late = claim(lease=0.01)
    outcome, _ = CommandRunner(invoker).run(late)
    assert run(claim())
    [was_settled] = invoker.leased_queue.settle([outcome])
    result.refresh()
    assert not was_settled
    assert (result.status, result.attempts, result.return_value) == (TaskResultStatus.SUCCESSFUL, 2, 3)


def test_signals_are_not_sent_for_what_is_not_run(claim, run, signals):
    note.enqueue("once")
    late = claim(lease=0.01)
    run(claim())
    run(late)
    assert [name for name, *_ in signals] == ["enqueued", "started", "finished"]


def test_a_run_that_cannot_be_written_is_a_run_all_the_same(invoker, claim, run, monkeypatch):
    def refuse(*_):
        raise OSError("the store is away")

    result = note.enqueue("once")
    delivery = claim()
    with monkeypatch.context() as patch:
        patch.setattr(invoker.result_store, "put_if_absent", refuse)
        assert run(delivery)
    result.refresh()
    assert (result.status, result.attempts, calls) == (TaskResultStatus.SUCCESSFUL, 1, ["once"])


@pytest.mark.parametrize(
    "path", ["tasks.sample_tasks.no_task", "os.system", "tasks.sample_tasks.nothing", "no.such.module", "plain"]
)
def test_only_a_task_can_be_called_by_a_message(invoker, claim, run, path):
    result_id = write_call_of(invoker, path)
    assert run(claim())
    [put_back] = invoker.leased_queue.find([result_id])
    assert (put_back.state, calls) == (State.SCHEDULED, [])


def test_a_result_of_what_is_no_task_is_told_by_name(backend, invoker):
    result_id = write_call_of(invoker, "tasks.sample_tasks.no_task")
    with pytest.raises(CommandNotFound, match=r"'tasks\.sample_tasks\.no_task' is no task"):
        backend.get_result(result_id)


def test_a_message_says_which_task_it_is_without_being_decoded(invoker):
    add.enqueue(1, 2)
    [stored] = invoker.leased_queue.peek(State.READY)
    assert b'"hdr":{"task":"tasks.sample_tasks.add"}' in stored.data.split(b"\n", 1)[0]
