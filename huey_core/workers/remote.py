"""How a pool runs deliveries in other processes: what it finds there, and how it comes to it.

A consumer names its application by texts and numbers, and the pool sends those to a process that it has started. There
they become a :class:`RemoteRunner`, with connections of its own. Deliveries go there as bytes and texts, and outcomes
come back, in which a data store is named by its role; see :attr:`Runner.stores <huey_core.workers.Runner>`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Outcome
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.interruption import Interruption

__all__ = ["RemoteApplication", "RemoteRunner"]


class RemoteRunner(Protocol):
    """What runs deliveries in a process of the pool. One thread calls all of it."""

    def start(self, worker: str) -> None:
        """Begin, in the thread that is to run deliveries. It raises nothing.

        Args:
            worker: What the worker is called.
        """

    def stop(self, worker: str) -> None:
        """End, in the same thread, after its last delivery. It raises nothing."""

    def stores(self, queue_name: str) -> Mapping[str, BaseDataStore]:
        """The data stores of a queue by their roles, as :attr:`Runner.stores` has them in the consumer's process."""

    def prepare(self, queue_name: str, deliveries: Sequence[Delivery]) -> None:
        """Look at deliveries of a queue that have come, before the first of them is run.

        Raises:
            Exception: None of them can be run now.
        """

    def run(self, queue_name: str, delivery: Delivery, interruption: Interruption | None = None) -> Outcome:
        """Run a delivery and return how it ended. What a command raises is its outcome, and is not raised.

        Args:
            queue_name: The name of the queue.
            delivery: The delivery.
            interruption: Through which the pool interrupts the command; ``None`` when it cannot.
        """

    def interrupted(self, queue_name: str, delivery: Delivery, error: type[CommandInterrupted]) -> Outcome:
        """Return how a delivery ends whose command was ended by ending its process.

        Args:
            queue_name: The name of the queue.
            delivery: The delivery.
            error: What was to be raised in the command.
        """


@dataclass(frozen=True, slots=True)
class RemoteApplication:
    """How another process comes to what runs deliveries there.

    Attributes:
        factory: Where the callable is that returns it: ``module:name``.
        arguments: What it is called with, by name: JSON values.
    """

    factory: str
    arguments: Mapping[str, Any]

    def load(self) -> RemoteRunner:
        """Make it, in this process.

        Raises:
            Exception: What the application's modules raise while they are imported.
        """
        module, _, name = self.factory.partition(":")
        runner: RemoteRunner = attrgetter(name)(importlib.import_module(module))(**self.arguments)
        return runner
