"""From a URL to a backend, whose module is imported at this moment and not before."""

from __future__ import annotations

from typing import Final

from huey_core.backends.backend import Backend
from huey_core.backends.url import BackendURL
from huey_core.plugins.discovery import BACKENDS
from huey_core.plugins.known import KNOWN_BACKENDS, UNSERVED_SCHEMES
from huey_core.plugins.registry import LazyRegistry
from huey_core.secret import hidden

__all__ = ["backend_class", "backend_registry", "open_backend", "register_backend"]

backend_registry: Final[LazyRegistry[Backend]] = LazyRegistry(
    BACKENDS, Backend, kind="backend", role="URL scheme", known=KNOWN_BACKENDS, unserved=UNSERVED_SCHEMES
)
"""The backends by URL scheme."""


def backend_class(scheme: str) -> type[Backend]:
    """Return the backend of a URL scheme in lower case, or raise a :class:`PluginException` that says why not."""
    return backend_registry.get(scheme)


def open_backend(url: str | BackendURL) -> Backend:
    """Make the backend of a URL. Nothing is connected yet.

    Raises:
        ConfigurationError: The URL or one of its options cannot be read.
        PluginException: No usable backend is installed for its scheme.
    """
    url = hidden(url)
    parsed = BackendURL.parse(url) if isinstance(url, str) else url
    cls = backend_class(parsed.scheme)
    return cls(parsed.with_options(cls.options))


def register_backend(cls: type[Backend], *, replace: bool = False) -> None:
    """Make a backend known in this process under each of its schemes, without a distribution around it.

    Raises:
        PluginConflict: Another class is registered for one of its schemes, and ``replace`` is false.
    """
    for scheme in cls.schemes:
        backend_registry.register(scheme, cls, replace=replace)
