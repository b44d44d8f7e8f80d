"""Seconds of the contract as whole milliseconds of the server, rounded up so that nothing happens early."""

from __future__ import annotations

import math

__all__ = ["milliseconds", "time_to_live"]


def milliseconds(seconds: float) -> int:
    """Convert a duration or a point in time."""
    return math.ceil(seconds * 1000)


def time_to_live(seconds: float | None) -> int:
    """Convert a time to live: at least 1, and 0 for ``None``, which the scripts take as for ever."""
    return 0 if seconds is None else max(milliseconds(seconds), 1)
