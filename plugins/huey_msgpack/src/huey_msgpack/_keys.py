"""A look at the keys of maps, before msgspec makes dicts of them.

An array that is a key becomes a tuple, and of tuples anybody can make as many with one hash as they like: a megabyte
of such keys takes most of a minute, and sixteen take hours, in which no other thread of the process runs. This package
writes no such keys; another writer may have reason for a few.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MOST_ARRAYS", "SMALL", "refuse_many_arrays"]

SMALL: Final = 16 * 2**10
"""Bytes of which whatever keys there are take an instant."""

MOST_ARRAYS: Final = 100
"""How many keys of one map may be arrays, where a body is larger."""

_DEEP: Final = 10_000
"""How deep containers may be nested for any reader, and more than that."""

_RUNS: Final = re.compile(rb"[\x00-\x7f\xc0\xc2\xc3\xe0-\xff]+|(?:\xcb.{8})+|(?:[\xca\xce\xd2].{4})+", re.DOTALL)
"""Several scalars of one size, as most large lists have them: a byte each, nine, or five."""

_RUN_SIZES: Final = {0xCB: 9, 0xCA: 5, 0xCE: 5, 0xD2: 5}

_SIZES: Final = {
    **dict.fromkeys([*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)], 1),
    **{0xA0 + size: 1 + size for size in range(32)},
    **{0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9},
    **{0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18},
}
"""Bytes of a scalar, by its first byte."""

_LENGTHS: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)} | {
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
"""Bytes of the length of a text, of bytes or of an extension, and of what is between that and its content."""

_CONTAINERS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Bytes of the number of items in a list or a map, and how many values an item is."""


def refuse_many_arrays(data: bytes) -> None:
    """Refuse a body in which more than :data:`MOST_ARRAYS` keys of one map are arrays.

    Raises:
        ValueError: It is such a one.
    """
    # Only a map of so many items has a header of its own, so most bodies are not walked through.
    if len(data) > SMALL and (b"\xde" in data or b"\xdf" in data):
        try:
            _walk(data)
        except IndexError:
            # It is cut off, which the reader says better.
            return


def _walk(data: bytes) -> None:
    place, left, width, arrays = 0, 1, 1, 0
    outer: list[tuple[int, int, int]] = []
    while True:
        while not left:
            if not outer:
                return
            left, width, arrays = outer.pop()
        first = data[place]
        if width == 1 and left > 1 and (run := _RUNS.match(data, place)):
            size = _RUN_SIZES.get(first, 1)
            count = min(left, (run.end() - place) // size)
            left -= count
            place += count * size
            continue
        left -= 1
        if first in _SIZES:
            place += _SIZES[first]
        elif first in _LENGTHS:
            size, between = _LENGTHS[first]
            place += 1 + size + between + int.from_bytes(data[place + 1 : place + 1 + size])
        elif 0x80 <= first <= 0x9F or first in _CONTAINERS:
            # Of the values of a map that are left, the key has gone and its value has not.
            if width == 2 and left % 2:
                arrays += 1
                if arrays > MOST_ARRAYS:
                    raise ValueError(f"more than {MOST_ARRAYS} keys of a map are arrays")
            if len(outer) > _DEEP:
                return
            outer.append((left, width, arrays))
            size, width = _CONTAINERS.get(first, (0, 1 if first >= 0x90 else 2))
            count = int.from_bytes(data[place + 1 : place + 1 + size]) if size else first & 0x0F
            left, arrays = count * width, 0
            place += 1 + size
        else:
            # 0xC1 is never used.
            return
