"""What a check of ``huey doctor`` returns, and how it is shown: one line for a person, an object for a program."""

from __future__ import annotations

import enum
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from huey_core.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Finding", "Level", "as_json", "echo_findings"]


class Level(enum.StrEnum):
    """How good what was found is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: a sentence, with advice where something has to be done, and the facts for a program."""

    check: str
    level: Level
    sentence: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


_SIGNS: Final = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}
_ASCII_SIGNS: Final = {Level.OK: "+", Level.WARN: "!", Level.FAIL: "x"}


def echo_findings(findings: Sequence[Finding]) -> None:
    """Print one line for each finding, aligned, and a line that sums them up."""
    encoding = sys.stdout.encoding or "ascii"
    signs = _SIGNS if _can_show(encoding) else _ASCII_SIGNS
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        advice = f" -> {finding.advice}" if finding.advice else ""
        line = printable(f"{signs[finding.level]} {finding.check:<{width}}  {finding.sentence}{advice}")
        # What a plugin or a server says may be any text, and the terminal of a server may know ASCII alone.
        click.echo(line.encode(encoding, "backslashreplace").decode(encoding))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    click.echo(f"{len(findings)} checks: {counts[Level.FAIL]} failed, {counts[Level.WARN]} with a warning")


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding as values for JSON."""
    return asdict(finding)


def _can_show(encoding: str) -> bool:
    try:
        "".join(_SIGNS.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
