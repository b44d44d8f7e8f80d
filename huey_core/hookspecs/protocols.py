"""What a hook may use of the invoker and of the consumer that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from huey_core.commands.base import CommandInvoker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer
    from huey_core.settings import ConsumerConfig
    from huey_core.snapshot import Snapshot

__all__ = ["ConsumerLike", "InvokerLike", "PluginsLike"]


class PluginsLike(Protocol):
    """The plugins of an application."""

    def names(self) -> list[str]:
        """The names of the plugins, in the order in which they were registered."""


class InvokerLike(CommandInvoker, Protocol):
    """What hooks, and others that the :class:`~huey_core.Invoker` itself needs, may use of it, as it describes it."""

    registry: CommandRegistry
    result_store: BaseDataStore | None
    result_ttl: float | None
    serializer: Serializer
    accepted: Mapping[str, Serializer]
    max_body_size: int

    @property
    def always_eager(self) -> bool:
        """Whether every command is run at once in the caller."""

    @property
    def plugins(self) -> PluginsLike:
        """The plugins of core, those that are installed and those that were given."""

    @property
    def results(self) -> BaseDataStore:
        """The result store, or a ``ConfigurationError``."""

    @property
    def results_expire(self) -> bool:
        """Whether the result store forgets values by itself."""

    def on_queue(self, name: str) -> InvokerLike:
        """The invoker of another queue at the same place; of the name of its own queue itself."""

    def now(self) -> float:
        """The current time in seconds since the epoch, by the queue's clock as far as it is known."""

    def check_joins(self, members: Iterable[QueueCommand] = (), then: QueueCommand | None = None) -> None:
        """Refuse groups of commands, where a queue cannot join them: :class:`~huey_core.exceptions.Unsupported`."""

    def enqueue(self, command: QueueCommand) -> Any:
        """Write another command to the queue, and return the handle on its result."""

    async def aenqueue(self, command: QueueCommand) -> Any:
        """Do that without blocking the event loop."""


class ConsumerLike(Protocol):
    """What a hook may use of the :class:`~huey_core.consumer.Consumer` that it is given, as that describes it."""

    config: ConsumerConfig
    lease: float

    @property
    def invoker(self) -> InvokerLike:
        """The invoker of the first queue that it serves."""

    @property
    def invokers(self) -> Sequence[InvokerLike]:
        """The invokers of all queues that it serves, in the order of the settings."""

    @property
    def name(self) -> str:
        """What it is called among the consumers of its queue."""

    @property
    def workers(self) -> int:
        """How many commands it runs at once."""

    def snapshot(self) -> Snapshot:
        """What it holds and has done."""
