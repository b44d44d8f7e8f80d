"""The backend of huey-core that lives in the memory of one process: ``memory://``.

It keeps the whole contract of :class:`~huey_core.backends.LeasedQueue` except that messages do not outlive the
process, so it serves tests, development, and the threads of one program. It is also the reference implementation:
``_messages`` holds the steps of the contract, ``queue`` and ``data_store`` make them atomic and wait.
"""

from __future__ import annotations

from huey_memory._version import __version__
from huey_memory.backend import MemoryBackend
from huey_memory.clock import SYSTEM_CLOCK, Clock, ManualClock
from huey_memory.data_store import MemoryDataStore
from huey_memory.queue import MemoryQueue
from huey_memory.space import Space

__all__ = [
    "SYSTEM_CLOCK",
    "Clock",
    "ManualClock",
    "MemoryBackend",
    "MemoryDataStore",
    "MemoryQueue",
    "Space",
    "__version__",
    "clear",
]


def clear(space: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
    """Forget every message and every value of a space. Queues and stores that are in use stay usable."""
    Space.named(space, clock).clear()
