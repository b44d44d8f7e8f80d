"""The documentation as tests see it: pages, their code blocks, their tables and their headings.

A page is a program. Its Python blocks are run in order, in one namespace. A block below a line that ends with the name
of a file, as in "Write `main.py`:", is that file, for later blocks to import, and one below "Add to `main.py`:" is its
next part. ``<!-- not run: reason -->`` on the line above keeps a block from running.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "Page", "program"]

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
_FILE_NAME = re.compile(r"(?P<add>Add to\s)?`(?P<name>[\w/]+\.(?:py|toml))`:\n\n\Z")
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

    def files(self, end: int | None = None, language: str = "python", existing: Collection[str] = ()) -> dict[str, str]:
        """The files that the page writes, by their paths.

        Args:
            end: Only those above this line.
            language: The language of their blocks.
            existing: Files that are there, to which the page may add without writing them first.
        """
        files = dict.fromkeys(existing, "")
        for block in self.blocks(language):
            if block.is_run and block.file_name and (end is None or block.line < end):
                # A method stands one line below the one before it, and what is outside of a class two.
                gap = "\n" if block.text.startswith(" ") else "\n\n"
                before = files[block.file_name] + gap if block.is_added else ""
                files[block.file_name] = before + block.text
        return files

    def shell_lines(self) -> list[str]:
        """The command lines: all lines of a ``sh`` block, and of a ``console`` block those behind a ``$``."""
        lines = [line for block in self.blocks("sh") for line in block.text.splitlines()]
        return lines + [
            line.removeprefix("$ ")
            for block in self.blocks("console")
            for line in block.text.splitlines()
            if line.startswith("$ ")
        ]

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


def program(blocks: list[Block]) -> str:
    """Put blocks together, on the lines that they have in their page, so that a traceback leads there."""
    program = ""
    for block in blocks:
        program += "\n" * (block.line - 1 - program.count("\n")) + block.text
    return program
