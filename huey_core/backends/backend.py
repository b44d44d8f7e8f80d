"""What a backend plugin's entry point names: a class that turns a URL into queues and data stores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from huey_core.exceptions import Unsupported

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore, BaseQueue
    from huey_core.backends.capabilities import Capability
    from huey_core.backends.options import Option
    from huey_core.backends.url import BackendURL

__all__ = ["HUEY_PLUGIN_API", "Backend"]

HUEY_PLUGIN_API: Final = 1
"""The version of the plugin API. A plugin that declares another one is refused by name."""


class Backend(ABC):
    """One server (or file, or process memory), with queues and data stores that share its connections.

    Creating a backend makes no connection. Third-party backends subclass this and name the class in the entry-point
    group ``huey_core.backends``, once per URL scheme (``+`` in a scheme is written ``.`` in the entry point's name).

    Args:
        url: The parsed URL; its :attr:`~huey_core.backends.url.BackendURL.options` hold the typed values of
            :attr:`options` and of the options common to all backends.
    """

    schemes: ClassVar[tuple[str, ...]]
    """The URL schemes that this backend answers to, lower case."""

    api_version: ClassVar[int]
    """The :data:`HUEY_PLUGIN_API` that the plugin was written for."""

    options: ClassVar[tuple[Option, ...]] = ()
    """The query options that this backend understands, beside the common ones."""

    capabilities: ClassVar[frozenset[Capability]]
    """What the queues and data stores of this backend promise."""

    def __init__(self, url: BackendURL) -> None:
        self.url = url

    @abstractmethod
    def queue(self, name: str) -> BaseQueue:
        """Return a queue of this name."""

    @abstractmethod
    def data_store(self, name: str) -> BaseDataStore:
        """Return a data store of this name."""

    @abstractmethod
    def ping(self) -> None:
        """Ask the server whether it answers, and raise what the driver raises when it does not."""

    def describe(self) -> dict[str, str]:
        """What an operator wants to know of the server: its product, version and durability, as short texts."""
        return {}

    def warnings(self) -> list[str]:
        """Settings of the server that endanger messages, one sentence each, shown when a consumer starts."""
        return []

    def set_up(self) -> list[str]:
        """Make what must be there before the first message, for ``huey setup``: tables, indexes, rights.

        For a server on which a consumer may have fewer rights than who installs it. What is there already is left
        alone. By default there is nothing to make.

        Returns:
            What is there now, a line each.
        """
        return []

    def queue_names(self) -> list[str]:
        """The names of the queues that have messages, or are paused, sorted.

        Raises:
            Unsupported: The backend does not have :attr:`Capability.LIST_QUEUES
                <huey_core.backends.capabilities.Capability>`.
        """
        raise Unsupported(f"{type(self).__module__}.{type(self).__qualname__} has no 'list_queues'")

    def close(self) -> None:
        """Give back connections, and end what waits for them. Does nothing by default.

        The queues and stores of this backend are of no more use then: every call that needs the connections raises,
        each watch of a key is called a last time, and a wait for a key or for a message that goes on in another thread
        ends soon, with that error. Other backends of the same URL are not touched. Closing again does nothing. A
        backend that holds nothing which could be given back has nothing to override, and its queues and stores go on
        to work.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
