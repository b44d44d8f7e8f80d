"""The last minute with which consumers have dealt, by periodic command, so that a restart knows what was missed.

Consumers of one queue need not know the same commands, so each command has its own last minute. All are in one value of
the task store, which costs a minute at most one write, however many commands there are: the first consumer that is
done with the minute writes it, and the others find it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.json_value import JSONValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore

__all__ = ["LastTicks"]

REMEMBERED: Final = 30 * 24 * 60
"""Minutes after which a command that no consumer knows any more is forgotten."""

_KEY: Final = "last-tick"


class LastTicks:
    """The last minutes, in minutes since the epoch. Without a task store that has locks, nothing is remembered."""

    def __init__(self, store: BaseDataStore | None) -> None:
        self._value = None if store is None else JSONValue[dict[str, Any]](store, _KEY, {}, expendable=True)

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Return the last minute of each of these commands that has one. Others may be among the answer."""
        return _minutes(self._value.read()) if self._value is not None and names else {}

    def note(self, names: Sequence[str], minute: int) -> None:
        """Remember that these commands have been dealt with until ``minute``, unless a later one is remembered."""

        def noted(last_ticks: dict[str, Any]) -> dict[str, Any]:
            # Those of the far future are of a clock that was wrong.
            kept = {name: last for name, last in _minutes(last_ticks).items() if abs(minute - last) <= REMEMBERED}
            return kept | {name: max(minute, kept.get(name, minute)) for name in names}

        if self._value is not None and names:
            self._value.change(noted)


def _minutes(last_ticks: dict[str, Any]) -> dict[str, int]:
    return {name: last for name, last in last_ticks.items() if type(last) is int}
