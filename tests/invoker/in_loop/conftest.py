"""Invokers that write to a watched queue."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_memory import MemoryDataStore
from watched_queue import Refusing, WatchedQueue


@pytest.fixture
def queue():
    queue = WatchedQueue()
    yield queue
    queue.flush()


@pytest.fixture
def make_invoker(queue):
    def make(**settings):
        settings.setdefault("registry", CommandRegistry())
        return Invoker(queue, MemoryDataStore("watched"), MemoryDataStore("watched-tasks"), **settings)

    return make


@pytest.fixture
def invoker(make_invoker):
    return make_invoker(plugins=[Refusing()])


@pytest.fixture
def add(invoker):
    @queue_command(invoker, name="add")
    def add(a, b=0):
        return a + b

    return add
