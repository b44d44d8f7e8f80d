"""The groups of a queue: which messages of each have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends import Page, StoredGroup
from huey_redis import scripts
from huey_redis.keys import group_key, group_prefix
from huey_redis.paging import Place
from huey_redis.portions import PORTION, portions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_redis.connection import Connections

__all__ = ["Groups"]

LISTS: Final = ("groups",)
"""The name by which a cursor of groups is known."""


class Groups:
    """What a queue knows of its groups.

    Args:
        name: The queue's name.
        keys: The queue's keys.
        connections: The connections to use.
    """

    def __init__(self, name: str, keys: Sequence[bytes], connections: Connections) -> None:
        self._name = name
        self._keys = keys
        self._connections = connections

    def key(self, group: str) -> bytes:
        """Return the key of a group."""
        return group_key(self._name, group)

    def page(self, cursor: str | None, limit: int) -> Page[StoredGroup]:
        """List groups, the next to be forgotten first; one at which somebody arrives meanwhile may be listed twice.

        Raises:
            ConfigurationError: The cursor is not one of groups.
        """
        place: Place | None = Place.of(cursor, LISTS)
        groups: list[StoredGroup] = []
        while place is not None and len(groups) < limit:
            entries, place = self._entries(place, min(limit - len(groups), PORTION))
            groups += self._read(entries[::2], entries[1::2])
        return Page(groups, place and place.cursor)

    def delete(self, groups: Iterable[str]) -> list[str]:
        """Forget groups, and return those that were there."""
        calls = [([*self._keys, *map(self.key, portion)], portion) for portion in portions(list(dict.fromkeys(groups)))]
        deleted = self._connections.run_many(scripts.DELETE_GROUPS, calls)
        return [group.decode() for reply in deleted for group in reply]

    def delete_all(self) -> None:
        """Forget every group."""
        while groups := self._entries(Place(*LISTS), PORTION)[0][::2]:
            self.delete(group.decode() for group in groups)

    def _entries(self, place: Place, limit: int) -> tuple[list[bytes], Place | None]:
        """Return groups and when each is forgotten, and the place behind the last of them if there are more."""
        entries, *last = self._connections.run(scripts.GROUPS, self._keys, place.score, place.member, limit)
        return entries, place.behind(*last)

    def _read(self, groups: Sequence[bytes], expiries: Sequence[bytes]) -> list[StoredGroup]:
        """Look at groups; one that was forgotten by now is left out."""
        commands = []
        for key in (group_prefix(self._name) + group for group in groups):
            commands += [(b"HMGET", key, b"of", b"complete"), (b"HLEN", key)]
        replies = self._connections.call_many(*commands) if commands else []
        found = []
        for group, expiry, (of, complete), fields in zip(groups, expiries, replies[::2], replies[1::2], strict=True):
            if of is None and complete is None:
                continue
            members = int(complete or of)
            arrived = members if complete else fields - 1
            found.append(StoredGroup(group.decode(), arrived, members, float(expiry) / 1000))
        return found
