"""The distributions of this repository: as the tree describes them, and as tox has built and installed them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import PathDistribution
from pathlib import Path
from zipfile import Path as PathInZip
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]

# A development environment has the source tree installed, so there is no wheel to look at; and what the core says
# without any plugin is to be seen in an environment that has none.
if "TOX_ENV_NAME" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
elif os.environ["TOX_ENV_NAME"] != "core":
    collect_ignore = ["test_core_alone.py"]


class Distribution:
    """One distribution of the tree.

    Attributes:
        name: Its name, such as ``huey-redis``.
        module: The name of its package, such as ``huey_redis``.
        source: The folder of its package in the tree.
    """

    def __init__(self, folder: Path) -> None:
        self.project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        self.name: str = self.project["name"]
        self.module = self.name.replace("-", "_")
        self.source = next(path for path in (folder / self.module, folder / "src" / self.module) if path.is_dir())

    @cached_property
    def wheel(self) -> Path:
        """The wheel that tox has built and installed."""
        (wheel,) = Path(os.environ["HUEY_TEST_WHEELS"]).glob(f"{self.module}-*.whl")
        return wheel

    @cached_property
    def sdist(self) -> Path:
        """The source distribution that the wheel was built from."""
        (sdist,) = Path(os.environ["HUEY_TEST_WHEELS"]).glob(f"{self.module}-*.tar.gz")
        return sdist

    @cached_property
    def version(self) -> str:
        """The version in the wheel's name."""
        return self.wheel.name.split("-")[1]

    @cached_property
    def metadata(self) -> PathDistribution:
        """The metadata inside the wheel."""
        return PathDistribution(PathInZip(self.wheel, f"{self.module}-{self.version}.dist-info/"))

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What is in the wheel, by path."""
        with ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def source_files(self) -> Iterator[str]:
        """The files of the package in the tree, by the paths that they should have in the wheel."""
        for path in self.source.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(self.source.parent).as_posix()


CORE = Distribution(ROOT)
PLUGINS = [Distribution(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for argument, distributions in (("distribution", [CORE, *PLUGINS]), ("plugin", PLUGINS)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, distributions, ids=[each.name for each in distributions])


@pytest.fixture
def core() -> Distribution:
    return CORE


@pytest.fixture
def root() -> Path:
    """The folder of the checkout."""
    return ROOT
