"""The consumer: the process that runs commands."""

from __future__ import annotations

from huey_core.consumer.config import BaseConfiguration
from huey_core.consumer.consumer import Consumer
from huey_core.consumer.group import ConsumerGroup
from huey_core.consumer.logs import JSONFormatter
from huey_core.settings import ConsumerConfig
from huey_core.snapshot import Snapshot, Stats

__all__ = ["BaseConfiguration", "Consumer", "ConsumerConfig", "ConsumerGroup", "JSONFormatter", "Snapshot", "Stats"]
