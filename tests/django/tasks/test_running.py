"""What becomes of a task in a consumer, on every kind of server."""

from __future__ import annotations

import gc
import logging
from datetime import timedelta

import pytest
from django.tasks import TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.tasks.signals import task_enqueued, task_finished, task_started
from tasks import sample_tasks
from tasks.sample_tasks import (
    add,
    add_later,
    calls,
    cancel_itself,
    echo,
    fail,
    fail_later,
    leave,
    look_at_context,
    miss_a_file,
    quote_bytes,
    raise_a_type_error,
    return_an_object,
    return_half_a_pair,
    return_itself,
    succeed_the_second_time,
    take_from_the_list,
    wait_at_the_gate,
)

from huey_core.backends.messages import State
from huey_django.tasks import records


def queue_of(backend):
    return backend.invoker().leased_queue


def test_a_task_that_returned_is_successful(run):
    result = run(add, 1, 2)
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 3)
    assert result.enqueued_at <= result.started_at == result.last_attempted_at <= result.finished_at
    assert (result.attempts, len(result.worker_ids), result.errors) == (1, 1, [])


def test_a_coroutine_function_is_run(run):
    assert run(add_later, 1, 2).return_value == 3


def test_an_error_about_a_file_whose_name_is_no_unicode_is_told(run):
    result = run(miss_a_file)
    assert result.status == TaskResultStatus.FAILED
    assert "no caf\\udce9.txt" in result.errors[0].traceback


@pytest.mark.parametrize("value", [None, [], {}, 0, "", [1, {"a": [None]}]])
def test_a_value_comes_back_as_it_is(run, value):
    assert run(echo, value).return_value == value


def test_a_context_tells_the_task_of_its_run(run):
    result = run(look_at_context, "a", "b")
    assert result.return_value == [1, result.id, "RUNNING", ["a", "b"]]


def test_every_queue_of_the_backend_has_a_consumer(run):
    assert run(add.using(queue_name="mail"), 1, 2).return_value == 3


def test_a_task_is_running_while_it_runs(backend, consume, finished, eventually):
    consume()
    result = wait_at_the_gate.enqueue()
    eventually(lambda: wait_at_the_gate.get_result(result.id).attempts, "the task runs")
    running = wait_at_the_gate.get_result(result.id)
    sample_tasks.gate.set()
    assert running.status == TaskResultStatus.RUNNING
    assert running.started_at == running.last_attempted_at >= result.enqueued_at
    assert (running.finished_at, len(running.worker_ids)) == (None, 1)
    assert finished(result).worker_ids == running.worker_ids


def test_a_task_that_raised_has_failed(run):
    result = run(fail)
    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    with pytest.raises(ValueError):  # noqa: PT011 - the text is that of Django
        result.return_value  # noqa: B018


def test_an_error_is_told_by_its_class_and_a_traceback_that_begins_at_the_task(run):
    [error] = run(fail).errors
    assert error.exception_class is ValueError
    first, *_, last = [line for line in error.traceback.splitlines() if not line.startswith("    ")][1:]
    assert "sample_tasks.py" in first
    assert last == "ValueError: it went wrong"


def test_an_error_that_python_cannot_format_is_told_all_the_same(run):
    [error] = run(quote_bytes).errors
    assert error.exception_class is SyntaxError
    assert "sample_tasks.py" in error.traceback
    assert "bad rule" in error.traceback


def test_a_task_that_exits_has_failed(run):
    assert run(leave).errors[0].exception_class is SystemExit


def test_a_coroutine_that_was_cancelled_has_failed(run):
    assert run(cancel_itself).errors[0].exception_class is RuntimeError


def test_a_value_that_json_does_not_have_is_a_failure(run):
    result = run(return_an_object)
    assert (result.status, result.errors[0].exception_class) == (TaskResultStatus.FAILED, TypeError)


