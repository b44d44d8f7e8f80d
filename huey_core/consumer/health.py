"""Whether a consumer is healthy: whether every part of it that has to live does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.consumer.health_file import HealthFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.consumer.policy import Policy
    from huey_core.consumer.supervision import Service
    from huey_core.settings import ConsumerConfig
    from huey_core.workers.base import WorkerPool

__all__ = ["Health"]


class Health:
    """Looks at the parts of a consumer, and keeps its health file.

    Args:
        parts: All that was started, and has to live until the consumer stops.
        config: The settings.
        name: Says what the consumer is called in this process.
        policy: What is no setting.
    """

    def __init__(
        self, parts: Sequence[Service | WorkerPool], config: ConsumerConfig, name: Callable[[], str], policy: Policy
    ) -> None:
        self._parts = parts
        self._is_ready = self._is_stopping = False
        self._known: tuple[str, ...] = ()
        self._all: Sequence[Health] = (self,)
        self._file = (
            HealthFile(config.health_file, config.heartbeat, name, self.is_healthy, policy)
            if config.health_file is not None
            else None
        )

    def stand_with(self, others: Sequence[Health]) -> None:
        """Be healthy while all of these are, this one among them."""
        self._all = tuple(others)

    def prepare(self) -> None:
        """Get ready to start.

        Raises:
            ConfigurationError: The health file cannot be written.
        """
        if self._file is not None:
            self._file.prepare()

    def has_started(self) -> None:
        """Note that all parts have started."""
        self._is_ready = True
        if self._file is not None:
            self._file.start()

    def is_about_to_stop(self) -> None:
        """Note that parts may end from here on."""
        self._is_stopping = True

    def has_stopped(self) -> None:
        """Note that the consumer has stopped in order."""
        if self._file is not None:
            self._file.remove()

    def problems(self) -> tuple[str, ...]:
        """What keeps the consumer from running commands, in a few words each: a part that has ended, or is stuck.

        A server that does not answer is none, since the consumer waits for it. While it stops, what was found last
        stands: a part that ends then is no problem, and one that is stuck has not recovered.
        """
        if self._is_ready and not self._is_stopping:
            self._known = tuple(found for part in self._parts if (found := part.problem()) is not None)
        return self._known

    def is_healthy(self) -> bool:
        """Whether the consumer has started, with all that stand with it, and none of them has a problem."""
        return all(one._is_ready and not one.problems() for one in self._all)
