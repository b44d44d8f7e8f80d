"""One scan of the installed metadata per process: which plugins there are, without importing any of them.

This is the only module that imports ``importlib_metadata``, and it does so at the first look-up, because the import
and the scan cost tens of milliseconds that a program without plugins need not pay.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BACKENDS", "GROUPS", "PLUGINS", "SERIALIZERS", "WORKERS", "Entry", "entries", "scan"]

BACKENDS: Final = "huey_core.backends"
"""The entry-point group of backends: URL scheme -> a ``Backend`` class."""

SERIALIZERS: Final = "huey_core.serializers"
"""The entry-point group of serializers: name -> a ``Serializer`` class."""

WORKERS: Final = "huey_core.workers"
"""The entry-point group of worker pools: name -> a ``WorkerPool`` class."""

PLUGINS: Final = "huey_core.plugins"
"""The entry-point group of hook implementations: plugin name -> a module or an object."""

GROUPS: Final = (BACKENDS, SERIALIZERS, WORKERS, PLUGINS)
"""Every entry-point group that huey-core reads."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry point of an installed distribution.

    Attributes:
        group: One of :data:`GROUPS`.
        name: The entry point's name. A ``+`` of a URL scheme is written ``.`` in it.
        value: What it names, as ``package.module:attribute`` or ``package.module``.
        distribution: The name of the distribution that declares it.
        version: The version of that distribution.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def label(self) -> str:
        """The name as people write it: a URL scheme has its ``+`` back."""
        return self.name.replace(".", "+") if self.group == BACKENDS else self.name

    @property
    def source(self) -> str:
        """The distribution and its version, as in ``huey-redis 0.1.0``."""
        return f"{self.distribution} {self.version}"

    @property
    def is_well_named(self) -> bool:
        """Whether the name can be found: URL schemes are lower-cased, so every plugin's name has to be lower case."""
        return self.name == self.name.lower()


class _Distribution(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...


class _EntryPoint(Protocol):
    group: str
    name: str
    value: str
    dist: _Distribution


def entries(group: str) -> tuple[Entry, ...]:
    """List the entry points of one group, sorted by distribution and name, so never by the order of ``sys.path``."""
    return tuple(entry for entry in scan() if entry.group == group)


@functools.cache
def scan() -> tuple[Entry, ...]:
    """Find the entry points of all groups, once for the process."""
    import importlib_metadata

    found = cast("Iterable[_EntryPoint]", importlib_metadata.entry_points())
    unique = {_describe(point) for point in found if point.group in GROUPS}
    return tuple(sorted(unique, key=lambda entry: (entry.distribution, entry.name, entry.group, entry.value)))


def _describe(point: _EntryPoint) -> Entry:
    name: str | None = None
    version: str | None = None
    # A foreign distribution may be damaged in any way, and must not hide the others.
    with suppress(Exception):
        name, version = point.dist.name, point.dist.version
    return Entry(point.group, point.name, point.value, name or "unknown distribution", version or "?")
