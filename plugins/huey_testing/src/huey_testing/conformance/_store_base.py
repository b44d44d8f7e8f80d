"""The fixtures that the promises of data stores share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from huey_testing.conformance._promises import Conformance, unique_name

if TYPE_CHECKING:
    from huey_core.backends import Capability

__all__ = ["StoreFactory", "StoreFixtures"]

StoreFactory = Callable[[str], Any]


class StoreFixtures(Conformance):
    """What a subclass overrides, and what the tests are given."""

    @pytest.fixture
    def make_data_store(self) -> StoreFactory:
        """Return a callable ``(name)`` that makes a data store. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture make_data_store")

    @pytest.fixture
    def declared(self, make_data_store: StoreFactory) -> frozenset[Capability]:
        """The capabilities of the store."""
        capabilities: frozenset[Capability] = make_data_store(unique_name()).capabilities
        return capabilities

    @pytest.fixture
    def new_store(self, make_data_store: StoreFactory) -> Iterator[Callable[..., Any]]:
        """Make stores that are flushed and closed after the test; without a name, each has a name of its own."""
        made: list[Any] = []

        def new(name: str | None = None) -> Any:
            made.append(make_data_store(name or unique_name()))
            return made[-1]

        yield new
        for store in made:
            store.flush()
            store.close()

    @pytest.fixture
    def store(self, new_store: Callable[..., Any]) -> Any:
        """An empty store that nobody else uses."""
        return new_store()
