"""The thread that writes ticks when they are due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.consumer.supervision import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.consumer.tick_writer import TickWriter

__all__ = ["PeriodicScheduler"]

PAST_DUE: Final = 0.01
"""Seconds by which it wakes up after a due time, so that rounding never lands before it."""

LONGEST_PAUSE: Final = 60.0
"""The most seconds between two looks, since the queue's clock may be set."""


@dataclass(eq=False, repr=False)
class PeriodicScheduler(Service):
    """Writes ticks at every due time, by the time of the queue, and looks at least once a minute."""

    writer: TickWriter
    now: Callable[[], float]
    back_off: BackOff
    policy: Policy
    wait: Callable[[float], bool] | None = None
    """Waits for so many seconds, or until told to stop, which it says by returning true."""

    def __post_init__(self) -> None:
        super().__init__("periodic", "the writing of ticks", self.policy)
        self._wait = self.wait or self._sleep

    def _sleep(self, seconds: float) -> bool:
        self._comes_round_within(seconds)
        return self._stopping.wait(seconds)

    def _pause(self, seconds: float) -> bool:
        return self._wait(seconds)

    def _work(self) -> None:
        pause = 0.0
        while not self._wait(pause):
            try:
                pause = self._write()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = self.back_off.failed(error)
            else:
                self.back_off.over()

    def _write(self) -> float:
        """Write the ticks that are due, and return for how many seconds none is."""
        now = self.now()
        self.writer.write(now)
        following = self.writer.next_due(now) + PAST_DUE
        longest = self.policy.schedules_look if self.writer.may_change else LONGEST_PAUSE
        return min(max(following - self.now(), 0.0), longest)
