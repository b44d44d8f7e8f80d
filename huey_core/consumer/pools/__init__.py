"""What runs deliveries."""

from __future__ import annotations

from huey_core.consumer.pools.base import Run, Runner, WorkerPool
from huey_core.consumer.pools.thread import ThreadPool

__all__ = ["Run", "Runner", "ThreadPool", "WorkerPool"]
