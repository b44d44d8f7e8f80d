"""Retrying, deleting, pausing and resuming, on every backend, and what the log says of it."""

from __future__ import annotations

import pytest
from admin_shop import OVERVIEW, bury, ids_in, list_url, message_url, schedule, send_mail
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.messages import get_messages

from huey_core.backends.messages import State
from huey_core.backends.outcomes import Bury
from huey_django import get_invoker


def post(client, url, action, *ids, **more):
    return client.post(url, {"action": action, "id": list(ids), **more})


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def log():
    return [(entry.action_flag, entry.object_repr, entry.change_message) for entry in LogEntry.objects.order_by("pk")]


def test_a_dead_command_is_retried(root, every_queue):
    message_id, other = bury(), bury()
    response = post(root, list_url("dead"), "retry", message_id)
    assert (response.status_code, response.url) == (302, list_url("dead"))
    assert ids_in(every_queue, State.READY) == [message_id]
    assert ids_in(every_queue, State.DEAD) == [other]
    assert said(response) == ["1 command is ready to run again."]
    assert log() == [(CHANGE, f"{every_queue.name}: shop.send_mail {message_id}", "Made ready to run.")]


def test_a_scheduled_command_is_run_now(root, every_queue):
    message_id = schedule()
    post(root, list_url("scheduled"), "retry", message_id)
    assert ids_in(every_queue, State.READY) == [message_id]


def test_several_are_retried_at_once_and_logged_one_by_one(root, every_queue):
    ids = {bury(), bury(), bury()}
    post(root, list_url("dead"), "retry", *ids)
    assert set(ids_in(every_queue, State.READY)) == ids
    assert len(log()) == 3


def test_deleting_asks_first(root, every_queue):
    message_id = bury()
    response = post(root, list_url("dead"), "delete", message_id)
    assert response.status_code == 200
    assert "Yes, delete" in response.content.decode()
    assert message_id in response.content.decode()
    assert ids_in(every_queue, State.DEAD) == [message_id]


@pytest.mark.parametrize("state", State)
def test_a_confirmed_command_is_deleted_in_whatever_state(root, every_queue, state):
    message_id = {State.DEAD: bury, State.SCHEDULED: schedule}.get(state, lambda: send_mail("anna").task_id)()
    if state is State.RUNNING:
        every_queue.claim(1, 60.0)
    response = post(root, list_url(state), "delete", message_id, confirmed="yes")
    assert every_queue.find([message_id]) == []
    assert get_invoker().result(message_id).status() == "deleted"
    assert said(response) == ["1 command was deleted."]
    assert log() == [(DELETION, f"{every_queue.name}: shop.send_mail {message_id}", "")]


def test_who_deletes_what_runs_is_told_what_that_means(root, queue):
    message_id = send_mail("anna").task_id
    queue.claim(1, 60.0)
    assert "its outcome is then not kept" in post(root, list_url("running"), "delete", message_id).content.decode()


@pytest.mark.parametrize("action", ["retry_all", "delete_all"])
def test_all_dead_commands_are_asked_about_with_their_number(root, every_queue, action):
    ids = [bury(), bury()]
    response = post(root, list_url("dead"), action)
    assert "All 2 dead commands" in response.content.decode()
    assert sorted(ids_in(every_queue, State.DEAD)) == sorted(ids)


def confirm(root, action):
    """Answer yes to a confirmation, as its form does."""
    page = post(root, list_url("dead"), action)
    return post(root, list_url("dead"), action, confirmed="yes", latest=page.context["latest"])


def test_all_dead_commands_are_retried(root, every_queue):
    ids = {bury(), bury()}
    response = confirm(root, "retry_all")
    assert set(ids_in(every_queue, State.READY)) == ids
    assert said(response) == ["2 commands are ready to run again."]
    assert log() == [(CHANGE, every_queue.name, "Dead commands made ready to run: 2.")]


def test_all_dead_commands_are_deleted_and_no_others(root, every_queue):
    bury()
    bury()
    scheduled = schedule()
    response = confirm(root, "delete_all")
    assert ids_in(every_queue, State.DEAD) == []
    assert ids_in(every_queue, State.SCHEDULED) == [scheduled]
    assert said(response) == ["2 commands were deleted."]
    assert log() == [(CHANGE, every_queue.name, "Dead commands deleted: 2.")]


