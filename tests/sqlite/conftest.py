"""Files for the tests of huey-sqlite, a clock that they can move, and processes that they can kill."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from huey_sqlite import SQLiteDataStore, SQLiteQueue
from huey_sqlite.database import Database
from huey_sqlite.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "huey.db"


@pytest.fixture
def open_database(path: Path) -> Iterator[Callable[..., Database]]:
    """Open the file anew, as another process would; ``clock`` and settings may be given."""
    opened: list[Database] = []

    def new(*, clock: Callable[[], float] = time.time, **settings: Any) -> Database:
        opened.append(Database(Settings(**{"path": path, **settings}), clock))
        return opened[-1]

    yield new
    for database in opened:
        database.close()


@pytest.fixture
def make_queue(open_database: Callable[..., Database]) -> Callable[..., SQLiteQueue]:
    """Make queues in the file, each over connections of its own."""
    return lambda name="q", max_deliveries=5, **settings: SQLiteQueue(
        name, max_deliveries=max_deliveries, database=open_database(**settings)
    )


@pytest.fixture
def make_data_store(open_database: Callable[..., Database]) -> Callable[..., SQLiteDataStore]:
    """Make data stores in the file, each over connections of its own."""
    return lambda name="r", **settings: SQLiteDataStore(name, database=open_database(**settings))


@pytest.fixture
def count_records(path: Path) -> Callable[[], int]:
    """Count the rows of all tables."""

    def count() -> int:
        with closing(sqlite3.connect(path)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            counts = [connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables]
        return sum(counts)

    return count


@pytest.fixture
def traced() -> Callable[[SQLiteQueue], AbstractContextManager[list[str]]]:
    """Collect the statements that are run over the connection of a queue that one thread uses."""

    @contextmanager
    def trace(queue: SQLiteQueue) -> Iterator[list[str]]:
        statements: list[str] = []
        with queue.database.read() as connection:
            connection.set_trace_callback(statements.append)
        yield statements
        with queue.database.read() as connection:
            connection.set_trace_callback(None)

    return trace
