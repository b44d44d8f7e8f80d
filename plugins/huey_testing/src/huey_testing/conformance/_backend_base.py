"""The fixtures that the promises of backends share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from huey_core.plugins import open_backend
from huey_testing.conformance._promises import Conformance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.backends import Backend, Capability

__all__ = ["BackendFixtures"]


class BackendFixtures(Conformance):
    """What a subclass overrides, and what the tests are given."""

    @pytest.fixture
    def url(self) -> str:
        """Return the URL of a server that is there. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture url; see huey_testing.conformance")

    @pytest.fixture
    def declared(self, backend: Backend) -> frozenset[Capability]:
        """The capabilities of the backend."""
        return backend.capabilities

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        """A backend of that URL."""
        backend = open_backend(url)
        yield backend
        backend.close()
