from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

import huey_core
from huey_core.plugins.discovery import BACKENDS, PLUGINS, SERIALIZERS, Entry, entries, scan
from huey_core.plugins.known import KNOWN_BACKENDS, UNSERVED_SCHEMES


def of(*distributions: str, group: str = BACKENDS) -> list[tuple[str, str]]:
    return [(entry.distribution, entry.name) for entry in entries(group) if entry.distribution in distributions]


def test_an_entry_point_is_described_by_its_distribution_and_version(site):
    site.install("huey-alpha", {SERIALIZERS: {"alpha": "huey_alpha:Alpha"}}, version="2.5")

    assert Entry(SERIALIZERS, "alpha", "huey_alpha:Alpha", "huey-alpha", "2.5") in entries(SERIALIZERS)


def test_entries_are_sorted_by_distribution_and_name_whatever_the_order_of_the_files(site):
    site.install("huey-zeta", {BACKENDS: {"b": "zeta:B", "a": "zeta:A"}})
    site.install("huey-beta", {BACKENDS: {"d": "beta:D", "c": "beta:C"}})

    assert of("huey-zeta", "huey-beta") == [
        ("huey-beta", "c"),
        ("huey-beta", "d"),
        ("huey-zeta", "a"),
        ("huey-zeta", "b"),
    ]


def test_groups_are_kept_apart(site):
    site.install("huey-alpha", {BACKENDS: {"one": "a:B"}, PLUGINS: {"two": "a"}, "console_scripts": {"three": "a:c"}})

    assert of("huey-alpha") == [("huey-alpha", "one")]
    assert of("huey-alpha", group=PLUGINS) == [("huey-alpha", "two")]


def test_equal_entries_are_one(site):
    site.write_metadata("huey-alpha", "1.0", f"[{BACKENDS}]\nalpha = a:A\nalpha = a:A")

    assert of("huey-alpha") == [("huey-alpha", "alpha")]


def test_the_metadata_is_scanned_once(site):
    entries(BACKENDS)
    site.install("huey-late", {BACKENDS: {"late": "late:Late"}})

    before = of("huey-late")
    scan.cache_clear()

    assert before == []
    assert of("huey-late") == [("huey-late", "late")]


def test_a_damaged_distribution_does_not_hide_the_others(site):
    folder = site.write_metadata("huey-damaged", "1.0", f"[{BACKENDS}]\ndamaged = d:D")
    (folder / "METADATA").unlink()
    site.install("huey-sound", {BACKENDS: {"sound": "s:S"}})

    assert of("huey-sound") == [("huey-sound", "sound")]
    assert of("unknown distribution") == [("unknown distribution", "damaged")]


def test_a_removed_distribution_is_gone_after_another_scan(site):
    site.install("huey-alpha", {BACKENDS: {"alpha": "a:A"}})
    entries(BACKENDS)

    shutil.rmtree(site.path / "huey_alpha-1.0.dist-info")
    scan.cache_clear()

    assert of("huey-alpha") == []


def test_importing_huey_core_and_its_look_ups_imports_no_driver_and_no_metadata_reader(site):
    printed = site.run("""
        import sys
        import huey_core, huey_core.plugins.backends, huey_core.plugins.serializers
        print([name for name in ("importlib_metadata", "redis", "pymongo", "huey_redis") if name in sys.modules])
    """)

    assert printed.strip() == "[]"


def test_one_module_alone_imports_importlib_metadata():
    root = Path(huey_core.__file__).parent
    importers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and "importlib_metadata" in ast.unparse(node)
    }

    assert importers == {"plugins/discovery.py"}


@pytest.mark.parametrize("table", [KNOWN_BACKENDS, UNSERVED_SCHEMES])
def test_a_table_of_known_backends_is_sorted_by_scheme(table):
    assert list(table) == sorted(table)
