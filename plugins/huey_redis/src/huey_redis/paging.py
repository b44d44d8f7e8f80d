"""Cursors of lists that are read page by page: where the last entry of a page stands, or stood."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from huey_core.exceptions import ConfigurationError

__all__ = ["Place"]

_CURSOR: Final = re.compile(r"(?P<score>-?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?) (?P<member>.*)", re.DOTALL)


class Place(NamedTuple):
    """A place in a sorted set, as the server orders it.

    Attributes:
        score: The score, as the server wrote it; empty at the head of the list.
        member: The member.
    """

    score: bytes = b""
    member: bytes = b""

    @classmethod
    def after(cls, cursor: str | None, what: str) -> Place:
        """Read a cursor.

        Args:
            cursor: The cursor; ``None`` for the head of the list.
            what: Of which list it has to be, a word.

        Raises:
            ConfigurationError: It is not one.
        """
        if cursor is None:
            return cls()
        word, _, place = cursor.partition(" ")
        match = _CURSOR.fullmatch(place)
        if word != what or match is None:
            raise ConfigurationError(
                f"{cursor!r:.200} is not the cursor of a page of {what!r}; give the one that the page before had"
            )
        try:
            return cls(match["score"].encode(), match["member"].encode())
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"the cursor {cursor!r:.200} is not valid Unicode: {error}") from None

    def cursor(self, what: str) -> str:
        """Write a cursor; see :meth:`after`."""
        return f"{what} {self.score.decode()} {self.member.decode()}"
