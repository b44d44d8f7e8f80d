"""The tables for those who come from elsewhere are complete, and what they offer instead exists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import huey_core
from huey_core import AsyncData, CommandRegistry, Invoker, QueueCommand, exceptions, hookspecs
from huey_core.backends import BaseDataStore, LeasedQueue
from huey_core.cli.group import huey
from huey_core.commands import CORE_OPTIONS, RunContext
from huey_core.consumer import BaseConfiguration, Consumer
from huey_core.decorators import CommandFunction, periodic_command, queue_command
from huey_core.invoker import Schedules
from pages import Page

ORIGINAL = "From the original API"
THEIRS = Path(__file__).with_name("huey_3.txt")

OURS = {
    "add": CommandFunction,
    "command": QueueCommand,
    "consumer": Consumer,
    "current_command()": RunContext,
    "handle": AsyncData,
    "invoker": Invoker,
    "invoker.queue": LeasedQueue,
    "invoker.registry": CommandRegistry,
    "invoker.result(task_id)": AsyncData,
    "invoker.result_store": BaseDataStore,
    "invoker.schedules": Schedules,
    "invoker.task_store": BaseDataStore,
    "store": BaseDataStore,
}
"""What our names in the tables stand for."""

INSTANCE_ATTRIBUTES = {
    "add": {"command_class", "function"},
    "command": {"data", "eta", "options", "task_id"},
    "handle": {"invoker", "task_id"},
    "invoker": {"queue", "registry", "result_store", "task_store"},
}
"""Attributes that are there once ``__init__`` has run."""

BUILTIN_EXCEPTIONS = {"TimeoutError", "TypeError", "BaseException", "Exception"}

PAGES = ["migrating.md", "coming-from.md", "django/migrating-from-djhuey.md"]


def table_rows(page: Page) -> list[list[str]]:
    """The cells of all rows but those about the original API, whose names have tests of their own."""
    text = re.sub(rf"(?ms)^## {ORIGINAL}\n.*?(?=^## )", "", page.prose)
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def names_of_theirs() -> Iterator[Any]:
    for line in THEIRS.read_text().splitlines():
        if not line.startswith("#"):
            group, _, names = line.partition(": ")
            path = "django/migrating-from-djhuey.md" if group.startswith("django") else "migrating.md"
            yield pytest.param(path, names.split(), id=group)


@pytest.mark.parametrize(("path", "names"), list(names_of_theirs()))
def test_every_name_of_huey_3_has_a_row(path, names, read_page):
    spans = [span for first, *_ in table_rows(read_page(path)) for span in code(first)]
    words = {word for span in spans for word in re.findall(r"(?<![\w-])(?:--?)?\w[\w-]*", span)}
    said = words | set(spans)

    assert [name for name in names if name not in said] == []


def our_code(read_page) -> Iterator[str]:
    for page in PAGES:
        for row in table_rows(read_page(page)):
            yield from code(row[1])


def test_the_attributes_in_the_tables_exist(read_page):
    missing = []
    for span in our_code(read_page):
        for name, kind in OURS.items():
            for attribute in re.findall(rf"(?<![\w.)]){re.escape(name)}\.([a-z_]+)", span):
                if not hasattr(kind, attribute) and attribute not in INSTANCE_ATTRIBUTES.get(name, ()):
                    missing.append(f"{name}.{attribute}")

    assert missing == []


def test_the_options_of_commands_in_the_tables_exist(read_page):
    known = {*CORE_OPTIONS, *inspect.signature(queue_command).parameters}
    schedules = [huey_core.crontab, huey_core.every]
    known.update(*(inspect.signature(one).parameters for one in [periodic_command, *schedules]))
    given = {
        option
        for span in our_code(read_page)
        for call in re.findall(r"(?:@queue_command|@periodic_command|\.using)\((.*)", span)
        for option in re.findall(r"(\w+)=", call.partition(".schedule")[0])
    }

    assert given
    assert given - known - {"on_commit"} == set()


def test_the_hooks_in_the_tables_exist(read_page):
    named = {word for span in our_code(read_page) for word in re.findall(r"\bhuey_\w+", span)}
    hooks = {name for name in named if name not in {"huey_consumer", "huey_django", "huey_redis", "huey_core"}}

    assert hooks
    assert {name for name in hooks if not hasattr(hookspecs, name)} == set()


def test_the_exceptions_in_the_tables_exist(read_page):
    named = {
        word
        for page in PAGES
        for row in table_rows(read_page(page))
        for cell in row[1:]
        for span in code(cell)
        for word in re.findall(r"\b(?:raise )?((?:Command|DataStore|Queue|Delivery|Plugin)[A-Z]\w+|\w+Error)\b", span)
    }
    public = {*exceptions.__all__, *huey_core.__all__, "RedisQueue"}

    assert "CommandError" in named
    assert named - public - BUILTIN_EXCEPTIONS == set()


def test_the_settings_in_the_tables_exist(read_page):
    named = {word for span in our_code(read_page) for word in re.findall(r"\b[A-Z][A-Z]+(?:_[A-Z]+)+\b", span)}
    of_django = {"HUEY_CONFIG", *read_page("django/settings.md").rows("Keys")}

    assert {"MAX_COMMANDS", "SHUTDOWN_TIMEOUT"} <= named
    assert named - set(dir(BaseConfiguration)) - of_django == set()


def test_the_options_of_command_lines_in_the_tables_exist(read_page):
    known = {opt for command in commands(huey) for parameter in command.params for opt in options(parameter)}
    known |= {"--verbosity"}  # of every command of manage.py
    named = {opt for span in our_code(read_page) for opt in re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)}

    assert named
    assert named - known == set()


def commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def options(parameter: click.Parameter) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]
