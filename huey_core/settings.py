"""The consumer's settings as it uses them: their defaults, and what each may be."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import TIMEOUT_MAX
from typing import Any, Final, Self

from huey_core.backends.queue_names import check_queue_name
from huey_core.exceptions import ConfigurationError
from huey_core.numbers import check_number

__all__ = ["EVENT_LOOPS", "LOG_FORMATS", "ConsumerConfig"]

EVENT_LOOPS: Final = ("asyncio", "uvloop")
"""The kinds of event loops; the first is the default."""

LOG_FORMATS: Final = ("text", "json")
"""How a line of the log can be written; the first is the default."""

_SECONDS: Final = (
    "burst_wait",
    "shutdown_timeout",
    "timeout_grace",
    "unreadable_delay",
    "initial_delay",
    "max_delay",
)
"""The settings that are times, and may be none at all."""

_HOW_MANY: Final = ("workers", "threads")
"""The settings that say how many commands run at once: the name for every worker pool, and that for threads."""


@dataclass(kw_only=True)
class ConsumerConfig:
    """The settings of :class:`~huey_core.consumer.BaseConfiguration`, which describes them, in lower case and checked.

    Raises:
        ConfigurationError: A value cannot be used; the message names the setting.
    """

    serve_queues: Mapping[str, float] | Sequence[str] | None = None
    burst: bool = False
    burst_wait: float = 0.0
    periodic: bool | None = None
    worker_type: str = "thread"
    workers: int | None = None
    threads: int | None = None
    event_loop: str = "asyncio"
    max_commands: int | None = None
    max_memory: int | None = None
    heartbeat: float = 10.0
    health_file: str | os.PathLike[str] | None = None
    lease: float | None = None
    prefetch: int = 1000
    shutdown_timeout: float = 30.0
    timeout_grace: float = 5.0
    unreadable_delay: float = 10.0
    initial_delay: float = 0.1
    backoff: float = 1.15
    max_delay: float = 10.0
    utc: bool = True
    logfile: str | None = None
    loglevel: int | str = logging.INFO
    log_format: str = "text"
    log_commands: bool = False
    log_max_bytes: int = 10 * 2**20
    log_backups: int = 3

    @classmethod
    def of(cls, settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> Self:
        """Make them of settings by name, and of others that go before those unless they are ``None``."""
        given = {name: value for name, value in overrides.items() if value is not None}
        if not given.keys().isdisjoint(_HOW_MANY):
            # Either goes before both.
            settings = {**settings, **dict.fromkeys(_HOW_MANY)}
        return cls(**{**settings, **given})

    def __post_init__(self) -> None:
        self.check()

    @property
    def runs_periodic(self) -> bool:
        """Whether periodic commands are enqueued; without a word of the settings, they are, but for a burst."""
        return not self.burst if self.periodic is None else self.periodic

    def check(self) -> None:
        """Refuse values that cannot be used; called again after plugins had their say."""
        if not isinstance(self.worker_type, str) or not self.worker_type:
            raise ConfigurationError(f"WORKER_TYPE must be the name of a worker pool, not {self.worker_type!r}")
        if self.event_loop not in EVENT_LOOPS:
            raise ConfigurationError(f"EVENT_LOOP must be one of {', '.join(EVENT_LOOPS)}, not {self.event_loop!r}")
        if self.log_format not in LOG_FORMATS:
            raise ConfigurationError(f"LOG_FORMAT must be one of {', '.join(LOG_FORMATS)}, not {self.log_format!r}")
        for name, least in (("prefetch", 0), ("log_max_bytes", 0), ("log_backups", 0)):
            check_number(name.upper(), getattr(self, name), least, whole=True)
        self._check_queues()
        self._check_workers()
        if self.log_max_bytes and not self.log_backups:
            # RotatingFileHandler would let the file grow for ever.
            raise ConfigurationError(
                "LOG_BACKUPS must be at least 1 for a log file that is rotated; LOG_MAX_BYTES = 0 turns rotation off"
            )
        if not isinstance(self.burst, bool):
            raise ConfigurationError(f"BURST must be True or False, not {self.burst!r}")
        for name in _SECONDS:
            # No thread can wait any longer.
            check_number(name.upper(), getattr(self, name), 0, TIMEOUT_MAX)
        check_number("BACKOFF", self.backoff, 1, TIMEOUT_MAX)
        if self.lease is not None:
            check_number("LEASE", self.lease, 1, TIMEOUT_MAX)
        if not isinstance(self.loglevel, int) and (
            not isinstance(self.loglevel, str) or self.loglevel.upper() not in logging.getLevelNamesMapping()
        ):
            raise ConfigurationError(f"LOGLEVEL must be a level such as INFO or DEBUG, not {self.loglevel!r}")
        check_number("HEARTBEAT", self.heartbeat, 0.1, TIMEOUT_MAX / 3)
        for name in ("health_file", "logfile"):
            path = getattr(self, name)
            if path is not None and not isinstance(path, str | os.PathLike):
                raise ConfigurationError(f"{name.upper()} must be the path of a file, not {path!r}")

    def _check_queues(self) -> None:
        served: object = self.serve_queues
        if served is None:
            return
        if not isinstance(served, Mapping | list | tuple):
            raise ConfigurationError(
                "SERVE_QUEUES must be a list of names, in strict order, or a dictionary of weights, such as "
                f"{{'mail': 3, 'reports': 1}}, not {served!r}"
            )
        if not served:
            raise ConfigurationError("SERVE_QUEUES names no queue; leave it out to serve that of the invoker")
        for name in served:
            if not isinstance(name, str) or not name:
                raise ConfigurationError(f"SERVE_QUEUES must have names of queues, not {name!r}")
            check_queue_name("the name of a queue in SERVE_QUEUES", name)
        if len(set(served)) < len(served):
            twice = next(name for index, name in enumerate(served) if name in list(served)[:index])
            raise ConfigurationError(f"SERVE_QUEUES has the queue {twice!r} twice")
        for name, weight in served.items() if isinstance(served, Mapping) else ():
            # The least is so small that it only refuses zero and less.
            check_number(f"the weight of the queue {name!r}", weight, 1e-6, 1e6, what="a positive number")

    def _check_workers(self) -> None:
        for name in (*_HOW_MANY, "max_commands", "max_memory"):
            if getattr(self, name) is not None:
                check_number(name.upper(), getattr(self, name), 1, whole=True)
        if self.threads is None:
            return
        if self.worker_type != "thread":
            raise ConfigurationError(
                f"THREADS is for the worker pool 'thread', and WORKER_TYPE is {self.worker_type!r}: set WORKERS instead"
            )
        if self.workers is not None and self.workers != self.threads:
            raise ConfigurationError(
                f"WORKERS is {self.workers} and THREADS, which is its older name, is {self.threads}: set one of them"
            )
