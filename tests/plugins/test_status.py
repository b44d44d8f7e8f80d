from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from huey_core.plugins.discovery import BACKENDS, PLUGINS, SERIALIZERS, WORKERS
from huey_core.plugins.manager import PluginManager
from huey_core.plugins.status import Status, consumer_script, plugin_rows

if TYPE_CHECKING:
    from pathlib import Path


def row(distribution: str, load: bool = False):
    (found,) = [row for row in plugin_rows(load=load) if row.entry.distribution == distribution]
    return found


def test_every_group_is_listed(site, backend_source):
    groups = {BACKENDS: "a:B", SERIALIZERS: "a:S", WORKERS: "a:W", PLUGINS: "a"}
    site.install("huey-four", {group: {"four": value} for group, value in groups.items()})

    assert [row.entry.group for row in plugin_rows() if row.entry.distribution == "huey-four"] == list(groups)


def test_listing_imports_nothing(site):
    site.install("huey-fatal", {BACKENDS: {"fatal": "fatal:B"}, PLUGINS: {"fatal": "fatal"}}, {"fatal": "1 / 0"})

    statuses = [row.status for row in plugin_rows() if row.entry.distribution == "huey-fatal"]

    assert statuses == [Status.OK, Status.OK]


@pytest.mark.parametrize(
    ("group", "value"),
    [(BACKENDS, "fatal:Backend"), (SERIALIZERS, "fatal:Serializer"), (WORKERS, "fatal:Pool"), (PLUGINS, "fatal")],
)
def test_a_plugin_that_cannot_be_imported_is_broken_once_it_was_tried(site, group, value):
    site.install("huey-fatal", {group: {"fatal": value}}, {"fatal": "1 / 0"})

    found = row("huey-fatal", load=True)

    assert found.status is Status.BROKEN
    assert "ZeroDivisionError" in found.detail


def test_a_plugin_that_broke_in_this_process_is_listed_as_broken(site):
    site.install("huey-fatal", {PLUGINS: {"fatal": "fatal"}}, {"fatal": "1 / 0"})

    PluginManager()

    assert row("huey-fatal").status is Status.BROKEN


def test_a_plugin_that_was_mended_is_ok_again(site):
    site.install("huey-fatal", {PLUGINS: {"fatal": "fatal"}}, {"fatal": "1 / 0"})
    PluginManager()

    (site.path / "fatal.py").write_text("MENDED = True\n")
    row("huey-fatal", load=True)

    assert row("huey-fatal").status is Status.OK


def test_a_plugin_with_an_unknown_hook_is_broken(site):
    source = "from huey_core.hookspecs import hookimpl\n@hookimpl\ndef huey_typo(): ...\n"
    site.install("huey-typo", {PLUGINS: {"typo": "typo_module"}}, {"typo_module": source})

    found = row("huey-typo", load=True)

    assert (found.status, "'huey_typo'" in found.detail) == (Status.BROKEN, True)


def test_a_plugin_of_another_api_version_is_incompatible(site):
    site.install("huey-old", {PLUGINS: {"old": "old_module"}}, {"old_module": "HUEY_PLUGIN_API = 99"})

    assert row("huey-old", load=True).status is Status.INCOMPATIBLE


def test_a_blocked_plugin_is_listed_and_not_imported(site, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "fatal")
    site.install("huey-fatal", {PLUGINS: {"fatal": "fatal"}}, {"fatal": "raise SystemExit"})

    found = row("huey-fatal", load=True)

    assert (found.status, "HUEY_DISABLE_PLUGINS" in found.detail) == (Status.BLOCKED, True)


def test_both_sides_of_a_conflict_are_listed_as_such(site):
    for name in ("huey-one", "huey-two"):
        site.install(name, {BACKENDS: {"same": f"{name.replace('-', '_')}:B"}})

    assert [row(name).status for name in ("huey-one", "huey-two")] == [Status.CONFLICT, Status.CONFLICT]


def test_after_a_choice_the_other_side_is_listed_as_blocked(site, monkeypatch):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "same=huey-two")
    for name in ("huey-one", "huey-two"):
        site.install(name, {BACKENDS: {"same": f"{name.replace('-', '_')}:B"}})

    assert row("huey-two").status is Status.OK
    assert row("huey-one").status is Status.BLOCKED
    assert "HUEY_PLUGIN_CHOICE chooses huey-two 1.0" in row("huey-one").detail


def test_only_ok_and_blocked_call_for_no_action():
    assert {status for status in Status if not status.is_fault} == {Status.OK, Status.BLOCKED}


def test_a_name_that_is_not_lower_case_is_broken(site):
    site.install("huey-upper", {BACKENDS: {"Upper": "upper:B"}})

    assert (row("huey-upper").status, "lower case" in row("huey-upper").detail) == (Status.BROKEN, True)


def script(folder: Path, text: str) -> str:
    path = folder / "huey_consumer"
    path.write_text(f"#!/usr/bin/env python\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [("from huey_core.cli import consumer_main", True), ("from huey.bin.huey_consumer import consumer_main", False)],
)
def test_the_consumer_script_on_the_path_is_told_from_that_of_the_package_huey(tmp_path, monkeypatch, text, is_ours):
    path = script(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = consumer_script()

    assert (found.path, found.is_ours) == (path, is_ours)


def test_a_missing_consumer_script_is_nobody_s(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert consumer_script().path is None
