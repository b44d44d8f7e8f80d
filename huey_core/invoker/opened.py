"""The backends that an invoker opened from URLs, one for each URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError
from huey_core.plugins.backends import open_backend
from huey_core.secret import hidden

if TYPE_CHECKING:
    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue

__all__ = ["STATE_PREFIX", "OpenedBackends"]

STATE_PREFIX: Final = "huey-state:"
"""What the name of a store for the consumer's own state begins with; the queue's name follows."""


class OpenedBackends:
    """Opens queues and stores at URLs; equal URLs share a backend, and with it the connections.

    The options of a URL name the queue (``queue``) and the result store (``results``, by default the queue's name).
    The consumer's own state lies beside them in a store of its own, ``huey-state:QUEUE``. No queue or result store may
    have a name that begins so: a store of results that is also the store of state would mix the two up.
    """

    def __init__(self) -> None:
        self._by_url: dict[str, Backend] = {}

    def at(self, url: str) -> Backend:
        """The backend at a URL; see :func:`~huey_core.plugins.backends.open_backend`."""
        url = hidden(url)
        if url not in self._by_url:
            backend = open_backend(url)
            for option in ("queue", "results"):
                if (backend.url.options[option] or "").startswith(STATE_PREFIX):
                    raise ConfigurationError(
                        f"{option}= must not begin with {STATE_PREFIX!r}: such names are kept for state"
                    )
            self._by_url[url] = backend
        return self._by_url[url]

    def queue(self, url: str) -> BaseQueue:
        """The queue that a URL names."""
        url = hidden(url)
        backend = self.at(url)
        return backend.queue(backend.url.options["queue"])

    def result_store(self, url: str) -> BaseDataStore | None:
        """The result store that a URL names; ``None`` where it says ``results=none``."""
        url = hidden(url)
        backend = self.at(url)
        name: str = backend.url.options["results"] or backend.url.options["queue"]
        return None if name.lower() == "none" and backend.url.options["results"] else backend.data_store(name)

    def task_store(self, url: str) -> BaseDataStore:
        """The store for the consumer's own state at a URL."""
        url = hidden(url)
        backend = self.at(url)
        return backend.data_store(f"{STATE_PREFIX}{backend.url.options['queue']}")

    def all(self) -> list[Backend]:
        """The backends that were opened."""
        return list(self._by_url.values())

    def close(self) -> None:
        """Close them all."""
        for backend in self._by_url.values():
            backend.close()
