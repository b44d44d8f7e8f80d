"""Cursors of lists that are read page by page: where the last entry of a page stands, or stood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Place"]

_CURSOR: Final = re.compile(r"(?P<score>-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?|) (?P<member>.*)", re.DOTALL)


class Place(NamedTuple):
    """A place in one of several lists, each of which is ordered by score and then by the bytes of its members.

    Attributes:
        list: The name of the list, a word.
        score: The score of the entry behind which the next page begins, as the server wrote it; empty at the head.
        member: That entry.
    """

    list: str
    score: bytes = b""
    member: bytes = b""

    @classmethod
    def of(cls, cursor: str | None, lists: Sequence[str]) -> Place:
        """Read a cursor.

        Args:
            cursor: The cursor; ``None`` for the head of the first list.
            lists: The lists of which it may be.

        Raises:
            ConfigurationError: It is not one.
        """
        if cursor is None:
            return cls(lists[0])
        name, _, place = cursor.partition(" ")
        match = _CURSOR.fullmatch(place)
        if name not in lists or match is None:
            raise ConfigurationError(
                f"{cursor!r:.200} is not a cursor of this list ({' or '.join(lists)}); give the one that came with the "
                "page before, or None for the first page"
            )
        try:
            return cls(name, match["score"].encode(), match["member"].encode())
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"the cursor {cursor!r:.200} is not valid Unicode: {error}") from None

    @property
    def cursor(self) -> str:
        """The cursor of what stands behind this place."""
        return f"{self.list} {self.score.decode()} {self.member.decode()}"

    def behind(self, score: bytes, member: bytes) -> Place | None:
        """The place behind an entry of the same list; ``None`` when the score is empty, as at the end of a list."""
        return Place(self.list, score, member) if score else None
