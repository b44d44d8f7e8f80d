"""huey-memory keeps the contract; a clock that the tests move lets leases end in no time."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings

from huey_testing.conformance import BackendConformance, DataStoreConformance, QueueConformance
from kit import ByAClockThatMoves


class TestMemoryQueue(ByAClockThatMoves, QueueConformance):
    histories = settings(QueueConformance.histories, max_examples=300, phases=list(Phase))


class TestMemoryDataStore(ByAClockThatMoves, DataStoreConformance):
    pass


class TestMemoryBackend(BackendConformance):
    @pytest.fixture
    def url(self):
        return "memory://conformance/"
