"""With ``ALWAYS_EAGER`` a task runs in the caller, as in Django's immediate backend."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.tasks import TaskResultStatus, default_task_backend
from django.utils import timezone
from tasks.sample_tasks import (
    add,
    add_later,
    calls,
    fail,
    kill_the_worker,
    look_at_context,
    look_at_run,
    note,
    return_an_object,
)


@pytest.fixture(autouse=True)
def eager(settings, configure):
    """No queue at all, and so no place for results."""
    settings.HUEY = None
    settings.HUEY_CONFIG = {"ALWAYS_EAGER": True}
    configure(None)


def test_a_task_has_run_when_enqueue_returns():
    result = add.enqueue(1, 2)
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 3)
    assert result.enqueued_at <= result.started_at == result.last_attempted_at <= result.finished_at
    assert (result.task, result.attempts) == (add, 1)


def test_a_coroutine_function_is_run():
    assert add_later.enqueue(1, 2).return_value == 3


def test_a_task_has_its_context():
    result = look_at_context.enqueue("a")
    assert result.return_value == [1, result.id, "RUNNING", ["a"]]


def test_a_task_knows_the_run_of_its_command():
    result = look_at_run.enqueue()
    assert result.return_value == [result.id, 1, look_at_run.func.__module__]


def test_a_task_that_raised_has_failed_and_nothing_is_raised():
    result = fail.enqueue()
    assert (result.status, result.errors[0].exception_class) == (TaskResultStatus.FAILED, ValueError)


def test_a_value_that_json_does_not_have_is_a_failure():
    assert return_an_object.enqueue().errors[0].exception_class is TypeError


def test_an_interruption_reaches_the_caller():
    with pytest.raises(KeyboardInterrupt):
        kill_the_worker.enqueue()


def test_retries_follow_at_once():
    result = fail.using(retries=2, retry_delay=3600).enqueue()
    assert (result.status, result.attempts, len(result.errors)) == (TaskResultStatus.FAILED, 3, 3)


def test_delays_are_not_waited_for():
    assert add.using(run_after=timezone.now() + timedelta(days=1)).enqueue(1, 2).return_value == 3


def test_a_transaction_is_not_waited_for(db):
    with transaction.atomic():
        note.enqueue("now")
        assert calls == ["now"]


def test_signals_come_in_order(signals):
    add.enqueue(1, 2)
    assert [(name, result.status) for name, _, result in signals] == [
        ("enqueued", TaskResultStatus.READY),
        ("started", TaskResultStatus.RUNNING),
        ("finished", TaskResultStatus.SUCCESSFUL),
    ]


def test_without_a_place_for_results_none_can_be_got():
    result = add.enqueue(1, 2)
    assert not default_task_backend.supports_get_result
    with pytest.raises(NotImplementedError):
        add.get_result(result.id)


@pytest.mark.parametrize("task", [add, fail])
def test_with_a_place_for_results_they_can_be_got(settings, task):
    settings.HUEY = "memory://eager-results"
    result = task.enqueue(*[1, 2] if task is add else [])
    assert task.get_result(result.id) == result


def test_it_holds_for_a_backend_with_a_url_of_its_own(configure):
    configure("memory://eager-url")
    assert add.enqueue(1, 2).return_value == 3


def test_wrong_settings_are_told_by_enqueue(settings):
    settings.HUEY_CONFIG = {"ALWAYS_EAGR": True}
    with pytest.raises(ImproperlyConfigured, match="ALWAYS_EAGER"):
        add.enqueue(1, 2)
