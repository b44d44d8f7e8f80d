"""Classes that each break a promise, with the names of the conformance tests that must find it.

They exist to prove the kit: a test that lets one of them pass proves nothing about any other class.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Chosen", "Mutant", "assert_caught", "caught_by", "mutants"]


def caught_by(*tests: str) -> Callable[[type], type]:
    """Name the tests that must fail for a class."""

    def mark(cls: type) -> type:
        cls.caught_by = tests  # type: ignore[attr-defined]
        return cls

    return mark


@dataclass(frozen=True)
class Mutant:
    """A class that a test must catch.

    Attributes:
        module: The name of its module.
        cls: Its name.
        test: The name of the test.
        kit: The source of ``Test`` and its name, the class of conformance tests by which it is tried.
    """

    module: str
    cls: str
    test: str
    kit: str


def mutants(file: Path, kit: Callable[[type], str]) -> list[Any]:
    """The marked classes of a file as parameters, once for each test that must catch them.

    Args:
        file: The file.
        kit: Returns the source of a class of conformance tests, with ``{module}`` and ``{cls}`` for what they try.
    """
    classes = [value for value in runpy.run_path(str(file)).values() if isinstance(value, type)]
    return [
        pytest.param(
            Mutant(file.stem, cls.__name__, test, kit(cls).format(module=file.stem, cls=cls.__name__)),
            id=f"{file.stem}-{cls.__name__}-{test}",
        )
        for cls in classes
        for test in vars(cls).get("caught_by", ())
    ]


class Chosen:
    """Has pytest collect the tests that must catch some mutants, and notes what they report."""

    def __init__(self, mutants: Collection[Mutant]) -> None:
        self.reports: dict[Mutant, list[pytest.TestReport]] = {mutant: [] for mutant in mutants}
        self._by_test = {(f"Test{mutant.cls}", mutant.test): mutant for mutant in mutants}

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> list[object] | None:
        is_other = isinstance(collector, pytest.Class) and (collector.name, name) not in self._by_test
        return [] if is_other else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _, cls, test = report.nodeid.partition("[")[0].split("::")
        self.reports[self._by_test[cls, test]].append(report)


def assert_caught(reports: list[pytest.TestReport]) -> None:
    """Check that a test has failed, or some of its cases have, and has said what a user would suffer."""
    failed = [report for report in reports if report.failed]
    assert failed
    for report in failed:
        assert report.when == "call", report.longreprtext
        assert "Without this, " in report.longreprtext
