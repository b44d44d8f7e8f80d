"""A queue in a file, with a result store in another."""

from __future__ import annotations

from huey_sqlite import SQLiteDataStore, SQLiteQueue
from late_run import result_after_a_late_run


def test_a_late_result_is_not_written(tmp_path):
    queue, store = SQLiteQueue("q", path=tmp_path / "queue.db"), SQLiteDataStore("q", path=tmp_path / "results.db")

    assert result_after_a_late_run(queue, store) == b"good"
