"""Starts a consumer again, whose commands run in its own process, when that has run enough of them or grown large."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.consumer.memory import can_measure_memory, resident_memory
from huey_core.consumer.signals import can_start_again, start_again_soon
from huey_core.consumer.supervision import Service
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.consumer.policy import Policy
    from huey_core.settings import ConsumerConfig
    from huey_core.snapshot import Stats
    from huey_core.workers.base import WorkerPool

__all__ = ["Recycling", "check_recycling", "max_memory", "recycling"]

log: Final = get_logger(__name__)


def max_memory(config: ConsumerConfig) -> int | None:
    """How many bytes of memory a process may take."""
    return None if config.max_memory is None else config.max_memory * 2**20


def check_recycling(config: ConsumerConfig, pool: WorkerPool) -> None:
    """Refuse settings that cannot be obeyed here.

    Raises:
        ConfigurationError: What a process takes cannot be found out, or the consumer cannot start again.
    """
    if config.max_memory is not None and not can_measure_memory():
        raise ConfigurationError("MAX_MEMORY needs a system with /proc, such as Linux: no other says what it asks for")
    if _is_wanted(config, pool) and not can_start_again():
        raise ConfigurationError(
            f"with the worker pool {config.worker_type!r}, MAX_COMMANDS and MAX_MEMORY start the program again, which "
            "huey_consumer does, and Consumer.run(); leave them out here, or use the worker pool 'process'"
        )


def recycling(config: ConsumerConfig, pool: WorkerPool, stats: Callable[[], Stats], policy: Policy) -> list[Recycling]:
    """Make what obeys the settings; nothing where the pool does it itself, or nobody asks for it.

    Args:
        config: The settings.
        pool: The pool.
        stats: Says what the consumer has done.
        policy: What is no setting.
    """
    if not _is_wanted(config, pool):
        return []
    return [Recycling(max_commands=config.max_commands, max_memory=max_memory(config), stats=stats, policy=policy)]


def _is_wanted(config: ConsumerConfig, pool: WorkerPool) -> bool:
    return not pool.remote and (config.max_commands is not None or config.max_memory is not None)


@dataclass(eq=False, repr=False, kw_only=True)
class Recycling(Service):
    """Looks at the consumer now and then, and has it stop and start again, as SIGHUP does."""

    max_commands: int | None
    max_memory: int | None
    """In bytes."""
    stats: Callable[[], Stats]
    policy: Policy

    def __post_init__(self) -> None:
        super().__init__("recycling", "the look at the consumer's size", self.policy)

    def _work(self) -> None:
        while not self._stopping.wait(self.policy.recycling_look):
            if (reason := self._reason()) is not None:
                log.info("starting again, %s", reason)
                # It ends as it was to, which is no problem of the consumer's.
                super().stop()
                start_again_soon()
                return

    def _reason(self) -> str | None:
        stats = self.stats()
        run, size = stats.done + stats.retried + stats.buried, resident_memory(os.getpid())
        if self.max_commands is not None and run >= self.max_commands:
            return f"after {counted(run, 'command')}"
        # One that is too large from the beginning is not to do nothing else.
        if self.max_memory is not None and size > self.max_memory and run:
            return f"since the process takes {size // 2**20} MiB"
        return None
