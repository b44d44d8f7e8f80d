"""How far the clock of this process is from the one that decides about leases and delays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measured_offset"]


def measured_offset(known: float, now: Callable[[], float], clock: Callable[[], float] = time.time) -> float:
    """Return by how many seconds the queue's clock is ahead of this process's.

    An answer tells as much as it was quick: what was known before is only changed as far as it contradicts it.

    Args:
        known: What was known before.
        now: Asks the queue for its time.
        clock: The time of this process.

    Raises:
        Exception: The queue did not answer.
    """
    before = clock()
    answer = now()
    least, most = answer - clock(), answer - before
    return min(max(known, least), most)
