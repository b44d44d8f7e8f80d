"""The application: its invoker, its one command, and the settings of its consumers.

The producer and the consumers import this module, so they agree on all three. The server is named by the environment
variable HUEY_URL, as it would be in production.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from huey_core import Invoker, current_command, hookimpl, queue_command
from huey_core.consumer import BaseConfiguration

from .words import count_words

if TYPE_CHECKING:
    from collections.abc import Generator

    from huey_core.commands import Execution

LEASE = 2.0


class DeliveryCount:
    """A plugin that adds to every result how often its command was delivered: more than once after a crash."""

    @hookimpl(wrapper=True)
    def huey_execute(self) -> Generator[None, Execution, Execution]:
        execution = yield
        execution.value["deliveries"] = current_command().delivery_count
        return execution


invoker = Invoker.from_env(plugins=[DeliveryCount()])


@queue_command(invoker)
def count_file(folder: str, name: str) -> dict[str, Any]:
    """Count the words of one file. Running it twice does no harm, as it should be with every command."""
    return {"words": dict(count_words(Path(folder, name)))}


class Configuration(BaseConfiguration):
    """Two threads are plenty, since counting keeps a core busy; short leases and heartbeats let the demo end soon."""

    INVOKER = invoker
    WORKERS = 2
    LEASE = LEASE
    HEARTBEAT = LEASE / 3
    PERIODIC = False