def test_what_was_buried_after_the_question_is_not_part_of_the_answer(root, every_queue):
    bury()
    page = post(root, list_url("dead"), "delete_all")
    latest = float(page.context["latest"])
    # Redis and SQLite keep times in milliseconds.
    while every_queue.now() < latest + 0.01:
        pass
    later = bury()
    post(root, list_url("dead"), "delete_all", confirmed="yes", latest=page.context["latest"])
    assert ids_in(every_queue, State.DEAD) == [later]


@pytest.mark.parametrize(("action", "more"), [("retry", {}), ("delete", {"confirmed": "yes"})])
def test_a_command_that_has_moved_on_is_left_alone(root, every_queue, action, more):
    message_id = bury()
    every_queue.requeue([message_id])
    response = post(root, list_url("dead"), action, message_id, **more)
    assert ids_in(every_queue, State.READY) == [message_id]
    assert said(response) == ["1 command was left alone, because it is no longer in the state “Dead”."]
    assert log() == []


def test_a_command_whose_unique_key_is_taken_is_left_alone(root, every_queue):
    make = send_mail.using(unique_key="{to}")
    message_id = make("anna").task_id
    every_queue.settle([Bury(every_queue.claim(1, 60.0).deliveries[0], "no")])
    make("anna")
    response = post(root, list_url("dead"), "retry", message_id)
    assert ids_in(every_queue, State.DEAD) == [message_id]
    assert said(response) == ["1 command was left alone, because another one with its unique key is in the queue."]


def test_a_command_that_has_expired_is_left_alone(root, every_queue):
    message_id = send_mail.using(expires=0.0)("anna").task_id
    every_queue.settle([Bury(every_queue.claim(1, 60.0).deliveries[0], "no")])
    response = post(root, list_url("dead"), "retry", message_id)
    assert ids_in(every_queue, State.DEAD) == [message_id]
    assert said(response) == [
        "1 command was left alone, because it has expired and would not run: call it again or delete it."
    ]


def test_nothing_selected_is_nothing_done(root, every_queue):
    message_id = bury()
    response = post(root, list_url("dead"), "retry")
    assert said(response) == ["Select the commands to do that to."]
    assert ids_in(every_queue, State.DEAD) == [message_id]


@pytest.mark.parametrize(
    ("state", "action"),
    [("ready", "retry"), ("running", "retry"), ("ready", "delete_all"), ("scheduled", "retry_all"), ("dead", "eat")],
)
def test_what_cannot_be_done_in_a_state_is_refused(root, queue, state, action):
    data = {"confirmed": "yes", "latest": "9e9"}
    assert post(root, list_url(state), action, "1", **data).status_code == 400


def test_a_time_that_is_none_is_refused(root, queue):
    assert post(root, list_url("dead"), "delete_all", confirmed="yes", latest="soon").status_code == 400


def test_after_an_action_one_is_on_the_same_page_of_the_list(root, queue):
    assert post(root, list_url("dead"), "retry", bury(), page="3").url == list_url("dead") + "?page=3"


def test_a_queue_is_paused_and_resumed(root, every_queue):
    root.post(OVERVIEW, {"queue": "default", "action": "pause"})
    assert every_queue.counts().paused
    assert "paused" in root.get(OVERVIEW).content.decode()
    root.post(OVERVIEW, {"queue": "default", "action": "resume"})
    assert not every_queue.counts().paused
    assert log() == [(CHANGE, every_queue.name, "Paused."), (CHANGE, every_queue.name, "Resumed.")]


def test_the_log_in_the_index_leads_to_the_message(root, queue):
    message_id = bury()
    post(root, list_url("dead"), "retry", message_id)
    entry = LogEntry.objects.get()
    assert entry.get_admin_url() == message_url(message_id)
    assert message_url(message_id) in root.get("/admin/").content.decode()


def test_the_log_leads_from_a_queue_to_the_overview(root, queue):
    root.post(OVERVIEW, {"queue": "default", "action": "pause"})
    assert root.get(LogEntry.objects.get().get_admin_url()).url == OVERVIEW


def test_no_queue_of_another_name_is_paused(root, queue):
    assert root.post(OVERVIEW, {"queue": "other", "action": "pause"}).status_code == 404
