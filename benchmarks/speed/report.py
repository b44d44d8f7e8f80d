"""From the numbers of many rounds to medians, ratios and their spread, as a table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TARGETS", "Rounds", "Target", "as_json", "table"]

OURS: Final = "huey-core"


@dataclass(frozen=True)
class Target:
    """A ratio that this system is to reach, in one measurement and against one contestant.

    Attributes:
        measurement: The name of the measurement.
        against: The name of the other contestant.
        now: The ratio that must be reached now.
        later: The ratio that is aimed at.
    """

    measurement: str
    against: str
    now: float
    later: float


TARGETS: Final = (
    Target("drain", "huey", 3.0, 4.0),
    Target("drain", "dramatiq", 1.0, 8.0),
    Target("enqueue", "huey", 0.8, 1.0),
    Target("enqueue_many", "raw", 0.6, 0.6),
    Target("latency p50", "huey", 1.0, 1.0),
)

LIMITS_MS: Final = {"latency p50": 2.0, "latency p99": 7.0}
"""What the latency of this system is to stay under, in milliseconds."""

TITLES: Final = {
    "enqueue": "commands sent one by one, per second",
    "enqueue_many": "commands sent all at once, per second",
    "drain": "commands run by one consumer process, results stored, per second",
    "latency p50": "idle call to result, median, ms",
    "latency p99": "idle call to result, 99th percentile, ms",
}

LESS_IS_BETTER: Final = frozenset(LIMITS_MS)


class Rounds:
    """One number for each measurement, contestant and round."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}

    def add(self, measurement: str, contestant: str, value: float) -> None:
        """Add the number of the next round."""
        self._values.setdefault((measurement, contestant), []).append(value)

    def add_latencies(self, contestant: str, seconds: Sequence[float]) -> None:
        """Add the two percentiles of the calls of one round."""
        percentiles = statistics.quantiles(seconds, n=100)
        self.add("latency p50", contestant, percentiles[49] * 1000)
        self.add("latency p99", contestant, percentiles[98] * 1000)

    def of(self, measurement: str) -> dict[str, list[float]]:
        """The numbers of one measurement by contestant."""
        return {name: values for (measured, name), values in self._values.items() if measured == measurement}

    def ratios(self, measurement: str, against: str) -> list[float]:
        """How many times better this system was than another one, round by round."""
        ours, theirs = self.of(measurement).get(OURS, []), self.of(measurement).get(against, [])
        pairs = zip(ours, theirs, strict=False)
        return [their / our if measurement in LESS_IS_BETTER else our / their for our, their in pairs]


def table(rounds: Rounds) -> Iterator[str]:
    """Yield the lines of the report."""
    for measurement, title in TITLES.items():
        numbers = rounds.of(measurement)
        if not numbers:
            continue
        yield f"{title}"
        yield f"  {'':22}{'median':>10}{'least':>10}{'most':>10}   huey-core is better by (least to most), target"
        for name, values in numbers.items():
            decimals = 2 if measurement in LESS_IS_BETTER else 0
            cells = (statistics.median(values), min(values), max(values))
            line = f"  {name:22}" + "".join(f"{cell:>10,.{decimals}f}" for cell in cells)
            yield (line + _comparison(rounds, measurement, name)).rstrip()
        yield ""


def _comparison(rounds: Rounds, measurement: str, name: str) -> str:
    if name == OURS:
        limit = LIMITS_MS.get(measurement)
        if limit is None:
            return ""
        met = statistics.median(rounds.of(measurement)[OURS]) < limit
        return f"   target: under {limit:g} ms {'(met)' if met else '(missed)'}"
    ratios = rounds.ratios(measurement, name)
    if not ratios:
        return ""
    median = statistics.median(ratios)
    text = f"   {median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    for target in TARGETS:
        if (target.measurement, target.against) == (measurement, name):
            verdict = "met" if median >= target.later else "met for now" if median >= target.now else "missed"
            text += f", target {target.now:g} now and {target.later:g} later ({verdict})"
    return text


def as_json(rounds: Rounds, machine: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, for a program to read."""
    return {
        "machine": machine,
        "measurements": {
            measurement: {name: _summary(rounds, measurement, name) for name in rounds.of(measurement)}
            for measurement in TITLES
        },
        "targets": [
            {**vars(target), "reached": _median(rounds, target.measurement, target.against)} for target in TARGETS
        ],
    }


def _summary(rounds: Rounds, measurement: str, name: str) -> dict[str, Any]:
    values = rounds.of(measurement)[name]
    return {"median": statistics.median(values), "rounds": values, "ratio": _median(rounds, measurement, name)}


def _median(rounds: Rounds, measurement: str, name: str) -> float | None:
    ratios = rounds.ratios(measurement, name)
    return statistics.median(ratios) if ratios else None
