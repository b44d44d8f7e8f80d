"""``manage.py run_huey`` serves the queues that ``TASKS`` lists, wherever they are."""

from __future__ import annotations

import pytest

BACKEND = "huey_django.tasks.HueyBackend"

TASKS = """
from django.tasks import task

@task
def here(): return "here"

@task(queue_name="mail")
def beside(): return "beside"

@task(backend="far")
def far(): return "far away"
"""

ENQUEUE = """
import time
from orders.tasks import {name} as task

result, deadline = task.enqueue(), time.monotonic() + 30
while not result.is_finished and time.monotonic() < deadline:
    time.sleep(0.01)
    result.refresh()
print(result.return_value)
"""


@pytest.fixture
def shop(deploy, tmp_path):
    far = {"BACKEND": BACKEND, "OPTIONS": {"URL": f"sqlite:///{tmp_path}/far.sqlite3?queue=far"}}
    shop = deploy(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": ["default", "mail"]}, "far": far})
    (shop.copy_code() / "tasks.py").write_text(TASKS)
    return shop


@pytest.mark.parametrize(("name", "returned"), [("here", "here"), ("beside", "beside"), ("far", "far away")])
def test_tasks_of_every_listed_queue_are_run(shop, name, returned):
    shop.start().await_ready(times=3)
    ran = shop.manage("shell", "--verbosity", "0", "--command", ENQUEUE.format(name=name))
    assert (ran.stdout, ran.stderr) == (f"{returned}\n", "")


def test_the_queue_of_the_settings_is_served_once(shop):
    consumer = shop.start()
    consumer.await_ready(times=3)
    assert len(consumer.log_lines(f"queue: <RedisQueue '{shop.folder.name}'>")) == 1
    assert len(consumer.log_lines("periodic commands (1)")) == 1


def test_a_queue_that_only_another_place_has_can_be_named(shop):
    consumer = shop.start("--queue", "default", "--no-periodic")
    consumer.await_ready(times=2)
    assert consumer.log_lines("<SQLiteQueue 'far'>")


def test_without_a_queue_in_the_settings_those_of_the_tasks_are_served(shop):
    del shop.settings["TASKS"]["default"]
    shop.settings["HUEY"] = None
    (shop.root / "orders" / "tasks.py").write_text(
        'from django.tasks import task\n\n\n@task(backend="far")\ndef far():\n    return "far away"\n'
    )
    shop.start()
    ran = shop.manage("shell", "--verbosity", "0", "--command", ENQUEUE.format(name="far"))
    assert (ran.stdout, ran.stderr) == ("far away\n", "")
