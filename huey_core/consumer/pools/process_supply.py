"""How many deliveries each process of the pool is given: one to run, and as much more as keeps it from waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from huey_core.consumer.policy import POLICY
from huey_core.consumer.prefetch import Prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huey_core.consumer.pools.process_handle import ProcessHandle

__all__ = ["Supply"]

MOST_AHEAD: Final = 500
"""The most deliveries that a process is given beside the one that it runs."""

HORIZON: Final = 0.05
"""Seconds of work that it is given so."""

PLENTY: Final = 50
"""Deliveries with which a process is busy for some milliseconds, since it has so many only when they are quick."""


@dataclass(eq=False, repr=False)
class Supply:
    """Decides about the processes of a pool of so many.

    Each is given no more than ``max_commands`` in its life, if that is a number.
    """

    size: int
    max_commands: int | None

    def __post_init__(self) -> None:
        self.ahead = Prefetch(1, MOST_AHEAD, replace(POLICY, horizon=HORIZON))

    def portions(self, children: Sequence[ProcessHandle], waiting: int) -> Iterator[tuple[ProcessHandle, int]]:
        """Say which process is to be given how many of those that wait, the idlest first."""
        now = time.monotonic()
        able = [child for child in children if child.is_ready and not child.is_leaving]
        # One that leaves may still run something.
        busy = sum(bool(child.jobs) for child in children)
        for others, child in zip(reversed(range(len(able))), sorted(able, key=lambda one: len(one.jobs)), strict=True):
            has, current = len(child.jobs), child.current()
            ahead = self.ahead.target(now - current[1] if current else 0.0)
            if not waiting or (not has and busy >= self.size):
                return
            if has and has > ahead // 2:
                continue
            busy += not has
            # What there is, is shared with the others.
            wanted = min(1 + ahead - has, -(-waiting // (others + 1)))
            if self.max_commands is not None:
                wanted = min(wanted, self.max_commands - child.given)
            waiting -= wanted
            yield child, wanted

    def is_plenty(self, children: Sequence[ProcessHandle]) -> bool:
        """Whether every process has enough to be left alone for a moment."""
        return bool(children) and all(len(child.jobs) > PLENTY for child in children)
