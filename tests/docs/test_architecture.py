"""ARCHITECTURE.md says which files a change concerns, and they are there."""

from __future__ import annotations

import re

import pytest

from pages import ROOT

CHANGES = (
    "an outcome",
    "a CLI command",
    "a worker pool",
    "what ends a command from outside",
    "a kind of schedule",
    "an option of a command",
    "a URL option",
    "a hook",
    "what follows a command",
    "another queue",
    "a metric",
    "a backend",
)


@pytest.fixture
def rows() -> dict[str, str]:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.partition("## Where to change what\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| (an? .+?|what .+?|another .+?) \| (.+) \|$", section, re.MULTILINE))


def test_the_table_has_a_row_for_each_change(rows):
    assert tuple(rows) == CHANGES


@pytest.mark.parametrize("change", CHANGES)
def test_the_files_that_are_named_for_a_change_exist(rows, change):
    named = re.findall(r"`([\w/-]+/[\w/.-]+)`", rows[change])

    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []
