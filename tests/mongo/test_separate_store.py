"""A queue in MongoDB, or a result store in MongoDB, without the other."""

from __future__ import annotations

import pytest

from huey_memory import MemoryDataStore, MemoryQueue
from late_run import result_after_a_late_run


@pytest.mark.parametrize("pair", ["mongo and memory", "memory and mongo", "mongo and mongo"])
def test_a_late_result_is_not_written(pair, queue, store, server, new_backend):
    elsewhere = new_backend(server.url("elsewhere")).data_store("elsewhere")
    in_memory = MemoryQueue("q", space=__name__), MemoryDataStore("q", space=f"{__name__}.store")
    pairs = {
        "mongo and memory": (queue, in_memory[1]),
        "memory and mongo": (in_memory[0], store),
        "mongo and mongo": (queue, elsewhere),
    }

    assert result_after_a_late_run(*pairs[pair]) == b"good"
