"""``manage.py check`` of a project with tasks: each mistake is told, once, whoever finds it."""

from __future__ import annotations

import pytest
from django.core import checks
from django.test import override_settings

from huey_core import hookimpl
from huey_memory import MemoryDataStore, MemoryQueue

BACKEND = "huey_django.tasks.HueyBackend"
SERVER = "redis://127.0.0.1:1/0"


class MisspeltHook:
    @hookimpl
    def huey_command_suceeded(self):
        pass


def issues(*aliases, huey=None, deploy=False, queues=("default", "mail"), **config):
    """What the checks report with these ``OPTIONS`` of aliases, as identifiers and messages."""
    tasks = {
        f"alias{number}": {"BACKEND": BACKEND, "QUEUES": list(queues), "OPTIONS": options}
        for number, options in enumerate(aliases)
    }
    with override_settings(HUEY=huey, HUEY_CONFIG=config or None, TASKS=tasks):
        return [(each.id, each.msg) for each in checks.run_checks(tags=["huey"], include_deployment_checks=deploy)]


@pytest.mark.parametrize("deploy", [False, True], ids=["", "for a deployment"])
@pytest.mark.parametrize(
    ("check_id", "config"),
    [
        ("huey_django.E002", {"TREADS": 2}),
        ("huey_django.E002", {"THREADS": 0}),
        ("huey_django.E003", {"SERIALIZER": "jsno"}),
        ("huey_django.E003", {"PLUGINS": [MisspeltHook()]}),
    ],
    ids=lambda given: str(given).partition(" object at")[0],
)
def test_a_mistake_in_the_settings_of_the_project_is_reported_once(check_id, config, deploy):
    [(found, _)] = issues({}, {"URL": "sqlite:////tmp/never-made"}, huey=SERVER, deploy=deploy, **config)
    assert found == check_id


@pytest.mark.parametrize("config", [{"TREADS": 2}, {"PLUGINS": [MisspeltHook()]}], ids=["option", "plugin"])
def test_it_is_reported_as_well_where_every_task_says_its_place(config):
    assert len(issues({"URL": SERVER}, **config)) == 1


def test_that_there_is_no_queue_is_reported_once():
    [(found, _)] = issues({})
    assert found == "huey_django.E001"


def test_a_mistake_of_an_alias_is_its_own():
    [(found, text)] = issues({}, {"URL": "nowhere://localhost"}, huey=SERVER)
    assert found == "huey_django.E006"
    assert text.startswith("TASKS['alias1']: ")


def test_a_queue_that_can_have_no_such_name_is_told():
    [(found, text)] = issues({}, queues=["default", "huey-state:mail"], QUEUE=MemoryQueue("shop"))
    assert found == "huey_django.E006"
    assert "There can be no queue 'huey-state:mail' beside that of the settings" in text


def test_an_object_with_a_queue_beside_it_is_fine():
    assert issues({}, queues=["default", "mail"], QUEUE=MemoryQueue("shop"), RESULT_STORE=MemoryDataStore("shop")) == []


IMPORTS = """
from huey_core import PeriodicQueueCommand, QueueCommand
from huey_django import crontab, periodic_command, queue_command
"""

LOST = [
    "@queue_command\ndef lost(): ...",
    "@periodic_command(crontab())\ndef lost(): ...",
    "class lost(PeriodicQueueCommand): ...",
]
"""Commands that only the project's own queue would have."""


class TestCommandsWithoutAQueue:
    @pytest.fixture
    def shop(self, deploy, tmp_path):
        """A project whose tasks all say their place, and which has no queue beside that."""
        url = f"sqlite:///{tmp_path}/tasks.sqlite3"
        shop = deploy(HUEY=None, TASKS={"default": {"BACKEND": BACKEND, "OPTIONS": {"URL": url}}})
        shop.commands = shop.copy_code() / "commands.py"
        (shop.root / "orders" / "tasks.py").write_text("")
        return shop

    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("words", [["check"], ["run_huey"]], ids=" ".join)
    def test_one_of_them_is_named(self, shop, lost, words):
        shop.commands.write_text(f"{IMPORTS}\n\n{lost}\n")
        ran = shop.manage(*words)
        assert ran.returncode == 1
        assert "(huey_django.E001) No queue is configured for the command orders.commands.lost" in ran.stderr
        assert "Traceback" not in ran.stderr

    @pytest.mark.parametrize("command", ["", "class Any(QueueCommand): ..."])
    def test_of_a_class_that_may_be_sent_to_any_queue_there_is_nothing_to_tell(self, shop, command):
        shop.commands.write_text(f"{IMPORTS}\n\n{command}\n")
        assert shop.manage("check").returncode == 0
