"""The Redis and Valkey backend of huey-core: ``redis://``, ``rediss://`` and ``redis+unix://``."""

from __future__ import annotations

from huey_redis._version import __version__
from huey_redis.backend import RedisBackend
from huey_redis.data_store import RedisDataStore
from huey_redis.queue import RedisQueue

__all__ = ["RedisBackend", "RedisBlockingQueue", "RedisDataStore", "RedisQueue", "__version__"]

RedisBlockingQueue = RedisQueue
"""The original API's name of a queue that waits for messages, as every :class:`RedisQueue` does."""
