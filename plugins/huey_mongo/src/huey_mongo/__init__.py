"""The MongoDB backend of huey-core: ``mongodb://`` and ``mongodb+srv://``."""

from __future__ import annotations

from huey_mongo._version import __version__
from huey_mongo.backend import MongoBackend
from huey_mongo.data_store import MongoDataStore
from huey_mongo.queue import MongoQueue

__all__ = ["MongoBackend", "MongoDataStore", "MongoQueue", "__version__"]
