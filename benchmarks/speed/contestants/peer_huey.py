"""The PyPI package ``huey`` with Redis."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Final

from huey import RedisHuey  # type: ignore[import-not-found,import-untyped,unused-ignore]

from .base import WORKERS_VARIABLE, Contestant, database_url

DATABASE: Final = 12
NOTIFYING_DATABASE: Final = 13

huey: Any = RedisHuey("bench", url=database_url(DATABASE))
notifying_huey: Any = RedisHuey("bench", url=database_url(NOTIFYING_DATABASE), notify_result=True)


def noop(number: int) -> int:
    """Return the number that it is given."""
    return number


task: Any = huey.task()(noop)
notifying_task: Any = notifying_huey.task()(noop)


class Huey(Contestant):
    """huey with the settings that it has by default, and the kind and number of workers that drains fastest."""

    database: ClassVar[int] = DATABASE
    instance: ClassVar[str] = "huey"

    def enqueue(self, count: int) -> None:
        """Call the command in a loop."""
        for number in range(count):
            task(number)

    def call(self) -> None:
        """Call the command, and wait as the documentation of the package says."""
        task(1).get(blocking=True, timeout=60)

    def consumer_arguments(self) -> list[str]:
        """Name the program and its settings."""
        kind, _, number = os.environ[WORKERS_VARIABLE].partition(":")
        path = f"{__name__}.{self.instance}"
        return ["-m", "huey.bin.huey_consumer", path, "--no-periodic", "--quiet", "-k", kind, "-w", number]

    def results(self) -> int:
        """Count the results, in constant time."""
        return int(self.server.hlen("huey.results.bench"))


class NotifyingHuey(Huey):
    """huey with ``notify_result``, which is off by default: a waiting caller is told, and does not poll."""

    database: ClassVar[int] = NOTIFYING_DATABASE
    instance: ClassVar[str] = "notifying_huey"

    def enqueue(self, count: int) -> None:
        """Call the command in a loop."""
        for number in range(count):
            notifying_task(number)

    def call(self) -> None:
        """Call the command, and wait as the documentation of the package says."""
        notifying_task(1).get(blocking=True, timeout=60)
