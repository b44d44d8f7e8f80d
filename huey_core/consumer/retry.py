"""Pauses after errors of the server, growing and jittered, with one line in the log for each change of state."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from huey_core.text import counted, error_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.safe_logging import SafeLogger

__all__ = ["BackOff", "Outage", "Pauses"]

CALM: Final = 5.0
"""Seconds after an outage in which a failure may be the last of it: of a call that was made before it was over."""


class Pauses(NamedTuple):
    """How long to pause between two tries, in seconds, and what each further pause is multiplied by."""

    first: float
    growth: float
    longest: float


@dataclass(eq=False, repr=False)
class Outage:
    """The state of one server, as all threads that talk to it see it together.

    An outage begins when the first of them fails, and is over when each that failed has succeeded again.
    """

    what: str
    log: SafeLogger
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._failing: set[BackOff] = set()
        self._began = 0.0
        self._ended = float("-inf")
        self._tries = 0
        self._is_logged = False

    def joined_by(self, back_off: BackOff, doing: str, error: BaseException) -> None:
        """Note that somebody failed, once more or for the first time."""
        with self._lock:
            now = self.clock()
            if not self._failing:
                self._began = now
                self._tries = 0
            self._failing.add(back_off)
            self._tries += 1
            is_news = not self._is_logged and now - self._ended > CALM
            if is_news:
                self._is_logged = True
        # Without the lock: a handler of the log may take long, and leases are to be renewed meanwhile.
        if is_news:
            self.log.error("%s is unavailable (%s), retrying: %s", self.what, doing, error_line(error))

    def left_by(self, back_off: BackOff) -> None:
        """Note that somebody who failed has succeeded."""
        with self._lock:
            self._failing.discard(back_off)
            if not self._is_logged or self._failing:
                return
            self._is_logged = False
            self._ended = self.clock()
            seconds, tries = self._ended - self._began, counted(self._tries, "try", "tries")
        self.log.info("%s is available again after %.1f s and %s", self.what, seconds, tries)


@dataclass(eq=False, repr=False)
class BackOff:
    """What one thread, or one kind of work, has to do with the outages of its server.

    Of each pause a random part, as ``jitter`` says between two numbers, is left out.
    """

    outage: Outage
    doing: str
    pauses: Pauses
    jitter: Callable[[float, float], float] = random.uniform

    def __post_init__(self) -> None:
        self._since: float | None = None
        self._failures = 0

    def failed(self, error: BaseException) -> float:
        """Note a failure, and return how long to pause, in seconds."""
        if self._since is None:
            self._since = self.outage.clock()
        self.outage.joined_by(self, self.doing, error)
        pause = self.pauses.longest
        # The power of many failures overflows, and is past the longest pause long before.
        if self._failures < 500:
            pause = min(self.pauses.first * self.pauses.growth**self._failures, pause)
        self._failures += 1
        return pause * self.jitter(0.5, 1.0)

    def over(self) -> None:
        """Note a success."""
        if self._since is not None:
            self._since = None
            self._failures = 0
            self.outage.left_by(self)

    @property
    def seconds(self) -> float:
        """For how long it has not succeeded."""
        return 0.0 if self._since is None else self.outage.clock() - self._since
