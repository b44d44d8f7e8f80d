"""What consumers remember of all that is scheduled: what was missed when one starts, and when each ran last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.json_value import JSONValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huey_core.backends.base import BaseDataStore

__all__ = ["LastTicks"]

KEPT: Final = 30 * 24 * 3600
"""Seconds after which an entry that no consumer knows any more is forgotten."""

MINUTE: Final = 60

_UNTIL: Final = "until"
_RUN: Final = "run"


class LastTicks:
    """Until when consumers have dealt with each entry, and its last tick, both in seconds since the epoch.

    Consumers of one queue need not know the same commands, so each entry has its own time. All are in one value of the
    task store. Until when they were dealt with is noted once a minute, which costs a minute at most one write, however
    many entries there are: the first consumer that is done writes it, and the others find it there. Of what is due
    later in the minute, the last tick and the unique keys tell that it was dealt with. A last tick is noted by whoever
    wrote it. Without a task store that has locks, nothing is remembered.
    """

    def __init__(self, store: BaseDataStore | None) -> None:
        self._value = None if store is None else JSONValue[dict[str, Any]](store, "last-tick", {}, expendable=True)

    def read(self, names: Sequence[str]) -> dict[str, float]:
        """Until when each of these entries was dealt with, where that is known. Others may be among the answer."""
        # The last tick may be later than what is noted for its minute, and its unique key is forgotten after a while.
        return {name: max(times.values()) for name, times in self._all().items() if _UNTIL in times} if names else {}

    def runs(self) -> dict[str, float]:
        """The time of the last tick of each entry that has had one."""
        return {name: times[_RUN] for name, times in self._all().items() if _RUN in times}

    def note(self, names: Sequence[str], until: int, runs: Mapping[str, float]) -> None:
        """Remember that entries have been dealt with until a time, and what ran, unless later times are remembered.

        A time of the same minute is left as it is.
        """
        noted_before = until // MINUTE * MINUTE

        def noted(before: dict[str, Any]) -> dict[str, Any]:
            # Those of the far future are of a clock that was wrong.
            after = {name: each for name, entry in before.items() if (each := _near(entry, until))}
            for name in names:
                entry = after.get(name, {})
                known = entry.get(_UNTIL)
                after[name] = {**entry, _UNTIL: until if known is None or known < noted_before else known}
            for name, at in runs.items():
                entry = after.get(name, {})
                after[name] = {**entry, _RUN: max(at, entry.get(_RUN, at))}
            return after

        if self._value is not None and (names or runs):
            self._value.change(noted)

    def _all(self) -> dict[str, dict[str, float]]:
        return {} if self._value is None else {name: _times(entry) for name, entry in self._value.read().items()}


def _times(entry: Any) -> dict[str, float]:
    known = entry.items() if isinstance(entry, dict) else ()
    return {key: at for key, at in known if key in {_UNTIL, _RUN} and type(at) in {int, float}}


def _near(entry: Any, now: float) -> dict[str, float]:
    return {key: at for key, at in _times(entry).items() if abs(now - at) <= KEPT}
