"""The backends that an invoker opened from URLs, one for each URL, and the queues and stores that it has there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from huey_core.backends.queue_names import STATE_PREFIX, check_queue_name
from huey_core.plugins.backends import open_backend
from huey_core.secret import hidden

if TYPE_CHECKING:
    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue

__all__ = ["OpenedBackends", "Parts"]


class OpenedBackends:
    """Opens queues and stores at URLs; equal URLs share a backend, and with it the connections.

    The options of a URL name the queue (``queue``) and the result store (``results``, by default the queue's name).
    The consumer's own state lies beside them in a store of its own, ``huey-state:QUEUE``.
    """

    def __init__(self) -> None:
        self._by_url: dict[str, Backend] = {}

    def at(self, url: str) -> Backend:
        """The backend at a URL; see :func:`~huey_core.plugins.backends.open_backend`.

        Raises:
            ConfigurationError: It also names a queue, or a store of results, as nothing may be called.
        """
        url = hidden(url)
        if url not in self._by_url:
            backend = open_backend(url)
            for option in ("queue", "results"):
                if (given := backend.url.options[option]) is not None:
                    check_queue_name(f"{option}=", given)
            self._by_url[url] = backend
        return self._by_url[url]

    def queue(self, url: str, name: str | None = None) -> BaseQueue:
        """The queue of a name at a URL; of that which the URL gives when ``None``."""
        backend = self.at(url)
        return backend.queue(name or backend.url.options["queue"])

    def result_store(self, url: str, name: str | None = None) -> BaseDataStore | None:
        """The store at a URL for the results of a queue; ``None`` where it says ``results=none``."""
        backend = self.at(url)
        results: str | None = backend.url.options["results"]
        if results is not None and results.lower() == "none":
            return None
        return backend.data_store(results or name or backend.url.options["queue"])

    def task_store(self, url: str, name: str | None = None) -> BaseDataStore:
        """The store at a URL for the state of a queue's consumers."""
        backend = self.at(url)
        return backend.data_store(f"{STATE_PREFIX}{name or backend.url.options['queue']}")

    def all(self) -> list[Backend]:
        """The backends that were opened."""
        return list(self._by_url.values())

    def close(self) -> None:
        """Close them all."""
        for backend in self._by_url.values():
            backend.close()


class Parts:
    """What an invoker was given for its queue and its stores, and what those of another queue are.

    Another queue is where the URL says, or :meth:`beside <huey_core.backends.BaseQueue.sibling>` the one that was given
    as an object. Its stores are those that the URL would name with ``queue=`` of its name, so that whoever writes there
    and whoever was set up for that queue alone agree. A store that was given as an object, or by another URL that does
    not name the queue, is one for all queues.

    Args:
        opened: Where URLs are opened.
        queue: The queue, or its URL.
        result_store: The result store, or its URL; ``None`` for none.
        task_store: The task store, or its URL; ``None`` for none.

    Attributes:
        queue: The queue.
        result_store: The result store.
        task_store: The task store.
    """

    def __init__(
        self,
        opened: OpenedBackends,
        queue: BaseQueue | str,
        result_store: BaseDataStore | str | None,
        task_store: BaseDataStore | str | None,
    ) -> None:
        self._opened = opened
        self._given = queue, result_store, task_store
        self._beside: dict[str, Parts] = {}
        self.queue = opened.queue(queue) if isinstance(queue, str) else queue
        self.result_store: BaseDataStore | None = (
            opened.result_store(result_store) if isinstance(result_store, str) else result_store
        )
        self.task_store: BaseDataStore | None = (
            opened.task_store(task_store) if isinstance(task_store, str) else task_store
        )

    def beside(self, name: str) -> Parts:
        """The queue of another name, with its stores; the same objects for the same name."""
        if name not in self._beside:
            opened, (queue, result_store, task_store) = self._opened, self._given
            self._beside[name] = Parts(
                opened,
                opened.queue(queue, name) if isinstance(queue, str) else queue.sibling(name),
                opened.result_store(result_store, name) if self._names_queue(result_store) else self.result_store,
                opened.task_store(task_store, name) if self._names_queue(task_store) else self.task_store,
            )
        return self._beside[name]

    def _names_queue(self, given: BaseDataStore | str | None) -> TypeGuard[str]:
        """Whether a store's URL says of which queue it is the store."""
        if not isinstance(given, str):
            return False
        return given == self._given[0] or ("queue", self.queue.name) in self._opened.at(given).url.query
