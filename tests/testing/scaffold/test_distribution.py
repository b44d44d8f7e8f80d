"""What ``huey new-plugin`` writes is a distribution: it builds, installs, is found, reads well, and tests itself.

Everything happens in an environment made for it, which has all that is installed here and the new distributions. Under
tox huey-core is installed from its wheel, so that a template that is not in the wheel would be missed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from huey_core import __version__
from huey_core.backends.base import BaseDataStore
from huey_core.backends.leased import LeasedQueue
from huey_testing.conformance import SerializerConformance, WorkerPoolConformance
from huey_testing.scaffold.distribution import Kind
from huey_testing.server_process import ServerProcess

ROOT = Path(__file__).parents[3]
LONGEST = "abcdefghij-abcdefghij-abcdefgh"
CONFUSING = ("HUEY_", "PYTHON", "PYTEST_", "TOX_", "VIRTUAL_ENV")


@dataclass
class Workshop:
    """An environment in which plugins are made.

    Attributes:
        folder: Where everything is.
        wheels: The wheels of the generated distributions, by kind.
    """

    folder: Path
    wheels: dict[Kind, Path]

    def project(self, kind: Kind) -> Path:
        """The generated distribution of a kind."""
        return self.folder / f"huey-new-{kind}"

    def run(
        self, *command: str | Path, cwd: Path | None = None, expected: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as a module; fail when it does not exit as expected."""
        ended = subprocess.run(
            [self.folder / "venv" / "bin" / "python", "-m", *command],
            cwd=cwd or self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(CONFUSING)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert expected in (None, ended.returncode), ended.stdout + ended.stderr
        return ended


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("workshop")
    venv.create(folder / "venv", symlinks=True)
    shop = Workshop(folder, {})
    (site_packages,) = folder.glob("venv/lib/*/site-packages")
    also = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
    (site_packages / "also_what_is_installed_here.pth").write_text(also)

    for kind in Kind:
        shop.run("huey_core", "new-plugin", f"new-{kind}", "--kind", kind, folder)
        shop.run("hatchling", "build", "-t", "wheel", cwd=shop.project(kind))
        shop.wheels[kind] = next(shop.project(kind).glob(f"dist/huey_new_{kind}-0.1.0-*.whl"))
        ZipFile(shop.wheels[kind]).extractall(site_packages)
    return shop


each_kind = pytest.mark.parametrize("kind", Kind)


@each_kind
def test_the_wheel_holds_the_package_with_its_types(workshop: Workshop, kind: Kind):
    names = set(ZipFile(workshop.wheels[kind]).namelist())

    assert {f"huey_new_{kind}/__init__.py", f"huey_new_{kind}/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} == {f"huey_new_{kind}", f"huey_new_{kind}-0.1.0.dist-info"}


@each_kind
def test_the_metadata_keeps_a_later_core_out_and_makes_the_plugin_findable(workshop: Workshop, kind: Kind):
    metadata = ZipFile(workshop.wheels[kind]).read(f"huey_new_{kind}-0.1.0.dist-info/METADATA").decode()

    (requirement,) = re.findall("^Requires-Dist: (huey-core.*)$", metadata, re.MULTILINE)
    version = Version(__version__)
    next_breaking = f"{version.major + 1}.0" if version.major else f"0.{version.minor + 1}"
    assert version in Requirement(requirement).specifier
    assert Version(next_breaking) not in Requirement(requirement).specifier
    assert re.search(r"^Keywords: .*\bhuey-plugin\b", metadata, re.MULTILINE)


def test_the_installed_plugins_are_found_by_the_doctor(workshop: Workshop):
    shown = json.loads(workshop.run("huey_core", "doctor", "--json").stdout)

    found = {check["check"]: check["level"] for check in shown["checks"] if "new-" in check["check"]}
    shown_as = {**{kind: kind for kind in Kind}, Kind.FEATURE: "hooks", Kind.WORKERS: "worker pool"}
    assert found == {f"{shown_as[kind]} new-{kind}": "ok" for kind in Kind}


@pytest.mark.parametrize("name", ["k", "kite-2", LONGEST])
@each_kind
def test_it_passes_the_linter_whatever_its_name(workshop: Workshop, tmp_path: Path, kind: Kind, name: str):
    workshop.run("huey_core", "new-plugin", name, "--kind", kind, tmp_path)

    workshop.run("ruff", "check", cwd=tmp_path / f"huey-{name}")
    workshop.run("ruff", "format", "--check", cwd=tmp_path / f"huey-{name}")


@each_kind
def test_it_passes_the_strict_type_checker(workshop: Workshop, kind: Kind):
    workshop.run("mypy", "--cache-dir", workshop.folder / "mypy", cwd=workshop.project(kind))


@pytest.mark.parametrize("kind", [Kind.SERIALIZER, Kind.WORKERS, Kind.FEATURE, Kind.HOOKS])
def test_the_tests_of_an_example_pass(workshop: Workshop, kind: Kind):
    ended = workshop.run("pytest", "-q", cwd=workshop.project(kind))

    assert re.fullmatch(r"\d+ passed(, \d+ skipped)? in .*", ended.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("kind", "cls"), [(Kind.SERIALIZER, SerializerConformance), (Kind.WORKERS, WorkerPoolConformance)]
)
def test_the_tests_of_an_example_are_the_conformance_kit(workshop: Workshop, kind: Kind, cls: type):
    collected = workshop.run("pytest", "-q", "--collect-only", cwd=workshop.project(kind)).stdout.splitlines()

    kit = f"tests/test_conformance.py::TestNew{kind.capitalize()}{kind.capitalize()}::"
    promises = {line.removeprefix(kit).partition("[")[0] for line in collected if line.startswith(kit)}
    assert promises == {name for name in dir(cls) if name.startswith("test_")}


@pytest.fixture(scope="module")
def first_run(workshop: Workshop) -> str:
    """What the first test run of a new backend prints."""
    command = ("pytest", "-q", "--tb=line")
    return workshop.run(*command, cwd=workshop.project(Kind.BACKEND), expected=1).stdout


def test_the_tests_of_a_backend_are_the_conformance_kit(first_run: str):
    assert re.search(r"^\d{3} failed, \d+ passed, .*\d+ errors in", first_run, re.MULTILINE)
    for part in ("Queue", "DataStore", "Backend"):
        assert f"tests/test_conformance.py::TestNewBackend{part}::" in first_run
    assert "tests/test_server.py::TestNewBackendServer::" in first_run


def test_the_tests_of_a_backend_fail_for_what_is_not_written_and_for_nothing_else(first_run: str):
    reasons = set(re.findall(r"^(?:E +|/\S+:\d+: )(\w+)", first_run, re.MULTILINE))

    # Hypothesis makes a group of a failure and the one of the cleaning up after it.
    assert reasons - {"ExceptionGroup"} == {"NotImplementedError"}


def test_the_first_run_of_a_backend_ends_with_every_method_to_write(first_run: str):
    _, _, listed = first_run.partition(" methods are to be written")

    methods = re.findall(r"^(\w+)\.py:\d+: (\w+)\(\): \w", listed, re.MULTILINE)
    stores = {"put", "get", "peek", "put_if_absent", "replace_if_equal", "increment", "flush"}
    assert {name for module, name in methods if module == "queue"} == LeasedQueue.__abstractmethods__
    assert {name for module, name in methods if module == "data_store"} == stores >= BaseDataStore.__abstractmethods__
    assert [name for module, name in methods if module == "backend"] == ["ping"]
    assert {name for module, name in methods if module == "test_server"} == ServerProcess.__abstractmethods__


def test_a_licence_is_left_to_the_author(workshop: Workshop):
    licence = (workshop.project(Kind.HOOKS) / "LICENSE").read_text()

    assert licence.startswith("No licence has been chosen yet.")
    assert "©" not in licence
    assert "Copyright" not in licence
