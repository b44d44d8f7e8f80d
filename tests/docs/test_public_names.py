"""What others are shown to import is public: a name that ``huey_core`` or a package or module right below it lists."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import huey_core

ROOT = Path(__file__).parents[2]
DEEP = re.compile(r"(?:from|import) huey_core\.\w+\.\w+.*")
PACKAGES = [found.name for found in pkgutil.iter_modules(huey_core.__path__, "huey_core.") if found.ispkg]


@pytest.mark.parametrize(
    "pattern",
    ["docs/**/*.md", "examples/**/*.py", "plugins/**/*.md", "plugins/**/*.template", "README.md", "tests/typing/*.py"],
)
def test_what_is_shown_imports_no_module_inside_of_a_package_of_the_core(pattern):
    texts = {path: path.read_text() for path in ROOT.glob(pattern)}

    assert texts
    assert {path: found for path, text in texts.items() if (found := DEEP.findall(text))} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "huey_core").glob("*.py")), ids=lambda path: path.name)
def test_what_a_public_module_refers_to_is_in_no_module_inside_of_a_package_of_the_core(path):
    assert re.findall(r"`~?huey_core\.\w+\.\w+\.\w+", path.read_text()) == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_name_that_a_package_lists_hides_none_of_its_modules(name):
    package = importlib.import_module(name)
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}

    assert modules.isdisjoint(getattr(package, "__all__", []))
