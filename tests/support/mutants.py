"""Classes that each break a promise, with the names of the conformance tests that must find it.

They exist to prove the kit: a test that lets one of them pass proves nothing about any other class.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["assert_caught", "caught_by", "mutants"]


def caught_by(*tests: str) -> Callable[[type], type]:
    """Name the tests that must fail for a class."""

    def mark(cls: type) -> type:
        cls.caught_by = tests  # type: ignore[attr-defined]
        return cls

    return mark


def mutants(file: Path) -> list[tuple[type, str]]:
    """The marked classes of a file, once for each test that must catch them."""
    classes = [value for value in runpy.run_path(str(file)).values() if isinstance(value, type)]
    return [(cls, test) for cls in classes for test in vars(cls).get("caught_by", ())]


def assert_caught(result: pytest.RunResult, test: str) -> None:
    """Check that the one test of a run has failed, and has said what a user would suffer."""
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) >= 1
    assert "errors" not in outcomes
    result.stdout.re_match_lines([rf".*{test}", ".*Without this, "])
