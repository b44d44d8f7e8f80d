"""The page for authors of features: its distribution passes its own tests, the linter and the type checker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from new_plugin import new_plugin, run_pytest
from pages import ROOT, Page

PAGE = ROOT / "docs" / "plugins" / "features.md"


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_plugin(PAGE, tmp_path_factory.mktemp("features"))
    for name, text in Page(PAGE).files().items():
        (folder / name).write_text(text)
    return folder


def test_the_feature_passes_its_own_tests(distribution: Path):
    ended = run_pytest(distribution)

    assert re.search(r"^6 passed", ended.stdout, re.MULTILINE), ended.stdout + ended.stderr


@pytest.mark.parametrize("tool", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_the_feature_reads_as_a_new_distribution_does(distribution: Path, tool: list[str]):
    ended = subprocess.run(
        [sys.executable, "-m", *tool], cwd=distribution, capture_output=True, text=True, timeout=250, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
