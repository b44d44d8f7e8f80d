"""Where the queues of an alias are: at a location of its own, or at that of the project, with the same invokers."""

from __future__ import annotations

import pytest
from django.tasks import task_backends
from django.tasks.base import TaskResultStatus
from tasks.sample_tasks import add

from huey_core.consumer import ConsumerConfig
from huey_django import get_invoker
from huey_django.consumers import invokers_to_serve, make_consumers
from huey_django.inspection import queues

CONFIG = ConsumerConfig(periodic=False, shutdown_timeout=5.0)

SAME = [
    ("memory://same?queue=shop", "memory://same?queue=shop"),
    # The name of the database, which is what a queue without a name has.
    ("memory://same", "memory://same?queue=site"),
    ("memory://same?queue=site", "memory://same"),
    ("memory://same?queue=shop&lease=5s", "memory://same?lease=5s&queue=shop"),
    ("redis://127.0.0.1:1/0", "REDIS://127.0.0.1:1/0"),
]


@pytest.mark.parametrize(("project", "alias"), SAME)
def test_the_location_of_the_project_written_out_is_that_of_the_project(
    settings, configure, monkeypatch, project, alias
):
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "a.postgresql", "NAME": "site"})
    settings.HUEY = project
    backend = configure(alias)
    assert backend.invoker() is get_invoker()
    assert backend.invoker("mail") is get_invoker("mail")


def test_so_each_of_its_queues_is_served_and_shown_once(settings, configure):
    settings.HUEY = "memory://once?queue=shop"
    configure(settings.HUEY)
    assert [invoker.queue.name for invoker in invokers_to_serve()] == ["shop", "mail"]
    assert [queue.name for queue in queues()] == ["shop", "mail"]


def test_results_are_then_where_the_project_keeps_them(settings, configure):
    settings.HUEY = "memory://once?queue=shop"
    settings.HUEY_CONFIG = {"RESULT_STORE": "memory://results"}
    assert configure(settings.HUEY).invoker().result_store is get_invoker().result_store


@pytest.mark.parametrize(
    "alias", ["memory://same?queue=store", "memory://other?queue=shop", "sqlite:////tmp/never-made"]
)
def test_another_location_or_name_is_another_queue(settings, configure, alias):
    settings.HUEY = "memory://same?queue=shop"
    assert configure(alias).invoker() is not get_invoker()


def test_the_settings_are_followed_when_the_project_moves(settings, configure):
    settings.HUEY = "memory://first?queue=shop"
    configure("memory://first?queue=shop")
    assert task_backends["default"].invoker() is get_invoker()
    settings.HUEY = "memory://second?queue=shop"
    assert task_backends["default"].invoker() is not get_invoker()
    settings.HUEY = "memory://first?queue=shop"
    assert task_backends["default"].invoker() is get_invoker()


def test_tasks_are_run_by_a_consumer_that_their_alias_does_not_know(settings, configure, tmp_path, finished):
    # The same location, which nobody can see in the URLs.
    settings.HUEY = f"sqlite:///{tmp_path}/queue.sqlite3?queue=shop"
    configure(f"sqlite:///{tmp_path}/../{tmp_path.name}/queue.sqlite3?queue=shop")
    [consumer] = [each for each in make_consumers(CONFIG) if each.invoker is get_invoker()]
    result = add.enqueue(1, 2)
    with consumer.running():
        assert finished(result).status == TaskResultStatus.SUCCESSFUL
