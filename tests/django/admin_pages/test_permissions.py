"""Who sees what, and who may do what."""

from __future__ import annotations

import pytest
from admin_shop import OVERVIEW, bury, ids_in, list_url, message_url, schedule
from django.contrib.auth.models import User
from django.test import Client

from huey_core.backends.messages import State

VIEW, CHANGE, DELETE, ARGUMENTS = "view_command", "change_command", "delete_command", "view_command_arguments"


def pages(message_id="0" * 32):
    return [OVERVIEW, *(list_url(state) for state in State), message_url(message_id)]


def test_nobody_sees_a_page_without_logging_in(queue, db):
    for page in pages():
        response = Client().get(page)
        assert (response.status_code, response.url) == (302, f"/admin/login/?next={page}")


@pytest.mark.parametrize("permissions", [[], [DELETE], [ARGUMENTS]])
def test_nobody_sees_a_page_without_the_permission_to_view(queue, client_with, permissions):
    client = client_with(*permissions)
    assert [client.get(page).status_code for page in pages(bury())] == [403] * 6


@pytest.mark.parametrize("permission", [VIEW, CHANGE])
def test_who_may_view_or_change_sees_every_page(queue, client_with, permission):
    client = client_with(permission)
    assert [client.get(page).status_code for page in pages(bury())] == [200] * 6


def test_the_index_leads_to_the_queues_for_those_who_may_view_them(queue, client_with):
    assert OVERVIEW in client_with(VIEW).get("/admin/").content.decode()
    assert OVERVIEW not in client_with().get("/admin/").content.decode()


def buttons(client, page):
    html = client.get(page).content.decode()
    names = ("pause", "retry", "delete", "retry_all", "delete_all")
    return [name for name in names if f'value="{name}"' in html]


@pytest.mark.parametrize(
    ("permissions", "overview", "dead", "message"),
    [
        ([VIEW], [], [], []),
        ([CHANGE], ["pause"], ["retry", "retry_all"], ["retry"]),
        ([VIEW, DELETE], [], ["delete", "delete_all"], ["delete"]),
        (
            [CHANGE, DELETE],
            ["pause"],
            ["retry", "delete", "retry_all", "delete_all"],
            ["retry", "delete"],
        ),
    ],
)
def test_only_what_one_may_do_has_a_button(queue, client_with, permissions, overview, dead, message):
    client = client_with(*permissions)
    message_id = bury()
    assert buttons(client, OVERVIEW) == overview
    assert buttons(client, list_url("dead")) == dead
    assert buttons(client, message_url(message_id)) == message


POSTS = [
    (OVERVIEW, {"queue": "default", "action": "pause"}, CHANGE),
    (OVERVIEW, {"queue": "default", "action": "resume"}, CHANGE),
    (list_url("dead"), {"action": "retry", "id": "1"}, CHANGE),
    (list_url("dead"), {"action": "retry_all", "confirmed": "yes", "latest": "9e9"}, CHANGE),
    (list_url("scheduled"), {"action": "retry", "id": "1"}, CHANGE),
    (list_url("dead"), {"action": "delete", "confirmed": "yes", "id": "1"}, DELETE),
    (list_url("dead"), {"action": "delete", "id": "1"}, DELETE),
    (list_url("dead"), {"action": "delete_all", "confirmed": "yes", "latest": "9e9"}, DELETE),
    (list_url("ready"), {"action": "delete", "confirmed": "yes", "id": "1"}, DELETE),
]


@pytest.mark.parametrize(("page", "data", "needed"), POSTS)
def test_nothing_is_done_without_the_permission_for_it(queue, client_with, page, data, needed):
    dead, scheduled = bury(), schedule()
    client = client_with(VIEW, *{CHANGE, DELETE} - {needed})
    assert client.post(page, {**data, "id": dead}).status_code == 403
    assert ids_in(queue, State.DEAD) == [dead]
    assert ids_in(queue, State.SCHEDULED) == [scheduled]
    assert not queue.counts().paused


@pytest.mark.parametrize(("page", "data", "needed"), POSTS)
def test_with_the_permission_it_is_accepted(queue, client_with, page, data, needed):
    assert client_with(VIEW, needed).post(page, data).status_code in {200, 302}


@pytest.mark.parametrize(("page", "data", "needed"), POSTS)
def test_nothing_is_done_for_another_site(queue, db, page, data, needed):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    assert client.post(page, data).status_code == 403


def test_arguments_are_shown_to_those_who_may_see_them(queue, client_with):
    message_id = bury("anna@example.org", "secret")
    for page in (list_url("dead"), message_url(message_id)):
        assert "secret" in client_with(VIEW, ARGUMENTS).get(page).content.decode()
        assert "secret" not in client_with(VIEW, CHANGE, DELETE).get(page).content.decode()


def test_a_confirmation_does_not_show_arguments_to_those_who_may_not_see_them(queue, client_with):
    data = {"action": "delete", "id": bury("anna@example.org", "secret")}
    assert "secret" in client_with(VIEW, DELETE, ARGUMENTS).post(list_url("dead"), data).content.decode()
    assert "secret" not in client_with(VIEW, DELETE).post(list_url("dead"), data).content.decode()
