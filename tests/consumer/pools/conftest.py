"""Consumers whose commands are tasks of an event loop."""

from __future__ import annotations

import pytest

PATIENCE = 30.0


@pytest.fixture
def in_a_loop(invoker, run_consumer):
    """A consumer of the test's invoker, with room for ten commands."""

    def start(**settings):
        return run_consumer(invoker, worker_type="asyncio", **{"workers": 10, **settings})

    return start


@pytest.fixture
def get():
    def get(handle):
        return handle.get(blocking=True, timeout=PATIENCE)

    return get
