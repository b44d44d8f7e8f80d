"""Dividing much work among script calls, so that none of them keeps the server busy for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["PORTION", "PORTION_BYTES", "portions"]

T = TypeVar("T")

PORTION: Final = 100
"""The most messages that one script call works on."""

PORTION_BYTES: Final = 4 * 2**20
"""The bytes of messages after which a script call takes no more of them."""


def portions(items: Sequence[T], size: Callable[[T], int] = lambda _: 0) -> Iterator[list[T]]:
    """Divide items into lists of at most :data:`PORTION`, which end with what reaches :data:`PORTION_BYTES`.

    Args:
        items: What is divided.
        size: The bytes of an item.
    """
    portion: list[T] = []
    total = 0
    for item in items:
        portion.append(item)
        total += size(item)
        if len(portion) == PORTION or total >= PORTION_BYTES:
            yield portion
            portion, total = [], 0
    if portion:
        yield portion
