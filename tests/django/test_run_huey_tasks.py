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
    (shop.root / "orders" / "commands.py").write_text("")
    (shop.root / "orders" / "tasks.py").write_text(
        'from django.tasks import task\n\n\n@task(backend="far")\ndef far():\n    return "far away"\n'
    )
    shop.start()
    ran = shop.manage("shell", "--verbosity", "0", "--command", ENQUEUE.format(name="far"))
    assert (ran.stdout, ran.stderr) == ("far away\n", "")


def test_a_queue_that_tasks_name_by_its_url_once_more_is_served_once(shop):
    shop.settings["TASKS"]["default"]["OPTIONS"] = {"URL": shop.url}
    consumer = shop.start()
    consumer.await_ready(times=3)
    assert len(consumer.log_lines(f"queue: <RedisQueue '{shop.folder.name}'>")) == 1
    ran = shop.manage("shell", "--verbosity", "0", "--command", ENQUEUE.format(name="here"))
    assert (ran.stdout, ran.stderr) == ("here\n", "")


@pytest.mark.parametrize("words", [["check"], ["check", "--tag", "huey"], ["run_huey"]], ids=" ".join)
def test_an_option_that_does_not_exist_is_told_before_anything_runs(deploy, words):
    shop = deploy(TASKS={"mail": {"BACKEND": BACKEND, "OPTIONS": {"RETRYS": 1}}})
    ran = shop.manage(*words)
    assert ran.returncode == 1
    assert "huey_django.E006" in ran.stderr
    assert "TASKS['mail']: OPTIONS has an unknown key 'RETRYS'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_task_for_a_queue_that_is_not_listed_is_told_with_its_line(deploy):
    shop = deploy(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": ["default"]}})
    (shop.copy_code() / "tasks.py").write_text("""
from django.tasks import task

@task(queue_name="mail")
def send(): ...
""")
    ran = shop.manage("check")
    assert ran.returncode == 1
    assert "huey_django.E005" in ran.stderr
    assert "tasks.py, line 4" in ran.stderr
    assert ".." not in ran.stderr


def test_a_queue_in_memory_that_only_tasks_have_is_refused_for_a_deployment(deploy):
    shop = deploy(HUEY=None, TASKS={"default": {"BACKEND": BACKEND, "OPTIONS": {"URL": "memory://"}}})
    application = shop.copy_code()
    (application / "commands.py").write_text("")
    (application / "tasks.py").write_text("")
    ran = shop.manage("check", "--deploy", "--tag", "huey", "--fail-level", "WARNING")
    assert ran.returncode == 1
    assert "huey_django.W001" in ran.stderr
