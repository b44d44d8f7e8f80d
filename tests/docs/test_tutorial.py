"""The tutorial for authors of backends: after each of its steps, the kit finds kept what the page says.

A step is everything above one of the page's command lines that run pytest. Its files are put over a new distribution
from ``huey new-plugin``, as the page has it, and the command line is run there.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from new_plugin import new_plugin, run_pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins" / "tutorial.md"

_COMMAND = re.compile(r"^\$ (?P<command>pytest .*)\n```\n\nKept: (?P<kept>.*)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A point of the page at which it runs the tests.

    Attributes:
        line: The number of the line.
        command: The command line.
        kept: What it then says that the kit finds kept.
    """

    line: int
    command: list[str]
    kept: set[str]


def steps() -> list[Step]:
    text = PAGE.read_text()
    return [
        Step(
            text.count("\n", 0, found.start()) + 1,
            shlex.split(found["command"]),
            {name.strip("`") for name in found["kept"].split(", ")},
        )
        for found in _COMMAND.finditer(text)
    ]


STEPS = steps()

# Random histories take as long as all of the others where leases end by the clock of the machine; the step that comes
# next compares them by a clock that is moved.
LONG = "tests/test_conformance.py::TestSpoolQueue::test_random_histories_go_as_the_contract_says"


@pytest.fixture
def distribution(tmp_path) -> Path:
    """What the page's command makes, made known as an editable installation would."""
    return new_plugin(PAGE, tmp_path)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.command[-1])
def test_the_kit_finds_kept_what_the_page_says(step: Step, distribution: Path, read_page):
    for name, text in read_page("plugins/tutorial.md").files(step.line).items():
        (distribution / name).write_text(text)

    _, *arguments = step.command
    ended = run_pytest(distribution, *arguments, "--deselect", LONG, "--huey-report", "report.json")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = json.loads((distribution / "report.json").read_text())["capabilities"]
    assert {name for name, row in rows.items() if row["result"] == "kept"} == step.kept


def test_the_steps_together_keep_everything_that_the_backend_declares(distribution: Path, read_page):
    for name, text in read_page("plugins/tutorial.md").files().items():
        (distribution / name).write_text(text)
    program = "from huey_spool import SpoolBackend; print(*(each.value for each in SpoolBackend.capabilities))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=distribution / "src", capture_output=True, text=True, check=True
    )

    assert set.union(*(step.kept for step in STEPS)) == {"contract", *ended.stdout.split()}


WRITER = """
import sys
from huey_core.plugins.backends import open_backend

queue = open_backend(sys.argv[1]).queue("mail")
while True:
    print(queue.write(bytes(1000)).message_id, flush=True)
"""

READER = """
import sys
from huey_core.plugins.backends import open_backend

print(len(open_backend(sys.argv[1]).queue("mail").find(sys.stdin.read().split())))
"""


def test_a_writer_that_is_killed_at_any_moment_leaves_every_message_that_it_wrote(distribution: Path, read_page):
    for name, text in read_page("plugins/tutorial.md").files().items():
        (distribution / name).write_text(text)
    url, source = f"spool://{distribution / 'spool'}", distribution / "src"
    written: list[str] = []

    for count in range(1, 9):
        command = [sys.executable, "-c", WRITER, url]
        with subprocess.Popen(command, cwd=source, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            written += [writer.stdout.readline() for _ in range(count)]
            writer.kill()
            written += writer.stdout.readlines()

    read = subprocess.run(
        [sys.executable, "-c", READER, url],
        cwd=source,
        input="".join(written),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(read.stdout) == len(written) >= 36
