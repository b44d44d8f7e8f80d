"""Ending what runs before its time: when its lease was lost, and when a consumer stops."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.base import Run, WorkerPool

__all__ = ["cancel_delivery", "cancel_runs"]


def cancel_delivery(pool: WorkerPool, delivery: Delivery, error: type[CommandInterrupted]) -> bool:
    """Have the run of a delivery end, if it runs, and return whether it will."""
    for run in pool.running():
        if run.delivery.key == delivery.key:
            return pool.cancel(run, error)
    return False


def cancel_runs(pool: WorkerPool, runs: Sequence[Run], error: type[CommandInterrupted], seconds: float) -> None:
    """Have runs end, as far as the pool is able to, and wait for them, for so long at the most."""
    deadline = time.monotonic() + seconds
    left = {id(run.delivery) for run in runs if pool.cancel(run, error)}
    while left.intersection(id(run.delivery) for run in pool.running()) and time.monotonic() < deadline:
        time.sleep(0.005)
