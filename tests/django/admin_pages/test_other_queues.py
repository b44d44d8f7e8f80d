"""Queues that can do less, that are not there, or that cannot be reached."""

from __future__ import annotations

import socket

import pytest
from admin_shop import OVERVIEW, bury, list_url, message_url
from django.contrib.admin.models import LogEntry
from django.test import override_settings

from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Bury
from huey_django import get_invoker
from huey_memory import MemoryQueue
from huey_redis.testing import RedisServer
from plain_backend import PlainQueue, PlainStore

ACTIONS = [
    (OVERVIEW, {"queue": "default", "action": "pause"}),
    (list_url("dead"), {"action": "retry", "id": "1"}),
    (list_url("dead"), {"action": "delete", "id": "1", "confirmed": "yes"}),
    (list_url("dead"), {"action": "delete", "id": "1"}),
    (list_url("dead"), {"action": "delete_all"}),
]


def text(response):
    return response.content.decode().partition("<main")[2]


@pytest.fixture
def nobody_there():
    """An address at which no server listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_server_that_is_down_makes_an_overview_that_says_so(root, nobody_there):
    with override_settings(HUEY=f"redis://{nobody_there}/0?queue=mail"):
        response = root.get(OVERVIEW)
    assert response.status_code == 200
    assert "The server cannot be asked: ConnectionError" in text(response)


@pytest.mark.parametrize("page", [*map(list_url, State), message_url("1")])
def test_a_server_that_is_down_makes_a_page_that_says_so(root, nobody_there, page):
    with override_settings(HUEY=f"redis://{nobody_there}/0?queue=mail"):
        response = root.get(page)
    assert response.status_code == 503
    assert "The server cannot be asked: ConnectionError" in text(response)


@pytest.mark.parametrize("page", [OVERVIEW, *map(list_url, State)])
def test_a_project_may_name_the_backend_of_its_tasks_before_its_django_has_tasks(root, queue, page):
    with override_settings(TASKS={"default": {"BACKEND": "huey_django.tasks.HueyBackend"}}):
        assert root.get(page).status_code == 200


@pytest.mark.parametrize(("page", "data"), ACTIONS)
def test_a_server_that_is_down_leaves_an_action_in_doubt(root, nobody_there, page, data):
    with override_settings(HUEY=f"redis://{nobody_there}/0?queue=mail"):
        response = root.post(page, data)
    assert response.status_code == 503
    assert "Whether what you asked for was done is not known" in text(response)


def test_a_server_that_comes_back_is_shown_again(root, tmp_path):
    with RedisServer(parent=tmp_path, appendonly=True) as server, override_settings(HUEY=server.url(queue="mail")):
        message_id = bury()
        server.kill()
        assert root.get(list_url("dead")).status_code == 503
        server.start()
        assert message_id in text(root.get(list_url("dead")))


class FailingMidway(MemoryQueue):
    """Deletes one portion, and no more."""

    deletions = 0

    def delete(self, message_ids):
        self.deletions += 1
        if self.deletions > 1:
            raise ConnectionError("the server is gone")
        return super().delete(message_ids)


def test_what_was_done_before_a_server_failed_is_in_the_log(root):
    queue = FailingMidway("mail")
    queue.write_many([Message(b"") for _ in range(50)])
    queue.settle([Bury(delivery, "no") for delivery in queue.claim(50, 60.0).deliveries])
    with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": queue}):
        response = root.post(list_url("dead"), {"action": "delete_all", "confirmed": "yes", "latest": "9e9"})
    assert response.status_code == 503
    deleted = 50 - queue.counts().dead
    assert 0 < deleted < 50
    assert LogEntry.objects.get().change_message == f"Dead commands deleted: {deleted}."


def test_no_page_shows_the_password(root, nobody_there):
    with override_settings(HUEY=f"redis://ada:s3cr%2Ft@{nobody_there}/0?queue=mail"):
        pages = [root.get(page).content.decode() for page in (OVERVIEW, list_url("dead"), message_url("1"))]
    for page in pages:
        assert "redis://ada:***@" in page or "ConnectionError" in page
        assert "s3cr" not in page


class Refusing(PlainQueue):
    """Tells its password to everyone."""

    def __len__(self):
        raise ConnectionError(f"cannot log in with {self.connection['password']}")


def test_no_page_shows_the_password_of_a_connection(root):
    with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": Refusing("mail", password="s3cret")}):
        assert "ConnectionError: cannot log in with ***" in text(root.get(OVERVIEW))


@pytest.fixture
def plain_queue():
    queue = PlainQueue("mail")
    with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": queue, "TASK_STORE": PlainStore("mail")}):
        yield queue


def test_of_a_plain_queue_its_length_is_shown(root, plain_queue):
    plain_queue.write(b"one")
    plain_queue.write(b"two")
    response = text(root.get(OVERVIEW))
    assert "2 commands wait." in response
    assert "This backend cannot list its commands, so there is no more to see." in response


@pytest.mark.parametrize("page", [*map(list_url, State), message_url("1")])
def test_a_plain_queue_has_no_lists(root, plain_queue, page):
    response = root.get(page)
    assert response.status_code == 404
    assert "The backend of this queue, plain_backend.PlainQueue, cannot list its commands." in text(response)


@pytest.mark.parametrize(("page", "data"), ACTIONS)
def test_nothing_can_be_done_to_a_plain_queue(root, plain_queue, page, data):
    assert root.post(page, data).status_code in {400, 404}


class Unpausable(MemoryQueue):
    """Cannot be paused."""

    capabilities = MemoryQueue.capabilities - {Capability.PAUSE}


def test_a_queue_that_cannot_be_paused_has_no_button_for_it(root):
    with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": Unpausable("mail")}):
        assert 'value="pause"' not in text(root.get(OVERVIEW))
        assert root.post(OVERVIEW, {"queue": "default", "action": "pause"}).status_code == 400


class Unlistable(MemoryQueue):
    """Cannot be looked into."""

    capabilities = MemoryQueue.capabilities - {Capability.INSPECT}


def test_a_queue_that_does_not_declare_lists_is_not_asked_for_them(root):
    with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": Unlistable("mail")}):
        assert "This backend cannot list its commands" in text(root.get(OVERVIEW))
        assert root.get(list_url("dead")).status_code == 404


def test_a_project_that_runs_everything_at_once_has_no_queue(root):
    with override_settings(HUEY=None, HUEY_CONFIG={"ALWAYS_EAGER": True}):
        assert "commands run at once where they are called" in text(root.get(OVERVIEW))
        assert root.get(list_url("dead")).status_code == 404


def test_a_setting_that_is_wrong_is_named(root):
    with override_settings(HUEY="rediss//localhost"):
        for page in (OVERVIEW, list_url("dead"), message_url("1")):
            response = root.get(page)
            assert response.status_code == 503
            assert "HUEY is not a backend URL" in text(response)


def test_the_queue_need_not_be_named_after_its_key(root, queue):
    assert get_invoker().queue.name == "mail"
    assert "mail" in text(root.get(list_url("dead")))
