"""The tests of ``django.tasks`` are run wherever Django has tasks, and are not left out by an accident."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = Path(__file__).parent / "tasks"
FILES = sorted(file.name for file in TASKS.glob("test_*.py"))


def test_every_file_is_collected_where_django_has_tasks_and_none_elsewhere():
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(TASKS)],
        check=False,
        cwd=TASKS.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    collected = {Path(line.partition("::")[0]).name for line in listed.stdout.splitlines() if "::" in line}
    has_tasks = importlib.util.find_spec("django.tasks") is not None
    assert sorted(collected) == (FILES if has_tasks else [])
    assert listed.returncode == (pytest.ExitCode.OK if has_tasks else pytest.ExitCode.NO_TESTS_COLLECTED)
