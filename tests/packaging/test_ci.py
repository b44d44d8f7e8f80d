"""What continuous integration runs is what a reader of the README runs."""

from __future__ import annotations

import re


def test_continuous_integration_runs_the_test_command_of_the_readme(root):
    (command,) = re.findall(r"^\$ (.* && \.venv/bin/tox run)$", (root / "README.md").read_text(), re.MULTILINE)

    assert re.search(rf"^{re.escape(command)}\b", (root / ".ci" / "run").read_text(), re.MULTILINE)
