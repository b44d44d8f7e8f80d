"""The thread pool keeps every promise of a worker pool."""

from __future__ import annotations

import pytest

from huey_core.consumer.pools import ThreadPool
from huey_testing.conformance import WorkerPoolConformance


class TestThreadPool(WorkerPoolConformance):
    @pytest.fixture
    def make_pool(self):
        return ThreadPool
