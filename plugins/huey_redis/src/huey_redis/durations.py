"""Seconds of the contract as whole milliseconds of the server, rounded up so that nothing happens early."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FOR_EVER", "LONGEST", "milliseconds", "time_to_live"]

LONGEST: Final = 2**52
"""The most milliseconds: what lies beyond, some 140,000 years, counts as that. The sum of two such numbers is still
exact in Lua, and no server refuses one as a time to live."""

FOR_EVER: Final = -1
"""The time to live of what is kept without an end."""


def milliseconds(seconds: float) -> int:
    """Convert a duration or a point in time."""
    return math.ceil(max(-LONGEST, min(seconds * 1000, LONGEST)))


def time_to_live(seconds: float | None) -> int:
    """Convert a time to live: 0 for one that is over at once, :data:`FOR_EVER` for ``None``."""
    return FOR_EVER if seconds is None else max(milliseconds(seconds), 0)
