"""How much memory a process takes."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["can_measure_memory", "resident_memory"]

_STATM: Final = "/proc/{}/statm"


def can_measure_memory() -> bool:
    """Whether this system says how much memory a process takes, as Linux does."""
    return os.path.exists(_STATM.format(os.getpid()))


def resident_memory(process: int) -> int:
    """The bytes of memory that a process takes: what is not swapped out, with what it shares with others.

    0 for one that has ended.
    """
    try:
        with open(_STATM.format(process), encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
