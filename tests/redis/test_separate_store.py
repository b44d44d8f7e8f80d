"""A queue on Redis, or a result store on Redis, without the other."""

from __future__ import annotations

import pytest

from huey_memory import MemoryDataStore, MemoryQueue
from huey_redis import RedisDataStore
from late_run import result_after_a_late_run


@pytest.fixture
def elsewhere(server):
    """A result store in another database of the server, which one step with the queue cannot reach."""
    store = RedisDataStore("elsewhere", host="127.0.0.1", port=server.port, db=1)
    yield store
    store.close()


@pytest.mark.parametrize("pair", ["redis and memory", "memory and redis", "redis and redis"])
def test_a_late_result_is_not_written(pair, queue, store, elsewhere):
    in_memory = MemoryQueue("q", space=__name__), MemoryDataStore("q", space=f"{__name__}.store")
    pairs = {
        "redis and memory": (queue, in_memory[1]),
        "memory and redis": (in_memory[0], store),
        "redis and redis": (queue, elsewhere),
    }

    assert result_after_a_late_run(*pairs[pair]) == b"good"
