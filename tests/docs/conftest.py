"""The pages of the documentation, and how they are run.

Each page's Python blocks run in a process of its own, which has to end without an error or a warning; see ``pages`` in
``tests/support``. What is in ``src`` can be imported, too. A consumer that the page starts with a file of its own runs
meanwhile.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from huey_redis.testing import RedisServer
from pages import ROOT, Page, program

_CONSUMER = re.compile(r"(?:huey_consumer|huey consumer) (?P<module>\w+)\.(?P<name>\w+)")

# Where Django is not installed, its pages are read here and not run; tests/django/docs runs them.
_DJANGO = ROOT / "docs" / "django"


def _pages() -> list[Page]:
    return [Page(path) for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        pages = _pages()
        metafunc.parametrize("page", pages, ids=[page.name for page in pages])
    if "plain_page" in metafunc.fixturenames:
        pages = [page for page in _pages() if not page.path.is_relative_to(_DJANGO)]
        metafunc.parametrize("plain_page", pages, ids=[page.name for page in pages])
    if "shell_line" in metafunc.fixturenames:
        lines = [pytest.param(line, id=f"{page.name}: {line}") for page in _pages() for line in _shell_lines(page)]
        metafunc.parametrize("shell_line", lines)


def _shell_lines(page: Page) -> list[str]:
    """The command lines of a page that are ours."""
    return [
        line for line in page.shell_lines() if re.match(r"(\w+=\S+ )*(huey|huey_consumer|python -m huey_core) ", line)
    ]


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    """Read a page by its path below ``docs``."""
    return lambda name: Page(ROOT / "docs" / name)


@pytest.fixture
def local_redis() -> Iterator[Callable[[str], str]]:
    """Make the pages' ``localhost:6379`` a real server, started for the first page that mentions it and empty."""
    server = RedisServer()

    def replace(text: str) -> str:
        if "6379" not in text:
            return text
        server.start()
        text = text.replace("localhost:6379", f"127.0.0.1:{server.port}")
        return text.replace('host="localhost", port=6379', f'host="127.0.0.1", port={server.port}')

    yield replace
    server.close()


@pytest.fixture
def run_page(tmp_path: Path, local_redis: Callable[[str], str]) -> Callable[[Page], None]:
    """Run a page's Python blocks as a program; fail with its traceback when it does not end well."""

    def run(page: Page) -> None:
        for name, text in page.files().items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(local_redis(text))
        script = tmp_path / f"{page.path.stem}.py"
        blocks = [block for block in page.blocks("python") if block.is_run and not block.file_name]
        script.write_text(local_redis(program(blocks)))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUEY_")}
        environment["HUEY_URL"] = "memory://"
        environment["PYTHONPATH"] = str(tmp_path / "src")
        python = [sys.executable, "-W", "error"]
        with ExitStack() as stack:
            for started in {found.groups() for found in _CONSUMER.finditer("\n".join(_shell_lines(page)))}:
                if (tmp_path / f"{started[0]}.py").exists():
                    command = [*python, "-m", "huey_core", "consumer", ".".join(started)]
                    stack.enter_context(_consumer(command, tmp_path))
            ended = subprocess.run(
                [*python, script.name],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
        assert ended.returncode == 0, f"line numbers are those of {page.name}\n{ended.stderr}"

    return run


@contextmanager
def _consumer(command: list[str], folder: Path) -> Iterator[None]:
    """Run a consumer process, from when it is ready until the end of the block."""
    log = folder / "consumer.log"
    with log.open("wb") as stderr, subprocess.Popen(command, cwd=folder, stderr=stderr) as process:
        try:
            deadline = time.monotonic() + 60
            while ": ready\n" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
