"""What is published holds all that it should and nothing else, and it is what these tests have run against."""

from __future__ import annotations

import importlib
import sysconfig
import tarfile
from pathlib import Path

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


def test_every_file_of_the_package_is_in_the_wheel(distribution):
    assert set(distribution.source_files()) <= distribution.files.keys()


def test_the_wheel_says_that_it_is_typed(distribution):
    assert f"{distribution.module}/py.typed" in distribution.files


def test_the_wheel_holds_its_package_and_nothing_else(distribution):
    folders = {name.partition("/")[0] for name in distribution.files}

    assert folders == {distribution.module, f"{distribution.module}-{distribution.version}.dist-info"}


def test_what_is_imported_is_installed_and_not_the_source_tree(distribution):
    module = importlib.import_module(distribution.module)

    # A folder of that name without the package would be importable too, as a namespace that comes from no file.
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(SITE_PACKAGES)


def test_what_is_installed_is_this_wheel_and_not_an_older_one(distribution):
    installed = {name: (SITE_PACKAGES / name).read_bytes() for name in distribution.source_files()}

    assert installed == {name: distribution.files[name] for name in installed}


def test_a_source_distribution_leaves_the_rest_of_the_repository_out(distribution):
    with tarfile.open(distribution.sdist) as archive:
        names = {name.split("/")[1] for name in archive.getnames()}

    source = "src" if distribution.source.parent.name == "src" else distribution.module
    allowed = {source, "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names <= allowed
    assert {source, "LICENSE", "README.md", "pyproject.toml"} <= names
