"""A task that is enqueued in a transaction is written when that is committed, as a command is."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.tasks import TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from tasks.sample_tasks import add, note

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def enqueued(backend):
    """How many tasks the queue has."""
    return lambda: len(backend.invoker().queue)


def test_a_task_is_written_at_the_commit(enqueued):
    with transaction.atomic():
        result = add.enqueue(1, 2)
        assert (result.status, enqueued()) == (TaskResultStatus.READY, 0)
    assert enqueued() == 1
    assert add.get_result(result.id) == result


def test_before_the_commit_there_is_no_such_task_for_anybody(backend):
    with transaction.atomic():
        result = add.enqueue(1, 2)
        with pytest.raises(TaskResultDoesNotExist):
            result.refresh()


def test_a_transaction_that_is_rolled_back_enqueues_nothing(enqueued, signals):
    with transaction.atomic():
        result = add.enqueue(1, 2)
        transaction.set_rollback(True)
    assert (enqueued(), signals) == (0, [])
    with pytest.raises(TaskResultDoesNotExist):
        result.refresh()


def test_the_signal_comes_after_the_commit(backend, signals):
    with transaction.atomic():
        result = add.enqueue(1, 2)
        assert signals == []
    assert [(name, sent) for name, _, sent in signals] == [("enqueued", result)]


def test_what_json_does_not_have_is_told_at_once(backend):
    with transaction.atomic(), pytest.raises(TypeError):
        note.enqueue(object())


def test_a_backend_may_say_that_its_tasks_do_not_wait(new_url, configure):
    backend = configure(new_url(), ON_COMMIT=False)
    with transaction.atomic():
        add.enqueue(1, 2)
        assert len(backend.invoker().queue) == 1


def test_a_task_may_say_that_it_does_not_wait(enqueued):
    with transaction.atomic():
        add.using(on_commit=False).enqueue(1, 2)
        assert enqueued() == 1


def test_the_project_may_say_that_nothing_waits(settings, enqueued):
    settings.HUEY_CONFIG = {"ON_COMMIT": False}
    with transaction.atomic():
        add.enqueue(1, 2)
        assert enqueued() == 1
