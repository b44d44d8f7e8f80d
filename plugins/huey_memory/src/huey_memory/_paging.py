"""Pages of what has numbers: whoever has one keeps it, so that who comes and goes between two pages moves nobody."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, TypeVar

from huey_core.backends import Page
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["page_by_number"]

T = TypeVar("T")


def page_by_number(numbered: Iterable[tuple[int, T]], cursor: str | None, limit: int) -> Page[T]:
    """Make a page of the first that come after the cursor, which is the number of the last one before.

    Args:
        numbered: Everything there is, with its number, in any order.
        cursor: That of the page before; ``None`` for the first one.
        limit: The most on the page.

    Raises:
        ConfigurationError: The cursor is none of those that this function gives.
    """
    after = 0 if cursor is None else _number(cursor)
    found = heapq.nsmallest(limit + 1, (each for each in numbered if each[0] > after), key=lambda each: each[0])
    more = len(found) > limit
    return Page([item for _, item in found[:limit]], str(found[limit - 1][0]) if more else None)


def _number(cursor: str) -> int:
    # So many digits are more than any number of ours has, and fewer than int() refuses.
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 100):
        raise ConfigurationError(
            f"{cursor[:100]!r} is no cursor of this queue: give the one of the page before, or none"
        )
    return int(cursor)
