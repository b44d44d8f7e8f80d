"""This system, with the settings that it has by default."""

from __future__ import annotations

from typing import ClassVar, Final

from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration
from huey_redis.keys import queue_keys

from .base import Contestant, database_url

DATABASE: Final = 11
STATE_DATABASE: Final = 13
QUEUE_KEYS: Final = queue_keys("huey")

# The consumer's own state lies elsewhere, because results are counted by counting keys.
invoker = Invoker.from_url(database_url(DATABASE), task_store=database_url(STATE_DATABASE))


@queue_command(invoker)
def noop(number: int) -> int:
    """Return the number that it is given."""
    return number


class Configuration(BaseConfiguration):
    """The default settings, without the clock of the periodic commands, as with the peers."""

    INVOKER = invoker
    PERIODIC = False


class HueyCore(Contestant):
    """huey-core with huey-redis."""

    database: ClassVar[int] = DATABASE

    def enqueue(self, count: int) -> None:
        """Call the command in a loop."""
        for number in range(count):
            noop(number)

    def enqueue_many(self, count: int) -> None:
        """Make all commands and send them in one call."""
        invoker.enqueue_many(noop.command(number) for number in range(count))

    def call(self) -> None:
        """Call the command, and wait as the documentation of the package says."""
        noop(1).get(blocking=True, timeout=60)

    def consumer_arguments(self) -> list[str]:
        """Name the program and its settings."""
        return ["-m", "huey_core", "consumer", f"{__name__}.Configuration", "--quiet"]

    def results(self) -> int:
        """Count the results, in constant time."""
        # In one step, because a key of the queue may go between two.
        with self.server.pipeline() as pipeline:
            pipeline.dbsize()
            pipeline.exists(*QUEUE_KEYS)
            keys, of_the_queue = pipeline.execute()
        return int(keys) - int(of_the_queue)
