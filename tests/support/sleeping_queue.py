"""A queue that no arrival wakes, for the mutants of which that is the fault."""

from __future__ import annotations

import time

from huey_memory import MemoryQueue

__all__ = ["SleepingQueue"]


class SleepingQueue(MemoryQueue):
    """Waits for its whole time, two seconds at the most, and looks once more then."""

    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease)
        if claim.is_empty and wait:
            time.sleep(min(wait, 2.0))
            claim = super().claim(limit, lease)
        return claim
