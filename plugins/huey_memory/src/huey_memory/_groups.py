"""The groups of one queue: which of their members have arrived. The space's lock guards them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from huey_core.backends import Page, StoredGroup
from huey_memory._collections import ExpiringDict
from huey_memory._paging import page_by_number

if TYPE_CHECKING:
    from huey_core.backends import Arrival

__all__ = ["Groups"]


@dataclass(slots=True)
class _Group:
    """How many members have arrived, and which, as long as one is missing. ``number`` is given with the first."""

    number: int
    of: int = 0
    arrived: int = 0
    members: set[str] = field(default_factory=set)


class Groups:
    """Groups by their ids, each of which is forgotten some time after its latest arrival."""

    def __init__(self) -> None:
        self._groups: ExpiringDict[_Group] = ExpiringDict()
        self._numbers = itertools.count(1)

    def note(self, arrival: Arrival, now: float) -> bool:
        """Note that a member has arrived, and return whether that completes its group."""
        group = self._groups.get(arrival.group, now) or _Group(next(self._numbers))
        if arrival.member in group.members or 0 < group.of <= group.arrived:
            return False
        group.members.add(arrival.member)
        group.arrived, group.of = len(group.members), arrival.of
        complete = group.arrived >= group.of
        if complete:
            group.members.clear()
        self._groups.set(arrival.group, group, now, now + arrival.ttl)
        return complete

    def page(self, cursor: str | None, limit: int, now: float) -> Page[StoredGroup]:
        """List a part of the groups, in the order of their first arrivals."""
        known = ((group.number, (name, group)) for name, group in self._groups.items(now))
        page = page_by_number(known, cursor, limit)
        shown = [
            StoredGroup(name, group.arrived, group.of, self._groups.until(name) or now) for name, group in page.items
        ]
        return Page(shown, page.cursor)

    def delete(self, name: str, now: float) -> bool:
        """Forget a group, and say whether it was there."""
        known = self._groups.get(name, now) is not None
        self._groups.discard(name)
        return known

    def clear(self) -> None:
        """Forget every group."""
        self._groups.clear()
