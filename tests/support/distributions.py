"""Distributions that exist for one test: real metadata and real modules in a folder on ``sys.path``."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from huey_core.plugins import discovery

__all__ = ["Site", "site"]

VARIABLES = ("HUEY_DISABLE_PLUGINS", "HUEY_PLUGIN_CHOICE", "HUEY_TRACE_PLUGINS")


class Site:
    """A folder of installed distributions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(
        self,
        distribution: str,
        entry_points: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str] | None = None,
        version: str = "1.0",
    ) -> None:
        """Write a distribution's metadata and modules; ``entry_points`` is group -> name -> value."""
        lines = []
        for group, points in entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        self.write_metadata(distribution, version, "\n".join(lines))
        for name, source in (modules or {}).items():
            (self.path / f"{name}.py").write_text(textwrap.dedent(source))

    def write_metadata(self, distribution: str, version: str, entry_points: str) -> Path:
        folder = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text(entry_points + "\n")
        return folder

    def run(self, code: str, **variables: str) -> str:
        """Run code in a fresh interpreter that sees these distributions, and return what it prints."""
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment |= {"PYTHONPATH": str(self.path), **variables}
        finished = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    discovery.scan.cache_clear()
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    monkeypatch.undo()
    discovery.scan.cache_clear()
