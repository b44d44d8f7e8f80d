"""The consumer: the process that runs commands.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core._lazy import lazy
from huey_core.commands.periodic import periodic_commands
from huey_core.consumer.config import BaseConfiguration
from huey_core.consumer.consumer import Consumer
from huey_core.consumer.queue_options import served_queues
from huey_core.consumer.signals import Runnable, end_soon, run_until_signalled
from huey_core.consumer.tick_writer import TickWriter
from huey_core.features.heartbeat import ConsumerRecord, consumers_alive, keeps_heartbeats
from huey_core.settings import LOG_FORMATS, ConsumerConfig
from huey_core.snapshot import Snapshot, Stats

if TYPE_CHECKING:
    from huey_core.consumer.group import ConsumerGroup
    from huey_core.consumer.logs import JSONFormatter, set_up_logging
else:
    # What they import of the standard library takes half a megabyte, and a consumer alone needs none of it.
    __getattr__ = lazy(
        __name__,
        ConsumerGroup="huey_core.consumer.group",
        JSONFormatter="huey_core.consumer.logs",
        set_up_logging="huey_core.consumer.logs",
    )

__all__ = [
    "LOG_FORMATS",
    "BaseConfiguration",
    "Consumer",
    "ConsumerConfig",
    "ConsumerGroup",
    "ConsumerRecord",
    "JSONFormatter",
    "Runnable",
    "Snapshot",
    "Stats",
    "TickWriter",
    "consumers_alive",
    "end_soon",
    "keeps_heartbeats",
    "periodic_commands",
    "run_until_signalled",
    "served_queues",
    "set_up_logging",
]
