"""The documentation as the tests see it: pages, their code blocks, their tables and their headings.

A page is a program. Its Python blocks run in order, in one namespace and a process of their own, and the process has to
end without an error or a warning. A block below a line that ends with the name of a file, as in "Write `main.py`:", is
that file, for later blocks to import, and one below "Add to `main.py`:" is its next part; what is in ``src`` can be
imported too. A consumer that the page starts with such a file runs meanwhile.
``<!-- not run: reason -->`` on the line above keeps a block from running.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from huey_redis.testing import RedisServer

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
_FILE_NAME = re.compile(r"(?P<add>Add to\s)?`(?P<name>[\w/]+\.py)`:\n\n\Z")
_CONSUMER = re.compile(r"(?:huey_consumer|huey consumer) (?P<module>\w+)\.(?P<name>\w+)")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What follows the opening fence.
        text: What is between the fences.
        line: The number of the line on which the text begins.
        is_run: Whether it is to be run.
        file_name: The file that it is, or a part of, if the line above it says so.
        is_added: Whether it is the next part of that file.
    """

    language: str
    text: str
    line: int
    is_run: bool
    file_name: str | None
    is_added: bool


class Page:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text()

    def blocks(self, *languages: str) -> list[Block]:
        found = [match for match in _FENCE.finditer(self.text) if match["language"] in languages]
        return [self._block(match) for match in found]

    def _block(self, match: re.Match[str]) -> Block:
        above = self.text[: match.start()]
        named = _FILE_NAME.search(above)
        return Block(
            match["language"],
            match["text"],
            self.text.count("\n", 0, match.start("text")) + 1,
            _NOT_RUN.search(above) is None,
            named["name"] if named else None,
            bool(named and named["add"]),
        )

    def files(self, end: int | None = None) -> dict[str, str]:
        """The files that the page writes by their paths; those above line ``end``, or all."""
        files: dict[str, str] = {}
        for block in self.blocks("python"):
            if block.is_run and block.file_name and (end is None or block.line < end):
                # A method stands one line below the one before it, and what is outside of a class two.
                gap = "\n" if block.text.startswith(" ") else "\n\n"
                before = files[block.file_name] + gap if block.is_added else ""
                files[block.file_name] = before + block.text
        return files

    @property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    def links(self) -> list[str]:
        return [found["target"] for found in _LINK.finditer(self.prose)]

    def anchors(self) -> set[str]:
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-").lower() for heading in headings}

    def rows(self, heading: str | None = None) -> dict[str, list[str]]:
        """The rows of all tables by their first cell, where that is code: the other cells, as they are written.

        Args:
            heading: Only the tables below this heading, up to the next one.
        """
        text = self.prose
        if heading is not None:
            text = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
        rows = {}
        for line in text.splitlines():
            if line.startswith("| `"):
                first, *others = (cell.strip().replace("\\|", "|") for cell in _CELL_BORDER.split(line)[1:-1])
                for name in first.split(", "):
                    rows[name.strip("`")] = others
        return rows


def _pages() -> list[Page]:
    return [Page(path) for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        pages = _pages()
        metafunc.parametrize("page", pages, ids=[page.name for page in pages])
    if "shell_line" in metafunc.fixturenames:
        lines = [pytest.param(line, id=f"{page.name}: {line}") for page in _pages() for line in _shell_lines(page)]
        metafunc.parametrize("shell_line", lines)


def _shell_lines(page: Page) -> list[str]:
    """The command lines of a page: all lines of a ``sh`` block, and of a ``console`` block those behind a ``$``."""
    lines = [line for block in page.blocks("sh") for line in block.text.splitlines()]
    lines += [
        line.removeprefix("$ ")
        for block in page.blocks("console")
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]
    return [line for line in lines if re.match(r"(\w+=\S+ )*(huey|huey_consumer|python -m huey_core) ", line)]


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
        script.write_text(local_redis(_program(blocks)))
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
                timeout=60,
                check=False,
            )
        assert ended.returncode == 0, f"line numbers are those of {page.name}\n{ended.stderr}"

    return run


def _program(blocks: list[Block]) -> str:
    """Put blocks together, on the lines that they have in their page, so that a traceback leads there."""
    program = ""
    for block in blocks:
        program += "\n" * (block.line - 1 - program.count("\n")) + block.text
    return program


@contextmanager
def _consumer(command: list[str], folder: Path) -> Iterator[None]:
    """Run a consumer process, from when it is ready until the end of the block."""
    log = folder / "consumer.log"
    with log.open("wb") as stderr, subprocess.Popen(command, cwd=folder, stderr=stderr) as process:
        try:
            deadline = time.monotonic() + 30
            while "consumer: ready" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
