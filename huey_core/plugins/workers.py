"""From a name to a worker pool."""

from __future__ import annotations

from typing import Final

from huey_core._version import __version__
from huey_core.plugins.discovery import WORKERS, Entry
from huey_core.plugins.known import UNSERVED_WORKERS
from huey_core.plugins.registry import LazyRegistry
from huey_core.workers.base import WorkerPool

__all__ = ["register_worker_pool", "worker_pool_registry"]

worker_pool_registry: Final[LazyRegistry[WorkerPool]] = LazyRegistry(
    WORKERS,
    WorkerPool,
    kind="worker pool",
    role="name",
    unserved=UNSERVED_WORKERS,
    # The same as the entry points in pyproject.toml, for a checkout that was never installed.
    builtin=[
        Entry(WORKERS, "asyncio", "huey_core.consumer.pools.asyncio:AsyncioPool", "huey-core", __version__),
        Entry(WORKERS, "process", "huey_core.consumer.pools.process:ProcessPool", "huey-core", __version__),
        Entry(WORKERS, "thread", "huey_core.consumer.pools.thread:ThreadPool", "huey-core", __version__),
    ],
)
"""The worker pools by name."""


def register_worker_pool(name: str, cls: type[WorkerPool], *, replace: bool = False) -> None:
    """Make a worker pool known in this process, without a distribution around it.

    Raises:
        PluginConflict: Another class is registered under this name, and ``replace`` is false.
    """
    worker_pool_registry.register(name, cls, replace=replace)
