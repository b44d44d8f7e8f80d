"""The queues of Django's own tasks stand beside that of the settings."""

from __future__ import annotations

import pytest
from admin_shop import OVERVIEW, ids_in, list_url, message_url, send_mail
from django.contrib.admin.models import LogEntry
from django.tasks import task_backends
from django.test import override_settings

from huey_core.backends.messages import State
from huey_django import get_invoker


@pytest.fixture
def places(url_of):
    """A queue of the settings with another one beside it, and a queue at a place of its own."""
    tasks = {
        "default": {"BACKEND": "huey_django.tasks.HueyBackend", "QUEUES": ["default", "a/b: c"]},
        "far": {
            "BACKEND": "huey_django.tasks.HueyBackend",
            "QUEUES": ["default"],
            "OPTIONS": {"URL": url_of("sqlite").replace("queue=mail", "queue=far")},
        },
    }
    with override_settings(HUEY=url_of("memory"), TASKS=tasks):
        yield get_invoker("a/b: c")


def test_each_is_shown_once(root, places):
    page = root.get(OVERVIEW)
    assert [summary.queue.name for summary, _ in page.context["cards"]] == ["mail", "a/b: c", "far"]


def test_one_that_only_consumers_are_told_of_is_shown(root, url_of):
    with override_settings(HUEY=url_of("memory"), HUEY_CONFIG={"SERVE_QUEUES": ["default", "reports"]}):
        page = root.get(OVERVIEW)
    assert [summary.queue.name for summary, _ in page.context["cards"]] == ["mail", "reports"]


def test_each_says_where_it_is(root, places):
    found = [summary.queue.backend.partition(":")[0] for summary, _ in root.get(OVERVIEW).context["cards"]]
    assert found == ["memory", "memory", "sqlite"]


def test_one_beside_that_of_the_settings_is_looked_into_and_emptied(root, places):
    places.enqueue(send_mail.command("anna"))
    [message_id] = ids_in(places.queue, State.READY)
    assert message_id in root.get(list_url("ready", "a/b: c")).content.decode()
    assert root.get(message_url(message_id, "a/b: c")).status_code == 200
    root.post(list_url("ready", "a/b: c"), {"action": "delete", "id": message_id, "confirmed": "yes"})
    assert ids_in(places.queue, State.READY) == []
    assert LogEntry.objects.get().object_id == f"a%2Fb%3A%20c/{message_id}"


def test_one_at_a_place_of_its_own_is_looked_into(root, places):
    far = task_backends["far"].invoker()
    far.enqueue(send_mail.command("anna"))
    [message_id] = ids_in(far.queue, State.READY)
    assert message_id in root.get(list_url("ready", "far:default")).content.decode()
    assert message_id not in root.get(list_url("ready")).content.decode()


def test_one_is_paused_without_the_others(root, places):
    root.post(OVERVIEW, {"queue": "a/b: c", "action": "pause"})
    assert places.queue.counts().paused
    assert not get_invoker().queue.counts().paused
