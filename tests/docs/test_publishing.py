"""What the page asks of plugins is what the plugins of this repository do, and what ``huey new-plugin`` writes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.plugins.backends import backend_registry
from huey_core.plugins.serializers import serializer_registry
from huey_testing.scaffold.distribution import Kind, NewDistribution

ROOT = Path(__file__).parents[2]


def projects() -> dict[str, dict[str, Any]]:
    """The ``project`` table of each plugin, and of one that ``huey new-plugin`` would write, by a name for the test."""
    found = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))}
    for kind in Kind:
        found[f"a new {kind}"] = NewDistribution("kite", kind).files()["pyproject.toml"]
    return {name: tomllib.loads(text)["project"] for name, text in found.items()}


PROJECTS = projects()

each_project = pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS.keys())


@pytest.fixture
def rules(read_page) -> str:
    """The text of the page."""
    text: str = read_page("plugins/publishing.md").text
    return text


@each_project
def test_its_name_is_huey_and_a_word(project):
    assert re.fullmatch(r"huey-[a-z][a-z0-9]*(-[a-z0-9]+)*", project["name"])


@pytest.mark.parametrize("folder", [name for name in PROJECTS if name.startswith("huey_")])
def test_its_package_is_called_as_the_distribution_is(folder):
    assert (ROOT / "plugins" / folder / "src" / PROJECTS[folder]["name"].replace("-", "_") / "__init__.py").exists()


@each_project
def test_it_has_the_keyword_by_which_plugins_are_found(project, rules):
    assert "huey-plugin" in project["keywords"]
    assert "`huey-plugin`" in rules


@each_project
def test_it_is_pinned_as_the_page_says(project, rules):
    (shown,) = re.findall(r'^dependencies = \["(huey-core.*?)"\]$', rules, re.MULTILINE)
    (pinned,) = [each for each in map(Requirement, project["dependencies"]) if each.name == "huey-core"]

    assert pinned.specifier == Requirement(shown).specifier


@each_project
def test_its_entry_points_are_in_lower_case(project):
    names = [
        name
        for group, points in project.get("entry-points", {}).items()
        if group.startswith("huey_core.")
        for name in points
    ]

    assert [name for name in names if name != name.lower() or "+" in name] == []


@pytest.mark.parametrize("entry", backend_registry.entries(), ids=lambda entry: entry.label)
def test_a_backend_says_for_which_number_it_was_written(entry):
    assert vars(backend_registry.load(entry))["api_version"] == HUEY_PLUGIN_API


@pytest.mark.parametrize(
    "entry",
    [entry for entry in serializer_registry.entries() if entry.distribution != "huey-core"],
    ids=lambda entry: entry.label,
)
def test_a_serializer_says_for_which_number_it_was_written(entry):
    assert vars(serializer_registry.load(entry))["HUEY_PLUGIN_API"] == HUEY_PLUGIN_API
