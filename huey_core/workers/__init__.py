"""What an author of a worker pool implements: what runs the deliveries of a consumer.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings, Run, Runner, WorkerPool
from huey_core.workers.interruption import Interruption, TaskInterruption, ThreadInterruption
from huey_core.workers.remote import RemoteApplication, RemoteRunner

__all__ = [
    "Interruption",
    "PoolAbility",
    "PoolSettings",
    "RemoteApplication",
    "RemoteRunner",
    "Run",
    "Runner",
    "TaskInterruption",
    "ThreadInterruption",
    "WorkerPool",
]
