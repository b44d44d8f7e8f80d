"""The files of the page about deployment let a consumer end in peace."""

from __future__ import annotations

import configparser
import json
import re
import shlex

import pytest
from django.core.management.base import BaseCommand

from huey_django.conf import KEYS
from huey_django.management.commands.run_huey import Command as RunHuey


@pytest.fixture
def file(read_page):
    """The one file of the page that is written in a language."""

    def file(language: str) -> str:
        [block] = read_page("deployment.md").blocks(language)
        return block.text

    return file


def assert_runs_the_consumer(words: list[str]) -> None:
    assert words[0].endswith("python")
    assert words[1:3] == ["manage.py", "run_huey"]
    command: BaseCommand = RunHuey()
    command.create_parser("manage.py", "run_huey").parse_args(words[3:])


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


class TestUnit:
    @pytest.fixture
    def service(self, file) -> configparser.SectionProxy:
        unit = configparser.ConfigParser(interpolation=None)
        unit.read_string(file("ini"))
        return unit["Service"]

    def test_it_runs_the_consumer(self, service):
        assert_runs_the_consumer(shlex.split(service["ExecStart"]))

    def test_it_waits_longer_than_the_consumer_for_its_commands(self, service):
        assert seconds(service["TimeoutStopSec"]) > KEYS["SHUTDOWN_TIMEOUT"]


class TestContainer:
    def test_its_command_is_a_list_that_runs_the_consumer(self, file):
        [command] = re.findall(r"^CMD (.*)$", file("dockerfile"), re.MULTILINE)

        assert_runs_the_consumer(json.loads(command))

    def test_that_of_the_service_is_too(self, file):
        command, _ = re.findall(r"command: (\[.*\])$", file("yaml"), re.MULTILINE)

        assert_runs_the_consumer(json.loads(command))

    def test_it_is_given_longer_than_its_commands(self, file):
        [period] = re.findall(r"stop_grace_period: (\S+)$", file("yaml"), re.MULTILINE)

        assert seconds(period) > KEYS["SHUTDOWN_TIMEOUT"]
