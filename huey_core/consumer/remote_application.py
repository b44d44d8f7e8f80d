"""What a consumer tells a worker pool that runs commands in other processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from huey_core.workers.remote import RemoteApplication

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["remote_application"]


def remote_application(
    application: str, queue_name: str, name: str, workers: int, settings: Mapping[str, Any]
) -> RemoteApplication:
    """Say how the other processes make what runs commands there.

    Args:
        application: The dotted path of the application.
        queue_name: The name of the invoker's queue.
        name: The name of the consumer.
        workers: How many commands it runs at once.
        settings: Its settings as they were given, which every process lets plugins change.
    """
    # A consumer with threads needs none of what it imports.
    from huey_core.consumer.logs import logging_set_up

    logfile = settings["logfile"]
    # The health file is that of the consumer's own process.
    there = {**settings, "health_file": None, "logfile": None if logfile is None else os.fspath(logfile)}
    arguments = {
        "application": application,
        "queue_name": queue_name,
        "name": name,
        "workers": workers,
        "settings": there,
        "logs": logging_set_up(),
    }
    return RemoteApplication("huey_core.consumer.child_consumer:ChildConsumer", arguments)
