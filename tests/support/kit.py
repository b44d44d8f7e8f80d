"""Fixtures that test classes of the conformance kit have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from huey_memory.space import Space

__all__ = ["ByAClockThatMoves", "PartsOfConftest"]


class PartsOfConftest:
    """Queues and data stores are those that the fixtures of ``conftest.py`` make."""

    @pytest.fixture
    def make_queue(self, make_queue: Callable[..., Any]) -> Callable[..., Any]:
        return make_queue

    @pytest.fixture
    def make_data_store(self, make_data_store: Callable[..., Any]) -> Callable[..., Any]:
        return make_data_store

    @pytest.fixture
    def count_records(self, count_records: Callable[[], int]) -> Callable[[], int]:
        return count_records


class ByAClockThatMoves:
    """Queues and data stores in memory, where leases end in no time."""

    queue_class: ClassVar[type] = MemoryQueue
    data_store_class: ClassVar[type] = MemoryDataStore

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def make_queue(self, clock: ManualClock) -> Callable[..., Any]:
        return lambda name, **options: self.queue_class(name, clock=clock, **options)

    @pytest.fixture
    def make_data_store(self, clock: ManualClock) -> Callable[..., Any]:
        return lambda name: self.data_store_class(name, clock=clock)

    @pytest.fixture
    def advance(self, clock: ManualClock) -> Callable[[float], None]:
        return clock.advance

    @pytest.fixture
    def count_records(self, clock: ManualClock) -> Callable[[], int]:
        space = Space.named("", clock)
        return lambda: (
            sum(len(line.messages._holders) + len(line.messages) for line in space._lines.values())
            + sum(len(drawer.values) for drawer in space._drawers.values())
        )
