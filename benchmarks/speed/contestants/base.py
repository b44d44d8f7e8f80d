"""What a contestant is, and where its data lives on the server."""

from __future__ import annotations

import os
import sys
from abc import ABC
from typing import ClassVar, Final

import redis

__all__ = ["DATABASES", "SERVER_VARIABLE", "WORKERS_VARIABLE", "Contestant", "database_url"]

SERVER_VARIABLE: Final = "BENCHMARK_SERVER"
"""The environment variable that holds the server's URL without a database; consumer processes inherit it."""

WORKERS_VARIABLE: Final = "BENCHMARK_HUEY_WORKERS"
"""The environment variable that holds the kind and number of huey's workers, such as ``thread:4``."""

DATABASES: Final = range(10, 16)
"""The databases that the benchmark uses, and empties."""


def database_url(number: int) -> str:
    """The URL of one of the server's databases."""
    return f"{os.environ[SERVER_VARIABLE]}/{number}"


class Contestant(ABC):
    """A task queue with one command, which returns the number that it is given.

    Attributes:
        name: What it is called in the report.
        database: The number of its database.
        weight: The share of the usual number of commands that it is given, for one that is slow.
    """

    database: ClassVar[int]
    weight: ClassVar[float] = 1.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.server = redis.Redis.from_url(database_url(self.database))

    def enqueue(self, count: int) -> None:
        """Send commands one by one, and do not wait for results."""
        raise NotImplementedError

    def enqueue_many(self, count: int) -> None:
        """Send commands in the fastest way that the contestant has."""
        self.enqueue(count)

    def call(self) -> None:
        """Send one command and wait for its result."""
        raise NotImplementedError

    def consumer_arguments(self) -> list[str]:
        """The arguments of Python that start a consumer."""
        raise NotImplementedError

    def results(self) -> int:
        """Count the results that are stored."""
        raise NotImplementedError

    def can(self, method: str) -> bool:
        """Whether the contestant has one of the methods above."""
        return getattr(type(self), method) is not getattr(Contestant, method)

    def clear(self) -> None:
        """Empty the database."""
        self.server.flushdb()

    def command_line(self) -> list[str]:
        """The command that starts a consumer."""
        return [sys.executable, *self.consumer_arguments()]
