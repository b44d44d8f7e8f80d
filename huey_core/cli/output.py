"""How results and errors are shown: tables and lines for people, JSON for programs, one line for an error.

Text that comes out of a queue or a plugin is not trusted: control characters in it are shown as escapes, so that it
cannot steer the terminal.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from huey_core.exceptions import QueueException
from huey_core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "echo_json",
    "echo_pairs",
    "echo_table",
    "one_line_errors",
    "timestamp",
]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error of huey-core into ``Error: ...`` and exit code 1, without a traceback."""
    try:
        yield
    except QueueException as error:
        raise click.ClickException(printable(str(error))) from error


def echo_json(value: Any) -> None:
    """Print a value as indented JSON, and what JSON does not know, as a plugin may return it, as text."""
    click.echo(json.dumps(value, indent=2, default=str))


def echo_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, with the values aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name:<{width}}  {printable(value)}".rstrip())


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings, with the columns aligned; the last column may be of any length."""
    cells = [[heading.upper() for heading in headings], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def timestamp(seconds: float | None) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC, to the second; ``None`` as nothing."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        # A message may claim any number, also one that is no date.
        return str(seconds)
