"""A backend for huey-core in one SQLite file: ``sqlite:///relative/path`` or ``sqlite:////absolute/path``."""

from __future__ import annotations

from huey_sqlite._version import __version__
from huey_sqlite.backend import SQLiteBackend
from huey_sqlite.data_store import SQLiteDataStore
from huey_sqlite.queue import SQLiteQueue

__all__ = ["SQLiteBackend", "SQLiteDataStore", "SQLiteQueue", "__version__"]
