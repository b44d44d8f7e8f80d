"""What the pages show is true: their programs run, their command lines exist, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from huey_core.cli.consumer import consumer
from huey_core.cli.group import huey

END_OF_COMMAND = {"|", ">", "&", "&&", ";"}


def test_the_python_blocks_of_a_page_run_in_order(plain_page, run_page):
    run_page(plain_page)


def test_a_block_that_is_not_run_is_a_rare_exception(page):
    assert len([block for block in page.blocks("python") if not block.is_run]) <= 1


def test_every_command_line_is_one_that_the_command_line_takes(shell_line):
    words = shlex.split(shell_line, comments=True)
    while "=" in words[0]:
        words.pop(0)
    words = words[: next((number for number, word in enumerate(words) if word in END_OF_COMMAND), len(words))]

    parse(words)


def parse(words: list[str]) -> None:
    """Parse a command line as click does, without running it."""
    command: click.Command = consumer if words[0] == "huey_consumer" else huey
    arguments = words[3:] if words[0] == "python" else words[1:]
    context = click.Context(command, info_name=words[0])
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"{command.name} has no command {name!r}"
        command = found
    try:
        command.make_context(command.name, arguments)
    except click.exceptions.Exit:
        assert {"--help", "-h", "--version"} & set(arguments)


@pytest.mark.parametrize("words", [["huey", "inform"], ["huey", "info", "--jsn"], ["huey_consumer"]])
def test_a_command_line_that_does_not_exist_would_be_noticed(words):
    with pytest.raises((AssertionError, click.UsageError)):
        parse(words)


def test_every_relative_link_leads_to_a_file_and_a_heading(page, read_page):
    for target in page.links():
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.path.parent / path).resolve() if path else page.path
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in read_page(str(file)).anchors(), f"{page.name} links to {target}"


def test_every_row_of_a_table_has_as_many_cells_as_its_head(page):
    width = 0
    wrong = []
    for line in page.prose.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if cells and width and cells != width:
            wrong.append(line)
        width = cells

    assert wrong == []


def test_every_page_is_reached_from_the_index(read_page):
    index = read_page("index.md")
    linked = {(index.path.parent / target.partition("#")[0]).resolve() for target in index.links()}

    assert {path for path in index.path.parent.rglob("*.md") if path != index.path} <= linked
