"""The PyPI package ``dramatiq`` with Redis and stored results."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from .base import Contestant, database_url

DATABASE: Final = 14
RESULT_DATABASE: Final = 15
RESULTS: Any = RedisBackend(url=database_url(RESULT_DATABASE), namespace="results")

broker: Any = RedisBroker(url=database_url(DATABASE))
broker.add_middleware(Results(backend=RESULTS))


def noop(number: int) -> int:
    """Return the number that it is given."""
    return number


actor: Any = dramatiq.actor(noop, broker=broker, store_results=True, max_retries=0)


class Dramatiq(Contestant):
    """dramatiq with one process of eight threads, which are the threads that it has by default."""

    database: ClassVar[int] = DATABASE
    weight: ClassVar[float] = 0.25

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.result_server = redis.Redis.from_url(database_url(RESULT_DATABASE))

    def enqueue(self, count: int) -> None:
        """Call the command in a loop."""
        for number in range(count):
            actor.send(number)

    def call(self) -> None:
        """Call the command, and wait as the documentation of the package says."""
        actor.send(1).get_result(backend=RESULTS, block=True, timeout=60_000)

    def consumer_arguments(self) -> list[str]:
        """Name the program and its settings."""
        return ["-m", "dramatiq", f"{__name__}:broker", "--processes", "1", "--threads", "8", "--skip-logging"]

    def results(self) -> int:
        """Count the results, in constant time."""
        return int(self.result_server.dbsize())

    def clear(self) -> None:
        """Empty both databases."""
        super().clear()
        self.result_server.flushdb()
