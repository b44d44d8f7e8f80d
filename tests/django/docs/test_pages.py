"""What the pages show is true: their programs run, their settings are taken, and their command lines exist."""

from __future__ import annotations

import re
import shlex

import pytest
from django.core.management import CommandError, get_commands, load_command_class


def test_a_page_is_a_program_that_runs(page, site):
    site.write(page)
    site.run("manage.py", "migrate", "--run-syncdb", "--verbosity", "0")
    for consumer in re.findall(r"^\$ python manage.py run_huey(.*)$", page.text, re.MULTILINE)[:1]:
        site.start(*shlex.split(consumer))

    site.run_program(page)


def test_settings_are_taken(settings_page, settings_end, site):
    site.write(settings_page, settings_end)

    site.run("manage.py", "check")


class TestTests:
    """The tests that the page about testing writes."""

    @pytest.fixture(autouse=True)
    def written(self, site, read_page):
        site.write(read_page("testing.md"))

    def test_those_for_pytest_pass(self, site):
        site.run("-m", "pytest", "-p", "no:valkey", "-p", "no:cacheprovider")

    @pytest.mark.parametrize("settings", ["mysite.settings", "mysite.test_settings"])
    def test_those_for_the_runner_of_django_pass(self, site, settings):
        site.run("manage.py", "test", "--settings", settings)


def parse(words: list[str]) -> None:
    """Parse a command line of ``manage.py`` without running it."""
    name, *arguments = words
    # An application that few of these tests need.
    application = {"collectstatic": "django.contrib.staticfiles", **get_commands()}.get(name)
    assert application is not None, f"manage.py has no command {name!r}"
    command = load_command_class(application, name)
    # Otherwise a wrong command line ends the process.
    command._called_from_command_line = False
    command.create_parser("manage.py", name).parse_args(arguments)


def test_a_command_line_is_one_that_is_taken(shell_line):
    words = shlex.split(shell_line, comments=True)

    assert words
    if words[:2] == ["python", "manage.py"]:
        parse(words[2:])


@pytest.mark.parametrize("line", ["run_huy", "run_huey --thread-count 5", "check --depoly"])
def test_a_command_line_that_does_not_exist_would_be_noticed(line):
    with pytest.raises((AssertionError, CommandError)):
        parse(line.split())
