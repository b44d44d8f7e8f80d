"""The worker pools of core keep every promise of a worker pool."""

from __future__ import annotations

import pytest

from huey_core.consumer.pools.asyncio import AsyncioPool
from huey_core.consumer.pools.process import ProcessPool
from huey_core.consumer.pools.thread import ThreadPool
from huey_testing.conformance import WorkerPoolConformance


class TestThreadPool(WorkerPoolConformance):
    @pytest.fixture
    def make_pool(self):
        return ThreadPool


class TestAsyncioPool(WorkerPoolConformance):
    @pytest.fixture
    def make_pool(self):
        return AsyncioPool


class TestProcessPool(WorkerPoolConformance):
    @pytest.fixture
    def make_pool(self):
        return ProcessPool
