"""What to install for a URL scheme. An uninstalled plugin cannot speak for itself, so this table speaks for it."""

from __future__ import annotations

from typing import Final

__all__ = ["KNOWN_BACKENDS"]

KNOWN_BACKENDS: Final = {
    "memory": "huey-memory",
    "mongodb": "huey-mongo",
    "mongodb+srv": "huey-mongo",
    "redis": "huey-redis",
    "redis+cluster": "huey-redis",
    "redis+sentinel": "huey-redis",
    "redis+unix": "huey-redis",
    "rediss": "huey-redis",
    "sqlite": "huey-sqlite",
}
"""The distribution to suggest for a URL scheme, sorted by scheme. A plugin works without being listed here."""
