"""Pauses after errors of the server, growing and jittered, with one line in the log for each change of state."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from huey_core.consumer.config import ConsumerConfig

__all__ = ["Trouble"]


class Trouble:
    """Keeps track of whether something answers.

    Args:
        what: What it is that may not answer, for the log.
        config: Gives the first pause, its growth and the longest pause.
        log: Where the changes of state are logged.
        clock: A monotonic time in seconds.
        jitter: Returns a random number between two numbers.
    """

    def __init__(
        self,
        what: str,
        config: ConsumerConfig,
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._what = what
        self._config = config
        self._log = log
        self._clock = clock
        self._jitter = jitter
        self._since: float | None = None
        self._failures = 0

    def failed(self, error: Exception) -> float:
        """Note a failure, and return how long to pause, in seconds."""
        if self._since is None:
            self._since = self._clock()
            self._log.error("%s does not answer, trying again until it does: %r", self._what, error)
        pause = self._config.max_delay
        # The power of many failures overflows, and is past the longest pause long before.
        if self._failures < 500:
            pause = min(self._config.initial_delay * self._config.backoff**self._failures, pause)
        self._failures += 1
        return pause * self._jitter(0.5, 1.0)

    def over(self) -> None:
        """Note a success."""
        if self._since is not None:
            self._log.info(
                "%s answers again after %.1f s and %d tries", self._what, self._clock() - self._since, self._failures
            )
            self._since = None
            self._failures = 0

    @property
    def seconds(self) -> float:
        """For how long it has not answered."""
        return 0.0 if self._since is None else self._clock() - self._since