@pytest.fixture
def without_collector():
    """Where a stack is used up, no finalizer can run that the collector calls there, and pytest reports each."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("task", [return_an_object, return_itself, return_half_a_pair])
def test_a_task_whose_value_cannot_be_kept_has_done_its_work_and_is_not_run_again(backend, run, task):
    result = run(task.using(retries=2))
    assert (result.status, result.attempts, len(result.errors)) == (TaskResultStatus.FAILED, 1, 1)
    assert len(calls) == 1
    [dead] = queue_of(backend).peek(State.DEAD)
    assert dead.reason.startswith("EncodeError: ")


def test_a_task_that_raises_the_same_itself_is_run_again(run):
    assert run(raise_a_type_error.using(retries=2)).attempts == 3


def test_arguments_that_do_not_fit_are_a_failure(run):
    assert run(add, 1).errors[0].exception_class is TypeError


def test_a_task_that_failed_is_a_dead_letter(backend, run):
    result = run(fail)
    [dead] = queue_of(backend).peek(State.DEAD)
    assert (dead.message_id, dead.reason) == (result.id, "ValueError: it went wrong")


@pytest.mark.parametrize("task", [fail, fail_later])
def test_the_traceback_of_a_dead_letter_begins_at_the_task(backend, run, task):
    run(task)
    [dead] = queue_of(backend).peek(State.DEAD)
    first = next(line for line in dead.detail.splitlines() if line.startswith("  File "))
    assert "sample_tasks.py" in first


@pytest.fixture
def replay(backend, eventually):
    """Make a dead letter ready, as soon as its queue lets go of it: MongoDB keeps the record with it for a moment."""
    return lambda result: eventually(lambda: queue_of(backend).requeue([result.id]) == [result.id], "it is requeued")


def test_a_dead_letter_that_is_replayed_is_ready_again(backend, run, replay):
    result = run(fail)
    queue_of(backend).pause()
    replay(result)
    result.refresh()
    assert (result.status, result.finished_at, result.attempts) == (TaskResultStatus.READY, None, 1)
    assert len(result.errors) == 1


def test_a_dead_letter_that_is_replayed_goes_on_with_its_history(run, replay, eventually):
    first = run(succeed_the_second_time)
    started_at = first.started_at
    replay(first)
    second = eventually(
        lambda: (result := succeed_the_second_time.get_result(first.id)).status == "SUCCESSFUL" and result, "success"
    )
    assert (second.return_value, second.attempts, second.started_at) == ("at last", 2, started_at)
    assert second.last_attempted_at > started_at
    assert [error.exception_class for error in second.errors] == [ValueError]


def test_a_retry_begins_with_what_was_passed(run):
    result = run(take_from_the_list.using(retries=1), ["a", "b"])
    assert (result.return_value, result.args, calls) == (["a"], [["a", "b"]], ["b", "b"])


def test_a_retry_adds_an_attempt_and_an_error(run):
    result = run(fail.using(retries=2))
    assert (result.status, result.attempts, len(calls)) == (TaskResultStatus.FAILED, 3, 3)
    assert [error.exception_class for error in result.errors] == [ValueError] * 3
    assert result.started_at < result.last_attempted_at


def test_a_task_that_will_be_retried_is_ready_and_tells_what_went_wrong(backend, consume, eventually):
    consume()
    result = fail.using(retries=1, retry_delay=3600).enqueue()
    eventually(lambda: queue_of(backend).counts().scheduled, "the retry is scheduled")
    result.refresh()
    assert (result.status, result.attempts, result.finished_at) == (TaskResultStatus.READY, 1, None)
    assert [error.exception_class for error in result.errors] == [ValueError]


def test_a_retry_may_succeed(run):
    result = run(succeed_the_second_time.using(retries=1))
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "at last")
    assert (result.attempts, len(result.errors)) == (2, 1)


def test_the_latest_errors_of_many_attempts_are_kept(run):
    result = run(fail.using(retries=24))
    assert (result.attempts, len(result.errors)) == (25, 20)


def test_the_options_of_the_backend_hold_for_tasks_that_do_not_say(new_url, configure, consume, finished):
    configure(new_url(), RETRIES=2)
    consume()
    assert finished(fail.enqueue()).attempts == 3
    assert finished(fail.using(retries=0).enqueue()).attempts == 1


def test_a_result_names_the_task_with_its_options(backend):
    asked = fail.using(retries=3, retry_on=(ValueError,), expires=timedelta(hours=1), priority=4)
    result = asked.enqueue()
    assert fail.get_result(result.id).task == asked


def test_a_failed_task_need_not_be_kept_as_a_dead_letter(backend, run):
    assert run(fail.using(keep_failed=False)).status == TaskResultStatus.FAILED
    assert queue_of(backend).counts().dead == 0


def test_a_task_that_expired_has_failed_without_a_run(backend, consume, finished, signals):
    result = add.using(expires=0).enqueue(1, 2)
    consume()
    finished(result)
    assert (result.status, result.attempts, result.started_at) == (TaskResultStatus.FAILED, 0, None)
    assert result.errors[0].exception_class.__name__ == "CommandExpired"
    assert [name for name, *_ in signals] == ["enqueued", "finished"]


def test_a_task_that_was_revoked_has_failed_without_a_run(backend, consume, finished):
    result = add.enqueue(1, 2)
    backend.invoker().revocations.revoke_call(result.id)
    consume()
    assert finished(result).errors[0].exception_class.__name__ == "CommandRevoked"


def test_a_result_is_gone_after_its_time(new_url, configure, consume, eventually):
    configure(new_url(result_ttl="50ms"))
    consume()
    result = add.enqueue(1, 2)

    def is_gone():
        try:
            result.refresh()
        except TaskResultDoesNotExist:
            return True
        return False

    eventually(is_gone, "the result is forgotten")


def test_a_dead_letter_is_a_failure_for_longer_than_its_record_is_kept(
    new_url, configure, consume, eventually, monkeypatch
):
    # A record that follows is not waited for: this one is gone.
    monkeypatch.setattr(records, "ON_ITS_WAY", 0.0)
    backend = configure(new_url(result_ttl="50ms"))
    consume()
    result = fail.enqueue()
    eventually(lambda: queue_of(backend).counts().dead, "it is buried")
    store = backend.invoker().result_store
    eventually(lambda: not store.peek(f"django-task:{result.id}"), "its record is forgotten")
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert "ValueError: it went wrong" in result.errors[0].traceback


def test_signals_tell_of_every_step(backend, consume, finished, signals):
    result = add.enqueue(1, 2)
    consume()
    finished(result)
    assert [(name, sender, result.status) for name, sender, result in signals] == [
        ("enqueued", type(backend), TaskResultStatus.READY),
        ("started", type(backend), TaskResultStatus.RUNNING),
        ("finished", type(backend), TaskResultStatus.SUCCESSFUL),
    ]


def test_a_task_has_finished_when_no_retry_follows(backend, consume, finished, signals):
    result = fail.using(retries=1).enqueue()
    consume()
    finished(result)
    assert [name for name, *_ in signals] == ["enqueued", "started", "started", "finished"]
    assert (signals[-1][2].status, len(signals[-1][2].errors)) == (TaskResultStatus.FAILED, 2)


def test_a_receiver_that_raises_harms_neither_the_caller_nor_the_task(backend, consume, finished):
    def refuse(**_):
        raise LookupError("a receiver")

    consume()
    every = (task_enqueued, task_started, task_finished)
    for signal in every:
        signal.connect(refuse)
    try:
        assert finished(add.enqueue(1, 2)).return_value == 3
    finally:
        for signal in every:
            signal.disconnect(refuse)


def test_the_traceback_that_django_logs_begins_at_the_task(backend, consume, finished, caplog):
    with caplog.at_level(logging.ERROR, "django.tasks"):
        consume()
        finished(fail.enqueue())
    [logged] = [record.exc_info[2] for record in caplog.records if record.name == "django.tasks"]
    assert logged.tb_frame.f_code is fail.func.__code__


def test_the_traceback_of_a_call_that_does_not_fit_has_no_frame_of_the_consumer(run):
    [error] = run(fail, "too much").errors
    assert error.exception_class is TypeError
    assert "runner.py" not in error.traceback
    assert "pluggy" not in error.traceback


def test_django_logs_a_failure_with_its_traceback(backend, consume, finished, caplog):
    with caplog.at_level(logging.DEBUG, "django.tasks"):
        result = fail.enqueue()
        consume()
        finished(result)
    records = [record for record in caplog.records if record.name == "django.tasks"]
    assert [record.levelname for record in records] == ["DEBUG", "INFO", "ERROR"]
    assert all(result.id in record.getMessage() for record in records)
    assert "it went wrong" in str(records[-1].exc_info[1])
