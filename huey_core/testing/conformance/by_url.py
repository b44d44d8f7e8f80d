"""The kit's classes bound to ``--huey-url``, which :mod:`huey_core.testing.plugin` collects when that is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends.backend import Backend
from huey_core.backends.url import BackendURL
from huey_core.plugins.backends import open_backend
from huey_core.testing.conformance.backend import BackendConformance
from huey_core.testing.conformance.data_store import DataStoreConformance
from huey_core.testing.conformance.queue import QueueConformance

if TYPE_CHECKING:
    from huey_core.testing.conformance._queue_base import QueueFactory, StoreFactory

__all__ = ["TestBackend", "TestDataStore", "TestQueue"]

Opener = Callable[..., Backend]


class SecretURL(str):
    """A URL that pytest's tracebacks show without its password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(BackendURL.parse(self).render())


@pytest.fixture(scope="module")
def url(pytestconfig: pytest.Config) -> str:
    """The URL that was given."""
    return SecretURL(pytestconfig.getoption("huey_url"))


@pytest.fixture(scope="module")
def open_at(url: str) -> Iterator[Opener]:
    """Open a backend with some options of the URL replaced, once for each set of them."""
    opened: dict[frozenset[tuple[str, Any]], Backend] = {}
    parsed = BackendURL.parse(url)
    with ExitStack() as backends:

        def open_with(**options: Any) -> Backend:
            key = frozenset(options.items())
            if key not in opened:
                kept = [pair for pair in parsed.query if pair[0] not in options]
                given = [(name, str(value)) for name, value in options.items()]
                backend = open_backend(replace(parsed, query=(*kept, *given)))
                opened[key] = backends.enter_context(closing(backend))
            return opened[key]

        yield open_with


class _Stores:
    @pytest.fixture
    def make_data_store(self, open_at: Opener) -> StoreFactory:
        """Make data stores at the URL."""
        return open_at().data_store


class TestQueue(_Stores, QueueConformance):
    """The queues at the URL."""

    @pytest.fixture
    def make_queue(self, open_at: Opener) -> QueueFactory:
        """Make queues at the URL."""
        return lambda name, **options: open_at(**options).queue(name)


class TestDataStore(_Stores, DataStoreConformance):
    """The data stores at the URL."""


class TestBackend(BackendConformance):
    """The backend at the URL."""

    @pytest.fixture
    def url(self, url: str) -> str:
        """The URL that was given."""
        return url
