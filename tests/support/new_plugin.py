"""Distributions as a page of the documentation makes them: what ``huey new-plugin`` writes, then the page's files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

__all__ = ["make_known", "new_plugin", "run_pytest"]

_NEW = re.compile(r"^\$ (?P<command>huey new-plugin .*)$", re.MULTILINE)


def new_plugin(page: Path, parent: Path) -> Path:
    """Run the command of a page that begins a plugin, and return the new distribution, known as if it were installed.

    Args:
        page: The page.
        parent: An empty folder for it.
    """
    found = _NEW.search(page.read_text())
    assert found is not None
    _, *arguments = shlex.split(found["command"])
    subprocess.run([sys.executable, "-m", "huey_core", *arguments], cwd=parent, check=True, capture_output=True)
    (folder,) = parent.iterdir()
    make_known(folder)
    return folder


def make_known(folder: Path) -> None:
    """Write the metadata of a distribution beside its package, as an editable installation would."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    information = folder / "src" / f"{project['name'].replace('-', '_')}-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (information / "entry_points.txt").write_text("\n".join(lines))


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a distribution in a process of their own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUEY_", "PYTEST_"))}
    environment["PYTHONPATH"] = str(folder / "src")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkey", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
