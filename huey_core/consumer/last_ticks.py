"""What consumers remember of periodic commands, so that one that starts knows what was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.json_value import JSONValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore

__all__ = ["LastTicks"]

KEPT: Final = 30 * 24 * 3600
"""Seconds after which an entry that no consumer knows any more is forgotten."""


class LastTicks:
    """Until when consumers have dealt with each entry, in seconds since the epoch.

    Consumers of one queue need not know the same commands, so each entry has its own time. All are in one value of the
    task store, and are whole minutes, which costs a minute at most one write, however many entries there are: the first
    consumer that is done with the minute writes it, and the others find it there. Without a task store that has locks,
    nothing is remembered.
    """

    def __init__(self, store: BaseDataStore | None) -> None:
        self._value = None if store is None else JSONValue[dict[str, Any]](store, "last-tick", {}, expendable=True)

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Return the time of each of these entries that has one. Others may be among the answer."""
        return _times(self._value.read()) if self._value is not None and names else {}

    def note(self, names: Sequence[str], until: int) -> None:
        """Remember that these entries have been dealt with until a time, unless a later one is remembered."""

        def noted(last_ticks: dict[str, Any]) -> dict[str, Any]:
            # Those of the far future are of a clock that was wrong.
            kept = {name: last for name, last in _times(last_ticks).items() if abs(until - last) <= KEPT}
            return kept | {name: max(until, kept.get(name, until)) for name in names}

        if self._value is not None and names:
            self._value.change(noted)


def _times(last_ticks: dict[str, Any]) -> dict[str, int]:
    return {name: last for name, last in last_ticks.items() if type(last) is int}
