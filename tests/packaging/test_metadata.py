"""What an installer, an index and huey-core itself read about the distributions."""

from __future__ import annotations

import configparser
import importlib
import re
import sys

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ENTRY_POINTS = {
    "huey-core": {
        "console_scripts": {"huey", "huey_consumer"},
        "huey_core.serializers": {"json", "pickle", "signed"},
        "huey_core.workers": {"asyncio", "process", "thread"},
    },
    "huey-memory": {"huey_core.backends": {"memory"}},
    "huey-redis": {"huey_core.backends": {"redis", "rediss", "redis.unix"}},
    "huey-msgpack": {"huey_core.serializers": {"msgpack"}},
    "huey-sqlite": {"huey_core.backends": {"sqlite"}},
    "huey-django": {},
    "huey-testing": {"huey_core.plugins": {"testing"}, "pytest11": {"huey_testing"}},
    "huey-zstd": {"huey_core.serializers": {"zstd"}},
    "huey-mongo": {"huey_core.backends": {"mongodb", "mongodb.srv"}},
}


def requirements(distribution) -> list[Requirement]:
    return [Requirement(text) for text in distribution.metadata.requires or []]


def next_breaking(version: str) -> Version:
    """The next version that may break what worked with this one: before 1.0, that is the next minor one."""
    major, minor, *_ = Version(version).release
    return Version(f"{major + 1}.0" if major else f"0.{minor + 1}")


def test_the_versions_move_together(distribution, core):
    assert distribution.version == core.version


def test_the_version_is_the_one_that_the_package_tells(distribution):
    assert importlib.import_module(distribution.module).__version__ == distribution.version


def test_the_entry_points_are_the_documented_ones(distribution):
    found: dict[str, set[str]] = {}
    for entry_point in distribution.metadata.entry_points:
        found.setdefault(entry_point.group, set()).add(entry_point.name)

    assert found == ENTRY_POINTS[distribution.name]


def test_every_entry_point_leads_somewhere(distribution):
    for entry_point in distribution.metadata.entry_points:
        assert entry_point.load()


def test_the_entry_points_of_a_backend_are_its_schemes(plugin):
    backends = [point for point in plugin.metadata.entry_points if point.group == "huey_core.backends"]

    claimed = {point.name.replace(".", "+") for point in backends}
    assert claimed == {scheme for point in backends for scheme in point.load().schemes}


def test_a_plugin_takes_this_core_and_none_that_may_break_it(plugin, core):
    (requirement,) = [each for each in requirements(plugin) if each.name == "huey-core"]

    assert core.version in requirement.specifier
    assert next_breaking(core.version) not in requirement.specifier


def test_the_core_needs_no_more_than_three_small_libraries(core):
    assert {each.name for each in requirements(core) if not each.marker} == {"pluggy", "importlib-metadata", "click"}


def test_an_extra_of_the_core_installs_the_plugin_that_fits(plugin, core):
    extra = plugin.name.removeprefix("huey-")

    (requirement,) = [each for each in requirements(core) if each.name == plugin.name]
    assert requirement.marker is not None
    assert requirement.marker.evaluate({"extra": extra})
    assert plugin.version in requirement.specifier
    assert next_breaking(core.version) not in requirement.specifier


def test_the_licence_is_named_and_enclosed(distribution, root):
    enclosed = f"{distribution.module}-{distribution.version}.dist-info/licenses/LICENSE"

    assert distribution.metadata.metadata["License-Expression"] == "MIT"
    assert distribution.files[enclosed] == (root / "LICENSE").read_bytes()


def test_the_page_on_the_index_is_the_readme(distribution):
    assert distribution.metadata.metadata["Description-Content-Type"] == "text/markdown"
    assert distribution.metadata.metadata.get_payload().startswith(f"# {distribution.name}\n")


def test_the_classifiers_name_the_pythons_that_are_tested(distribution, root):
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(root / "tox.ini")
    tested = {f"{major}.{minor}" for major, minor in re.findall(r"\bpy(\d)(\d+)\b,", tox["tox"]["labels"])}

    prefix = "Programming Language :: Python :: "
    classifiers = distribution.metadata.metadata.get_all("Classifier")
    assert {each.removeprefix(prefix) for each in classifiers if each.startswith(prefix)} == tested
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in tested


def test_older_pythons_are_refused_by_the_installer(distribution):
    assert distribution.metadata.metadata["Requires-Python"] == ">=3.11"


@pytest.mark.parametrize("classifier", ["Typing :: Typed", "Operating System :: POSIX :: Linux"])
def test_the_classifiers_say_where_it_can_be_used(distribution, classifier):
    assert classifier in distribution.metadata.metadata.get_all("Classifier")
