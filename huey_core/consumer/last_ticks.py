"""The last minute with which consumers have dealt, by periodic command, so that a restart knows what was missed.

Consumers of one queue need not know the same commands, so each command has its own last minute. All are in one value of
the task store, which costs a minute at most one write, however many commands there are: the first consumer that is
done with the minute writes it, and the others find it there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore, EmptyDataType

__all__ = ["LastTicks"]

REMEMBERED: Final = 30 * 24 * 60
"""Minutes after which a command that no consumer knows any more is forgotten."""

_KEY: Final = "last-tick"
_TRIES: Final = 20


class LastTicks:
    """The last minutes, in minutes since the epoch.

    Args:
        store: The task store of the consumers, if it has locks; without one, nothing is remembered.
    """

    def __init__(self, store: BaseDataStore | None) -> None:
        self._store = store

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Return the last minute of each of these commands that has one. Others may be among the answer."""
        return _decode(self._store.peek(_KEY), names) if self._store is not None and names else {}

    def note(self, names: Sequence[str], minute: int) -> None:
        """Remember that these commands have been dealt with until ``minute``, unless a later one is remembered."""
        if self._store is None or not names:
            return
        # Whenever a write comes to nothing, another consumer's did not. The next minute writes what this one did not.
        for _ in range(_TRIES):
            old = self._store.peek(_KEY)
            known = _decode(old, names)
            # Those of the far future are of a clock that was wrong.
            kept = {name: last for name, last in known.items() if abs(minute - last) <= REMEMBERED}
            last_ticks = kept | {name: max(minute, kept.get(name, minute)) for name in names}
            if last_ticks == known:
                return
            new = json.dumps(last_ticks).encode()
            if (
                self._store.put_if_absent(_KEY, new)
                if old is EmptyData
                else self._store.replace_if_equal(_KEY, old, new)
            ):
                return


def _decode(stored: bytes | EmptyDataType, names: Sequence[str]) -> dict[str, int]:
    """Read what is stored; a plain number is the last minute of every command, and what makes no sense is left out."""
    try:
        found = {} if stored is EmptyData else json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    if type(found) is int:
        return dict.fromkeys(names, found)
    return {name: last for name, last in found.items() if type(last) is int} if isinstance(found, dict) else {}
