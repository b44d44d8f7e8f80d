"""The reference tables are complete, and their defaults are those of the code."""

from __future__ import annotations

import ast
import configparser
import inspect
import json
import logging
import re
from pathlib import Path

import click
import pytest

import huey_core
import huey_memory
import huey_mongo
import huey_msgpack
import huey_redis
import huey_sqlite
import huey_testing
import huey_zstd
from huey_core import AsyncData, exceptions
from huey_core.backends.options import COMMON_OPTIONS, Option
from huey_core.cli.consumer import consumer
from huey_core.cli.group import huey
from huey_core.commands import CORE_OPTIONS
from huey_core.consumer import BaseConfiguration
from huey_core.plugins.backends import backend_registry
from huey_memory import MemoryBackend
from huey_mongo import MongoBackend
from huey_redis import RedisBackend
from huey_redis.keys import QUEUE_PARTS
from huey_sqlite import SQLiteBackend

SETTINGS = {name: value for name, value in vars(BaseConfiguration).items() if name.isupper()}
URL_OPTIONS = {
    "Every backend": COMMON_OPTIONS,
    "Redis": RedisBackend.options,
    "MongoDB": MongoBackend.options,
    "SQLite": SQLiteBackend.options,
    "Memory": MemoryBackend.options,
}


def evaluated(cell: str) -> object:
    """The value of a default that a table shows as Python code."""
    return eval(cell.strip("`"), {"logging": logging})


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_of_the_consumer_is_in_its_page_with_its_default(name, read_page):
    default, *_ = read_page("consumer.md").rows()[name]

    assert evaluated(default) == SETTINGS[name]


@pytest.mark.parametrize("name", CORE_OPTIONS)
def test_every_option_of_a_command_is_in_its_page_with_its_default(name, read_page):
    default, *_ = read_page("commands.md").rows()[name]

    assert evaluated(default) == CORE_OPTIONS[name].default


@pytest.mark.parametrize("name", [name for name in inspect.signature(AsyncData.get).parameters if name != "self"])
def test_every_parameter_of_get_is_in_the_page_of_commands_with_its_default(name, read_page):
    default, *_ = read_page("commands.md").rows()[name]

    assert evaluated(default) == inspect.signature(AsyncData.get).parameters[name].default


@pytest.mark.parametrize(
    ("heading", "option"),
    [(heading, option) for heading, options in URL_OPTIONS.items() for option in options],
    ids=lambda part: part.name if isinstance(part, Option) else part,
)
def test_every_option_of_a_url_is_in_its_page_with_its_default_and_its_help(heading: str, option: Option, read_page):
    default, help_text = read_page("urls.md").rows(heading)[option.name]

    assert (option.parse(default.strip("`")) if default else None) == option.default
    assert help_text.startswith(option.help)


@pytest.mark.parametrize("heading", URL_OPTIONS)
def test_no_option_is_in_the_page_that_does_not_exist(heading: str, read_page):
    assert set(read_page("urls.md").rows(heading)) == {option.name for option in URL_OPTIONS[heading]}


def test_the_options_of_every_backend_are_looked_at():
    looked_at = {option for options in URL_OPTIONS.values() for option in options}

    assert {
        option for entry in backend_registry.entries() for option in backend_registry.load(entry).options
    } <= looked_at


def test_every_exception_is_public():
    defined = {
        name
        for name, one in vars(exceptions).items()
        if isinstance(one, type) and one.__module__ == "huey_core.exceptions"
    }

    assert set(exceptions.__all__) == defined


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_exception_is_in_its_page_under_its_bases(name, read_page):
    bases, when, what_to_do = read_page("errors.md").rows()[name]

    assert bases.replace("`", "").split(", ") == [base.__name__ for base in getattr(exceptions, name).__bases__]
    assert when
    assert what_to_do


@pytest.mark.parametrize("part", QUEUE_PARTS)
def test_every_key_of_a_redis_queue_is_in_the_page_of_operations(part, read_page):
    assert part in read_page("operations.md").rows()


def environment_variables() -> set[str]:
    """The texts in the code that are nothing but the name of a variable."""
    packages = huey_core, huey_memory, huey_mongo, huey_msgpack, huey_redis, huey_sqlite, huey_testing, huey_zstd
    return {
        node.value
        for package in packages
        for path in Path(inspect.getfile(package)).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch("HUEY_[A-Z_]+", node.value)
    } - {"HUEY_PLUGIN_API"}  # the attribute in which a plugin states its version


def test_every_environment_variable_is_in_the_page_of_urls(read_page):
    assert environment_variables() == {name for name in read_page("urls.md").rows() if name.startswith("HUEY_")}


def test_the_unit_for_systemd_starts_a_consumer_and_waits_longer_than_it_for_its_commands(read_page):
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(read_page("deployment.md").blocks("ini")[0].text)
    service = unit["Service"]

    assert service["Type"] == "notify"
    assert service["ExecStart"].endswith("bin/huey_consumer main.Configuration")
    assert float(service["TimeoutStopSec"]) > BaseConfiguration.SHUTDOWN_TIMEOUT


def test_containers_have_more_time_to_end_than_commands_have(read_page):
    [period] = re.findall(r"terminationGracePeriodSeconds: (\d+)$", read_page("deployment.md").text, re.MULTILINE)

    assert float(period) > BaseConfiguration.SHUTDOWN_TIMEOUT


def command_lines_in_json(page) -> list[list[str]]:
    texts = [block.text for block in page.blocks("dockerfile", "yaml")]
    lists = [json.loads(found) for text in texts for found in re.findall(r"\[\"huey.*?\]", text)]
    return [words for words in lists if words]


def test_the_command_lines_of_containers_are_those_that_the_command_line_takes(read_page):
    lines = command_lines_in_json(read_page("deployment.md"))

    assert {words[0] for words in lines} == {"huey", "huey_consumer"}
    for program, *arguments in lines:
        command = consumer if program == "huey_consumer" else huey.get_command(click.Context(huey), arguments.pop(0))
        command.make_context(program, arguments)
