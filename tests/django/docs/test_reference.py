"""The tables are complete, and say what the code says."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from django.core.management.base import BaseCommand

import huey_django
from huey_django import get_invoker
from huey_django.conf import KEYS
from huey_django.management.commands.run_huey import Command as RunHuey
from huey_django.models import Command
from pages import Page

OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*", re.IGNORECASE)


def evaluated(cell: str) -> object:
    """The value of a default that a table shows as Python code."""
    return eval(cell.strip("`"), {"logging": logging})


def options(command: BaseCommand) -> set[str]:
    """Every spelling of every option of a command."""
    actions = command.create_parser("manage.py", "run_huey")._actions
    return {spelling for action in actions for spelling in action.option_strings}


OPTIONS = sorted(options(RunHuey()) - options(BaseCommand()))


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_is_in_its_page_with_its_default(key, read_page):
    default, *_ = read_page("settings.md").rows("Keys")[key]

    assert evaluated(default) == KEYS[key]


def test_no_setting_is_in_the_page_that_does_not_exist(read_page):
    assert set(read_page("settings.md").rows("Keys")) == set(KEYS)


def ids_of_checks() -> set[str]:
    """Every identifier of a system check that is in the code."""
    files = Path(huey_django.__file__).parent.rglob("*.py")
    return {found for file in files for found in re.findall(r"huey_django\.[EW]\d{3}", file.read_text())}


def test_every_system_check_is_in_the_page_of_settings_and_no_other(read_page):
    assert set(read_page("settings.md").rows("System checks")) == ids_of_checks()


def test_every_option_of_run_huey_is_in_the_page_of_the_consumer_and_no_other(read_page):
    shown = OPTION.findall(" ".join(read_page("consumer.md").rows("The consumer of a Django project")))

    assert sorted(shown) == OPTIONS


def test_the_settings_beside_the_options_exist(read_page):
    rows = read_page("consumer.md").rows("The consumer of a Django project")

    assert {setting.strip("`") for setting, _ in rows.values()} - {""} <= set(KEYS)


def test_every_permission_is_in_the_page_of_the_admin_and_no_other(read_page):
    permissions = {f"huey_django.{name}" for name, _ in Command._meta.permissions}

    assert set(read_page("admin.md").rows("Permissions")) == permissions


class TestMigrating:
    """What takes the place of a name of djhuey exists."""

    @pytest.fixture
    def djhuey(self, read_page) -> Page:
        return read_page("migrating-from-djhuey.md")

    def test_a_setting(self, djhuey):
        cells = [setting for setting, _ in djhuey.rows("Settings").values()]
        named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}

        assert len(named) > 10
        assert named - {"HUEY"} <= set(KEYS)

    def test_an_option(self, djhuey):
        shown = {option for [cell] in djhuey.rows("Options of `run_huey`").values() for option in OPTION.findall(cell)}

        assert len(shown) > 5
        assert shown <= {*OPTIONS, "--verbosity"}

    def test_a_name_that_is_imported(self, djhuey):
        cells = " ".join(cell for [cell] in djhuey.rows("Names").values())
        named = set(re.findall(r"`(\w+)(?:\(\))?` from `huey_django`", cells))

        assert named == {"crontab", "get_invoker", "periodic_command", "queue_command"}
        assert named <= set(huey_django.__all__)

    def test_a_method_of_the_invoker(self, djhuey):
        cells = " ".join(cell for [cell] in djhuey.rows("Names").values())
        named = set(re.findall(r"get_invoker\(\)\.(\w+)", cells))

        assert named == {"enqueue", "enqueue_many", "queue", "result"}
        assert all(hasattr(get_invoker(), name) for name in named)
