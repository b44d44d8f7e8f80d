"""What to install for a name. An uninstalled plugin cannot speak for itself, so these tables speak for it."""

from __future__ import annotations

from typing import Final

__all__ = [
    "KNOWN_BACKENDS",
    "KNOWN_COMMANDS",
    "KNOWN_OPTIONS",
    "KNOWN_SERIALIZERS",
    "UNSERVED_SCHEMES",
    "UNSERVED_WORKERS",
]

KNOWN_BACKENDS: Final = {
    "memory": "huey-memory",
    "mongodb": "huey-mongo",
    "mongodb+srv": "huey-mongo",
    "redis": "huey-redis",
    "redis+unix": "huey-redis",
    "rediss": "huey-redis",
    "sqlite": "huey-sqlite",
}
"""The distribution to suggest for a URL scheme, sorted by scheme. A plugin works without being listed here."""

UNSERVED_SCHEMES: Final = {
    "redis+cluster": "huey-redis does not speak to Redis Cluster yet; use the redis:// URL of a server on its own",
    "redis+sentinel": "huey-redis does not speak to Redis Sentinel yet; use the redis:// URL of the primary",
}
"""What to say of a URL scheme that people may expect and that no plugin known here serves, sorted by scheme."""

KNOWN_SERIALIZERS: Final = {
    "msgpack": "huey-msgpack",
    "zstd": "huey-zstd",
}
"""The distribution to suggest for a serializer's name, sorted by name. A plugin works without being listed here."""

UNSERVED_WORKERS: Final = {
    "greenlet": "core has no greenlets; use the worker pool 'thread'",
}
"""What to say of a worker pool that people may expect and that no plugin known here offers, sorted by name."""

KNOWN_COMMANDS: Final = {
    "new-plugin": "huey-testing",
}
"""The distribution to suggest for a command of ``huey``, sorted by name. A plugin works without being listed here."""

KNOWN_OPTIONS: Final[dict[str, str]] = {}
"""The distribution to suggest for an option of a command, sorted by option. A plugin works without being listed here.

A distribution is listed when it is published: until then, anybody could publish another one under its name.
"""
