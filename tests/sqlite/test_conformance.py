"""huey-sqlite keeps every promise of the contract, by the clock of the machine and by one that is moved."""

from __future__ import annotations

import pytest
from hypothesis import settings

from huey_testing.conformance import BackendConformance, DataStoreConformance, QueueConformance
from kit import PartsOfConftest


class TestSQLiteQueue(PartsOfConftest, QueueConformance):
    pass


class TestSQLiteQueueByAnotherClock(QueueConformance):
    """With a clock that moves, leases and delays end during the random histories too."""

    histories = settings(QueueConformance.histories, max_examples=100)

    @pytest.fixture
    def make_queue(self, make_queue, clock):
        return lambda name, **options: make_queue(name, clock=clock, **options)

    @pytest.fixture
    def make_data_store(self, make_data_store, clock):
        return lambda name: make_data_store(name, clock=clock)

    @pytest.fixture
    def advance(self, clock):
        return clock.advance

    @pytest.fixture
    def count_records(self, count_records):
        return count_records


class TestSQLiteDataStore(PartsOfConftest, DataStoreConformance):
    pass


class TestSQLiteBackend(BackendConformance):
    """A file, by its URL."""

    @pytest.fixture
    def url(self, path):
        return f"sqlite:///{path}"
