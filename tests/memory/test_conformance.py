"""huey-memory keeps the contract; a clock that the tests move lets leases end in no time."""

from __future__ import annotations

import pytest
from hypothesis import settings

from huey_core.testing.conformance import BackendConformance, DataStoreConformance, QueueConformance
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestMemoryQueue(QueueConformance):
    histories = settings(QueueConformance.histories, max_examples=300)

    @pytest.fixture
    def make_queue(self, clock):
        return lambda name, **options: MemoryQueue(name, clock=clock, **options)

    @pytest.fixture
    def make_data_store(self, clock):
        return lambda name: MemoryDataStore(name, clock=clock)

    @pytest.fixture
    def advance(self, clock):
        return clock.advance


class TestMemoryDataStore(DataStoreConformance):
    @pytest.fixture
    def make_data_store(self, clock):
        return lambda name: MemoryDataStore(name, clock=clock)

    @pytest.fixture
    def advance(self, clock):
        return clock.advance


class TestMemoryBackend(BackendConformance):
    @pytest.fixture
    def url(self):
        return "memory://conformance/"
