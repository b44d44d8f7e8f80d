"""A task that was enqueued is known at once, in its place in the order, on every kind of server."""

from __future__ import annotations

import asyncio
import http
from datetime import UTC, datetime, timedelta

import pytest
from django.tasks import TaskResultStatus
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
from django.utils import timezone
from django.utils.safestring import mark_safe
from tasks.sample_tasks import add, add_later, calls, note

from huey_core.backends.messages import State
from huey_core.exceptions import QueueWriteException


def queue_of(backend, name="default"):
    return backend.invoker(name).leased_queue


def test_a_task_is_ready_as_soon_as_it_is_enqueued(backend):
    result = add.enqueue(1, b=2)
    assert result.status == TaskResultStatus.READY
    assert not result.is_finished
    assert (result.args, result.kwargs, result.backend) == ([1], {"b": 2}, "default")
    assert (result.started_at, result.last_attempted_at, result.finished_at) == (None, None, None)
    assert (result.attempts, result.errors, result.worker_ids) == (0, [], [])


def test_what_enqueue_returned_is_what_anybody_gets(backend):
    result = add.enqueue(1, b=2)
    assert add.get_result(result.id) == result


def test_the_time_of_enqueueing_is_known(backend):
    before = timezone.now()
    result = add.enqueue(1, 2)
    assert before <= result.enqueued_at <= timezone.now()


def test_an_id_is_shorter_than_64_characters(backend):
    assert 0 < len(add.enqueue(1, 2).id) < 64


def test_aenqueue_does_the_same(backend):
    async def enqueue_and_get():
        result = await add_later.aenqueue(1, 2)
        return result, await add_later.aget_result(result.id)

    enqueued, got = asyncio.run(enqueue_and_get())
    assert enqueued.status == TaskResultStatus.READY
    assert enqueued == got


def test_the_value_of_a_task_that_waits_cannot_be_asked_for(backend):
    with pytest.raises(ValueError, match="has not finished"):
        add.enqueue(1, 2).return_value  # noqa: B018


def test_arguments_are_those_that_json_has(backend):
    result = note.enqueue((1, (2, b"three")), key={"a": (4,)})
    assert (result.args, result.kwargs) == ([[1, [2, "three"]]], {"key": {"a": [4]}})
    assert note.get_result(result.id).args == result.args


def test_texts_and_numbers_of_a_class_of_their_own_are_texts_and_numbers(backend):
    result = note.enqueue(mark_safe("<b>"), TaskResultStatus.READY, http.HTTPStatus.OK)
    got = note.get_result(result.id)
    assert (got.args, [type(each) for each in got.args]) == (["<b>", "READY", 200], [str, str, int])
    assert got == result


@pytest.mark.parametrize("argument", [object(), datetime(2030, 1, 1, tzinfo=UTC), {1, 2}])
def test_what_json_does_not_have_is_refused_and_nothing_is_written(backend, argument):
    with pytest.raises(TypeError):
        note.enqueue(argument)
    assert len(queue_of(backend)) == 0


def test_bytes_that_are_no_text_are_refused(backend):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is that of Django
        note.enqueue(b"\xff")


def test_a_task_goes_to_the_queue_that_it_names(backend):
    result = add.using(queue_name="mail").enqueue(1, 2)
    assert (len(queue_of(backend)), len(queue_of(backend, "mail"))) == (0, 1)
    assert add.get_result(result.id).task.queue_name == "mail"


def test_a_queue_that_is_not_listed_is_refused(backend):
    with pytest.raises(InvalidTask, match="'post' is not valid"):
        add.using(queue_name="post")


def test_a_task_is_looked_at_again_when_it_is_enqueued(new_url, configure):
    configure(new_url(), queues=["post"])
    to_post = add.using(queue_name="post")
    configure(new_url(), queues=["mail"])
    with pytest.raises(InvalidTask, match="'post' is not valid"):
        to_post.enqueue(1, 2)


def test_without_a_list_every_queue_is_the_default_one(new_url, configure):
    backend = configure(new_url(), queues=[])
    result = add.using(queue_name="anything").enqueue(1, 2)
    assert len(queue_of(backend)) == 1
    assert add.get_result(result.id).task.queue_name == "anything"


def test_a_task_of_higher_priority_goes_first(backend, consume, finished):
    results = [note.using(priority=priority).enqueue(priority) for priority in (-100, 0, 7, 100)]
    consume(threads=1)
    for result in results:
        finished(result)
    assert calls == [100, 7, 0, -100]


def test_a_deferred_task_waits_in_the_queue_until_it_is_due(backend):
    due = timezone.now() + timedelta(hours=1, microseconds=7)
    result = add.using(run_after=due).enqueue(1, 2)
    [stored] = queue_of(backend).peek(State.SCHEDULED)
    assert stored.message_id == result.id
    assert stored.due == pytest.approx(due.timestamp(), abs=2)
    got = add.get_result(result.id)
    assert (got.status, got.task.run_after) == (TaskResultStatus.READY, due)


def test_a_deferred_task_is_run_when_it_is_due(backend, consume, finished):
    due = timezone.now() + timedelta(seconds=2)
    result = add.using(run_after=due).enqueue(1, 2)
    consume()
    assert finished(result).started_at >= due - timedelta(seconds=1)


def test_a_task_that_waits_is_known_for_longer_than_results_are_kept(new_url, configure):
    configure(new_url(result_ttl="1ms"))
    result = add.enqueue(1, 2)
    store = result.task.get_backend().invoker().result_store
    store.wait("nothing", timeout=0.01)
    assert add.get_result(result.id).status == TaskResultStatus.READY


def test_an_unknown_id_does_not_exist(backend):
    with pytest.raises(TaskResultDoesNotExist):
        add.get_result("123")


def test_a_result_of_another_task_is_told_apart(backend):
    result = add.enqueue(1, 2)
    with pytest.raises(TaskResultMismatch):
        note.get_result(result.id)


def test_a_task_whose_message_was_deleted_does_not_exist(backend):
    result = add.enqueue(1, 2)
    queue_of(backend).delete([result.id])
    with pytest.raises(TaskResultDoesNotExist):
        add.get_result(result.id)


def test_a_result_belongs_to_the_alias_that_it_was_enqueued_with(new_url, settings):
    from django.tasks import task_backends

    params = {"BACKEND": "huey_django.tasks.HueyBackend", "OPTIONS": {"URL": new_url()}}
    settings.TASKS = {"default": params, "other": params}
    result = add.enqueue(1, 2)
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["other"].get_result(result.id)


def test_a_server_that_is_away_is_told_by_an_error_of_this_project(configure):
    configure("redis://127.0.0.1:1?connect_timeout=1")
    with pytest.raises(QueueWriteException):
        add.enqueue(1, 2)
