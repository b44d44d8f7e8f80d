"""A queue of the project, of any backend, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from huey_core.backends import Capability
from huey_core.secret import is_secret_name
from huey_core.text import printable
from huey_django.eager import EagerQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends import Backend, LeasedQueue
    from huey_django.invoker import DjangoInvoker

__all__ = ["ProjectQueue"]


@dataclass(frozen=True)
class ProjectQueue:
    """A queue of the project.

    Attributes:
        key: Its name in the project: ``default``, or one that ``TASKS`` names.
        invoker: Its invoker.
        backends: What was opened from URLs for it.
    """

    key: str
    invoker: DjangoInvoker
    backends: Sequence[Backend] = ()

    @property
    def name(self) -> str:
        """The queue's name on the server."""
        return self.invoker.queue.name

    @property
    def backend(self) -> str:
        """Where it is: the URL without password and options, or else the class of the queue."""
        if self.backends:
            return str(replace(self.backends[0].url, query=()))
        kind = type(self.invoker.queue)
        return f"{kind.__module__}.{kind.__qualname__}"

    @property
    def runs_at_once(self) -> bool:
        """Whether there is no queue, because every command runs where it is called."""
        return isinstance(self.invoker.queue, EagerQueue)

    @property
    def leased(self) -> LeasedQueue | None:
        """The queue, if its messages can be listed."""
        queue = self.invoker.leased_queue
        return queue if queue is not None and Capability.INSPECT in queue.capabilities else None

    @property
    def can_pause(self) -> bool:
        """Whether it can be paused for all consumers."""
        return self.invoker.leased_queue is not None and Capability.PAUSE in self.invoker.queue.capabilities

    def explain(self, error: Exception) -> str:
        """What a driver raised, without a password."""
        text = f"{type(error).__name__}: {error}"
        for backend in self.backends:
            text = backend.url.hide_password(text)
        for name, value in self.invoker.queue.connection.items():
            if isinstance(value, str) and value and is_secret_name(name):
                text = text.replace(value, "***")
        return printable(text)
