"""The report of a run of the conformance kit: each capability, and whether what it promises is kept.

It is made from what pytest reports of each test, so that it is complete when pytest-xdist runs them in many processes:
the properties of a test travel with its report.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from huey_core import __version__
from huey_core.backends import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

__all__ = ["ConformanceReport", "Row", "tag_backend", "tag_declared", "tag_promise"]

FORMAT: Final = 1
"""The version of the JSON."""

CONTRACT: Final = "contract"
"""The row of what every backend promises, whatever it declares."""

NEEDS: Final = "huey_needs"
SENTENCE: Final = "huey_promise"
DECLARED: Final = "huey_declared"
BACKEND: Final = "huey_backend"


def tag_promise(item: pytest.Item) -> None:
    """Note on a test of the kit which capabilities it is about; another test is left alone."""
    function = getattr(item, "function", None)
    needs = getattr(function, "needs", None)
    if isinstance(needs, frozenset) and all(isinstance(one, Capability) for one in needs):
        item.user_properties.append((NEEDS, _join(needs)))
        item.user_properties.append((SENTENCE, " ".join((function.__doc__ or "").split())))


def tag_declared(item: pytest.Item, declared: frozenset[Capability]) -> None:
    """Note on a test of the kit which capabilities are declared by what it tests."""
    item.user_properties.append((DECLARED, _join(declared)))


def tag_backend(item: pytest.Item, backend: dict[str, str]) -> None:
    """Note on a test of the kit which backend and which server it ran against."""
    item.user_properties.append((BACKEND, json.dumps(backend)))


def _join(capabilities: frozenset[Capability]) -> str:
    return ",".join(sorted(capability.value for capability in capabilities))


def _split(text: str) -> set[str]:
    return set(text.split(",")) - {""}


@dataclass
class _Promise:
    test: str
    sentence: str
    needs: set[str]
    declared: set[str] = field(default_factory=set)
    outcome: str = ""

    def add(self, report: pytest.TestReport) -> None:
        """Note a phase of the test. A failure of any phase is one of the promise."""
        properties = dict(report.user_properties)
        self.declared |= _split(str(properties.get(DECLARED, "")))
        if report.failed:
            self.outcome = "failed"
        elif self.outcome != "failed" and (report.skipped or report.when == "call"):
            self.outcome = report.outcome

    @property
    def rows(self) -> set[str]:
        """The rows that it counts in. Nearly all that is promised of a leased queue needs leases to begin with."""
        return self.needs - {Capability.LEASES.value} or self.needs or {CONTRACT}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: The capability.
        description: What is promised.
        declared: Whether something that was tested declares it.
        result: ``kept``, ``broken``, ``not declared`` or ``not tested``.
        counts: How many tests passed, failed and were skipped.
        failures: The failed tests, each with what a user would suffer.
    """

    name: str
    description: str
    declared: bool
    result: str
    counts: dict[str, int]
    failures: list[dict[str, str]]


class ConformanceReport:
    """Collects what becomes of the promises.

    Args:
        url: The URL that is tested, without its password; ``None`` for a plugin's own tests.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._backend: dict[str, str] | None = None
        self._promises: dict[str, _Promise] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Note one phase of a test."""
        properties = {name: str(value) for name, value in report.user_properties}
        if NEEDS in properties:
            new = _Promise(report.nodeid, properties[SENTENCE], _split(properties[NEEDS]))
            self._promises.setdefault(report.nodeid, new).add(report)
        if BACKEND in properties:
            self._backend = json.loads(properties[BACKEND])

    def __bool__(self) -> bool:
        return bool(self._promises)

    def rows(self) -> list[Row]:
        """The table, the contract first and then every capability."""
        described = {CONTRACT: "What every backend promises, whatever it declares."}
        described |= {capability.value: capability.description for capability in Capability}
        return [self._row(name, description) for name, description in described.items()]

    def _row(self, name: str, description: str) -> Row:
        promises = [promise for promise in self._promises.values() if name in promise.rows]
        outcomes = [promise.outcome for promise in promises]
        counts = {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")}
        failures = [
            {"test": promise.test, "promise": promise.sentence} for promise in promises if promise.outcome == "failed"
        ]
        declared = name == CONTRACT or any(name in promise.declared for promise in self._promises.values())
        if counts["failed"]:
            result = "broken"
        elif counts["passed"]:
            result = "kept"
        else:
            result = "not declared" if promises and not declared else "not tested"
        return Row(name, description, declared, result, counts, failures)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; ``docs/testing.md`` says what they are."""
        capabilities = {
            row.name: {
                "description": row.description,
                "declared": row.declared,
                "result": row.result,
                **row.counts,
                "failures": row.failures,
            }
            for row in self.rows()
        }
        return {
            "format": FORMAT,
            "huey_core": __version__,
            "url": self._url,
            "backend": self._backend,
            "capabilities": capabilities,
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """The table as lines of text, each with the result that it reports; empty for the heading."""
        yield f"{'':15}{'':14}{'passed':>7}{'failed':>7}{'skipped':>8}", ""
        for row in self.rows():
            counts = f"{row.counts['passed']:7}{row.counts['failed']:7}{row.counts['skipped']:8}"
            yield f"{row.name:15}{row.result:14}{counts}", row.result
            for failure in row.failures:
                yield f"    {failure['test'].partition('::')[2]}: {failure['promise']}", row.result
