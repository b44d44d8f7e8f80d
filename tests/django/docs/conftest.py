"""The pages about Django, and the project in which they are run.

Each page is a program in a project of its own, the one in ``site``: what it writes to ``mysite/settings.py`` is added
to the settings there, its other files are files of the project, and the rest of its Python blocks is run in order, in a
process that has to end without an error or a warning. A consumer that the page starts runs meanwhile, and the tests
that it writes are run in the end.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import django
import pytest

from deployment import ConsumerProcess
from huey_redis.testing import RedisServer
from pages import ROOT, Page, program

FOLDER = ROOT / "docs" / "django"
SETTINGS = "mysite/settings.py"

HAS_TASKS = django.VERSION >= (6, 0)

# Before Django 6 there are no tasks, and the page about them is left out.
PAGES = [Page(path) for path in sorted(FOLDER.glob("*.md")) if HAS_TASKS or path.name != "tasks.md"]
collect_ignore = [] if HAS_TASKS else ["test_tasks_page.py"]


class Site:
    """A project in which a page is run.

    Args:
        root: An empty folder for it.
        server: What the pages call ``localhost:6379``.
    """

    def __init__(self, root: Path, server: RedisServer) -> None:
        self.root = root
        self._port = server.port
        self._consumer: ConsumerProcess | None = None
        shutil.copytree(Path(__file__).parent / "site", root, dirs_exist_ok=True)

    def write(self, page: Page, end: int | None = None) -> None:
        """Write the files of a page; those above line ``end``, or all."""
        files = page.files(end, existing=[SETTINGS]) | page.files(end, "toml")
        own = files.pop(SETTINGS)
        for line in quick_start().splitlines():
            # What the quick start says holds for every page, unless that says it itself.
            if line not in own and not (line.startswith("HUEY") and "redis" in own):
                self._add(SETTINGS, line)
        self._add(SETTINGS, own)
        for name, text in files.items():
            (self.root / name).unlink(missing_ok=True)
            self._add(name, text)

    def _add(self, name: str, text: str) -> None:
        with (self.root / name).open("a") as file:
            file.write(self._with_port(text) + "\n")

    def _with_port(self, text: str) -> str:
        text = text.replace("localhost:6379", f"127.0.0.1:{self._port}")
        return re.sub(r'"localhost"(.*?)6379', rf'"127.0.0.1"\g<1>{self._port}', text)

    def run(self, *command: str) -> None:
        """Run Python with a command line to its end, and fail if it does not end well."""
        ended = subprocess.run(
            [sys.executable, "-W", "error", *command],
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{shlex.join(command)}\n{ended.stdout}\n{ended.stderr}"

    def run_program(self, page: Page) -> None:
        """Run the Python blocks that are no files. The lines in a traceback are those of the page."""
        script = self.root / f"{page.path.stem}.py"
        blocks = [block for block in page.blocks("python") if block.is_run and not block.file_name]
        script.write_text(self._with_port(program(blocks)))
        self.run("run_page.py", script.name)

    def start(self, *options: str) -> None:
        """Start a consumer, and wait until it is ready."""
        command = [sys.executable, "-W", "error", str(self.root / "manage.py"), "run_huey", *options]
        self._consumer = ConsumerProcess(command, self._environment, self.root / "consumer.log")
        self._consumer.await_ready()

    def close(self) -> None:
        """End the consumer."""
        if self._consumer is not None:
            self._consumer.kill()

    @property
    def _environment(self) -> dict[str, str]:
        # These tests have settings, and perhaps a queue, of their own.
        return {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "HUEY_", "PYTEST"))
        }


def quick_start() -> str:
    """What the quick start adds to the settings."""
    return Page(FOLDER / "index.md").files(existing=[SETTINGS])[SETTINGS]


def _files_follow(page: Page, line: int) -> bool:
    """Whether the page writes more below this line; if not, its program runs with the same files, and checks them."""
    return any(
        page.files(line, language, [SETTINGS]) != page.files(None, language, [SETTINGS])
        for language in ("python", "toml")
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=[page.path.name for page in PAGES])
    if "settings_end" in metafunc.fixturenames:
        ends = [
            pytest.param(page, block.line + 1, id=f"{page.path.name}:{block.line}")
            for page in PAGES
            for block in page.blocks("python")
            if block.is_run and block.file_name == SETTINGS and _files_follow(page, block.line + 1)
        ]
        metafunc.parametrize(("settings_page", "settings_end"), ends)
    if "shell_line" in metafunc.fixturenames:
        lines = [pytest.param(line, id=f"{page.path.name}: {line}") for page in PAGES for line in page.shell_lines()]
        metafunc.parametrize("shell_line", lines)


@pytest.fixture
def site(tmp_path: Path, server: RedisServer) -> Iterator[Site]:
    """A project without the settings and the files of a page."""
    with closing(Site(tmp_path, server)) as site:
        yield site


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    """Read a page by its name."""
    return lambda name: Page(FOLDER / name)
