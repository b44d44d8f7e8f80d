"""The beat of a consumer's heart, in a thread that does nothing else, so that no lease waits for a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.consumer.supervision import Service
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.consumer.policy import Policy

__all__ = ["HeartbeatSender"]

log: Final = get_logger(__name__)


@dataclass(eq=False, repr=False)
class HeartbeatSender(Service):
    """Sends a heartbeat once in so many seconds, and logs what keeps the consumer from running commands."""

    send: Callable[[], None]
    problems: Callable[[], tuple[str, ...]]
    interval: float
    """In seconds."""
    policy: Policy

    def __post_init__(self) -> None:
        super().__init__("heartbeats", "the heartbeat", self.policy)

    def _work(self) -> None:
        known: tuple[str, ...] = ()
        while not self._rest(self.interval):
            problems = self.problems()
            if problems and not known:
                log.critical("the consumer is not healthy: %s", "; ".join(problems))
            elif known and not problems:
                log.warning("the consumer is healthy again")
            known = problems
            self.send()
