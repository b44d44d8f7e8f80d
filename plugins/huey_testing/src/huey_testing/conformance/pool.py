"""The conformance tests of worker pools."""

from __future__ import annotations

from huey_testing.conformance._pool_abilities import PoolAbilities
from huey_testing.conformance._pool_remote import PoolRemote
from huey_testing.conformance._pool_running import PoolRunning
from huey_testing.conformance._pool_stopping import PoolStopping

__all__ = ["WorkerPoolConformance"]


class WorkerPoolConformance(PoolRunning, PoolStopping, PoolAbilities, PoolRemote):
    """Every promise of :class:`~huey_core.workers.WorkerPool`. Subclass it and override ``make_pool``."""
