"""The kit's classes bound to ``--huey-url``, which :mod:`huey_testing.plugin` collects when that is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from huey_core.backends import Backend, BackendURL
from huey_core.exceptions import PluginException
from huey_core.plugins import backend_registry, open_backend
from huey_testing.conformance.backend import BackendConformance
from huey_testing.conformance.data_store import DataStoreConformance
from huey_testing.conformance.queue import QueueConformance
from huey_testing.report import tag_backend

if TYPE_CHECKING:
    from huey_testing.conformance._queue_base import QueueFactory, StoreFactory

__all__ = ["TestBackend", "TestDataStore", "TestQueue"]

Opener = Callable[..., Backend]


class SecretURL(str):
    """A URL that pytest's tracebacks show without its password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(BackendURL.parse(self).render())


@pytest.fixture(scope="module")
def given_url(pytestconfig: pytest.Config) -> str:
    """The URL that was given."""
    return SecretURL(pytestconfig.getoption("huey_url"))


@pytest.fixture(scope="module")
def open_at(given_url: str) -> Iterator[Opener]:
    """Open a backend with some options of the URL replaced, once for each set of them."""
    opened: dict[frozenset[tuple[str, Any]], Backend] = {}
    parsed = BackendURL.parse(given_url)
    with ExitStack() as stack:

        def open_with(**options: Any) -> Backend:
            key = frozenset(options.items())
            if key not in opened:
                kept = [pair for pair in parsed.query if pair[0] not in options]
                given = [(name, str(value)) for name, value in options.items()]
                backend = open_backend(replace(parsed, query=(*kept, *given)))
                opened[key] = stack.enter_context(closing(backend))
            return opened[key]

        yield open_with


@pytest.fixture(scope="module")
def described(given_url: str) -> dict[str, str]:
    """What is tested: the plugin and its version, and of the server what every backend reports in the same words."""
    # A backend of its own, so that none of its connections is taken for one that a test made.
    with closing(open_backend(given_url)) as backend:
        found = {"scheme": backend.url.scheme, "plugin": type(backend).__qualname__}
        with suppress(PluginException):
            found["plugin"] = backend_registry.find(backend.url.scheme).source
        # A server that is away, or a backend that cannot describe it, is what the tests themselves report.
        with suppress(Exception):
            server = backend.describe()
            found |= {name: server[name] for name in ("product", "version") if name in server}
    return found


@pytest.fixture(autouse=True)
def _say_what_is_tested(request: pytest.FixtureRequest, described: dict[str, str]) -> None:
    tag_backend(request.node, described)


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
    def url(self, given_url: str) -> str:
        """The URL that was given."""
        return given_url
