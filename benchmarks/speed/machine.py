"""The machine: which core does what, and what to say of it in a report."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

__all__ = ["describe", "pin", "two_cores"]


def two_cores() -> tuple[int, int] | tuple[None, None]:
    """A core for the server and one for everything else, or nothing where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def pin(process_id: int, core: int | None) -> None:
    """Let a process run on one core only; ``None`` leaves it alone. A process that ends meanwhile is ignored."""
    if core is not None:
        with suppress(ProcessLookupError):
            os.sched_setaffinity(process_id, {core})


def describe(server: redis.Redis) -> dict[str, Any]:
    """The cores, the interpreter and the server of a run."""
    info: Any = server.info("server")
    product = info.get("server_name", "redis")
    return {
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "server": f"{product} {info.get('valkey_version', info['redis_version'])}",
    }
