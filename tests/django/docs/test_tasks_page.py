"""The tables of the page about ``django.tasks``. There is no such thing before Django 6."""

from __future__ import annotations

from django.tasks.base import TaskResultStatus

from huey_django.tasks import HueyBackend
from huey_django.tasks.task import COMMAND_OPTIONS


def test_the_tests_of_the_page_pass(site, read_page):
    site.write(read_page("tasks.md"))

    site.run(
        *("-m", "pytest", "-p", "no:valkey", "-p", "no:cacheprovider"),
        *("--ds", "mysite.settings", "shop/test_tasks.py"),
    )


def test_every_option_is_in_the_page_and_no_other(read_page):
    expected = {"URL", "ON_COMMIT", *(name.upper() for name in COMMAND_OPTIONS)}

    assert set(read_page("tasks.md").rows("Options")) == expected


def test_every_status_is_in_the_page_and_no_other(read_page):
    assert set(read_page("tasks.md").rows("What a result says")) == set(TaskResultStatus.values)


def test_every_flag_is_in_the_page_and_no_other(read_page):
    flags = {name for name in dir(HueyBackend) if name.startswith("supports_")}

    assert set(read_page("tasks.md").rows("What the server has to do")) == flags


def test_every_signal_is_in_the_page_and_no_other(read_page):
    from django.tasks import signals

    assert set(read_page("tasks.md").rows("Signals")) == {name for name in vars(signals) if name.startswith("task_")}
