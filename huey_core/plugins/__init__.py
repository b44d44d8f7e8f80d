"""Finding, choosing and loading plugins. Nothing here runs when ``huey_core`` is imported.

Backends, serializers and worker pools are looked up by name, one of many, and are imported when they are asked for
(:mod:`~huey_core.plugins.registry`). Hooks go to everyone who implements them, through pluggy
(:mod:`~huey_core.plugins.manager`). Both stand on one scan of the installed metadata
(:mod:`~huey_core.plugins.discovery`), which imports no plugin.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.plugins.backends import backend_class, backend_registry, open_backend, register_backend
from huey_core.plugins.discovery import BACKENDS, PLUGINS, SERIALIZERS, WORKERS, Entry, entries
from huey_core.plugins.known import KNOWN_BACKENDS, KNOWN_COMMANDS, KNOWN_OPTIONS, KNOWN_SERIALIZERS
from huey_core.plugins.manager import PluginManager
from huey_core.plugins.selection import normalise
from huey_core.plugins.serializers import register_serializer, serializer, serializer_registry
from huey_core.plugins.workers import register_worker_pool, worker_pool_registry

__all__ = [
    "BACKENDS",
    "KNOWN_BACKENDS",
    "KNOWN_COMMANDS",
    "KNOWN_OPTIONS",
    "KNOWN_SERIALIZERS",
    "PLUGINS",
    "SERIALIZERS",
    "WORKERS",
    "Entry",
    "PluginManager",
    "backend_class",
    "backend_registry",
    "entries",
    "normalise",
    "open_backend",
    "register_backend",
    "register_serializer",
    "register_worker_pool",
    "serializer",
    "serializer_registry",
    "worker_pool_registry",
]
