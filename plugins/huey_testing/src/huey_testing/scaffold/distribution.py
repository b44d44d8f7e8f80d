"""A new distribution: its names, checked, and its files, made from the templates in this package.

A template is a file ``templates/KIND/PATH.template`` or ``templates/common/PATH.template``; a folder ``package`` in its
path stands for the name of the package. Its text is a :class:`string.Template`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final, assert_never

from huey_core import __version__
from huey_core.backends import HUEY_PLUGIN_API, BaseQueue, LeasedQueue
from huey_core.exceptions import ConfigurationError
from huey_core.plugins import (
    BACKENDS,
    KNOWN_BACKENDS,
    KNOWN_COMMANDS,
    KNOWN_OPTIONS,
    KNOWN_SERIALIZERS,
    PLUGINS,
    SERIALIZERS,
    WORKERS,
    backend_registry,
    entries,
    normalise,
    serializer_registry,
    worker_pool_registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from huey_core.plugins import Entry

__all__ = ["Kind", "NewDistribution"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9]*([+.-][a-z0-9]+)*")
_LONGEST: Final = 30
"""The most characters of a name, so that no line of the templates becomes longer than the linter allows."""

_TAKEN: Final = {cls.__name__.removesuffix("Queue").lower(): cls.__name__ for cls in (BaseQueue, LeasedQueue)}

_PUBLISHED: Final = {
    "huey-core",
    "huey-django",
    *KNOWN_BACKENDS.values(),
    *KNOWN_SERIALIZERS.values(),
    *KNOWN_COMMANDS.values(),
    *KNOWN_OPTIONS.values(),
}

_SUFFIX: Final = ".template"


class Kind(StrEnum):
    """The kinds of plugins."""

    BACKEND = "backend"
    SERIALIZER = "serializer"
    WORKERS = "workers"
    FEATURE = "feature"
    HOOKS = "hooks"


_GROUPS: Final = {
    Kind.BACKEND: BACKENDS,
    Kind.SERIALIZER: SERIALIZERS,
    Kind.WORKERS: WORKERS,
    Kind.FEATURE: PLUGINS,
    Kind.HOOKS: PLUGINS,
}
_DESCRIPTIONS: Final = {
    Kind.BACKEND: "A backend for huey-core: task queues at {name}:// URLs.",
    Kind.SERIALIZER: "The serializer {name} for huey-core.",
    Kind.WORKERS: "The worker pool {name} for huey-core.",
    Kind.FEATURE: "An option for the commands of huey-core: those that take longer than it says are logged.",
    Kind.HOOKS: "Hooks for huey-core: tells which commands are slow, and how many have failed.",
}


@dataclass(frozen=True, slots=True)
class NewDistribution:
    """A distribution with one plugin, before it is written.

    Args:
        name: The plugin's name: a URL scheme, the name of a serializer or a worker pool, or of a plugin with a feature
            or hooks.
        kind: What it offers.
        scheme: The scheme of a backend's URLs, where it is not its name.

    Raises:
        ConfigurationError: The name or the scheme cannot be used; the message says why, and offers one that can.
    """

    name: str
    kind: Kind
    scheme: str = ""

    def __post_init__(self) -> None:
        if not _is_valid(self.name):
            raise ConfigurationError(
                f"a plugin cannot be called {self.name!r}: a name is a lower-case letter, followed by lower-case "
                f"letters, digits and single hyphens, and has at most {_LONGEST} characters{_suggest(self.name)}"
            )
        if self.name.startswith("huey-"):
            raise ConfigurationError(
                f"the name of a plugin does not begin with 'huey-', which its distribution gets; "
                f"write {self.name.removeprefix('huey-')!r}"
            )
        if self.distribution in _PUBLISHED:
            raise ConfigurationError(f"{self.distribution} is there already; choose another name")
        if self.name in _TAKEN:
            raise ConfigurationError(
                f"the queue of {self.name!r} would be called {_TAKEN[self.name]}, like a class of huey-core; "
                "choose another name"
            )
        if self.scheme and self.kind is not Kind.BACKEND:
            raise ConfigurationError(f"a plugin with {self.kind} has no URLs, and so no scheme; leave --scheme out")
        if self.scheme and (len(self.scheme) > _LONGEST or not _SCHEME.fullmatch(self.scheme)):
            raise ConfigurationError(
                f"{self.scheme!r} cannot be the scheme of a URL: it is a lower-case letter, followed by lower-case "
                f"letters, digits and single '+', '-' and '.', and has at most {_LONGEST} characters"
            )
        found_by = normalise(self.scheme or self.name)
        for entry in _installed(self.kind):
            if normalise(entry.name) == found_by:
                what = "scheme" if self.scheme else "name"
                raise ConfigurationError(
                    f"{entry.source} has a {self.kind} plugin {entry.label!r} already; choose another {what}"
                )

    @property
    def distribution(self) -> str:
        """Its name on an index."""
        return f"huey-{self.name}"

    @property
    def package(self) -> str:
        """Its name in ``import``."""
        return self.distribution.replace("-", "_")

    def files(self) -> dict[str, str]:
        """Return the text of every file by its path, in the order of the paths."""
        values = self._values()
        root = files(__package__) / "templates"
        return dict(
            sorted(
                (
                    path.replace("/package/", f"/{self.package}/"),
                    Template(template.read_text("utf-8")).substitute(values),
                )
                for folder in ("common", self.kind)
                for path, template in _templates(root / folder)
            )
        )

    def write(self, parent: Path) -> Path:
        """Write the distribution into a new folder of its name, and return that folder.

        Args:
            parent: The folder in which it is made; it is made too if it is not there.

        Raises:
            ConfigurationError: There is something of that name. Nothing was written.
            OSError: The folder cannot be written.
        """
        folder = parent / self.distribution
        parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            raise ConfigurationError(f"{folder} is there already, and nothing is overwritten") from None
        for path, text in self.files().items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return folder

    def _values(self) -> dict[str, str]:
        camel_case = "".join(word.capitalize() for word in self.name.split("-"))
        class_name = camel_case + ("" if self.kind is Kind.BACKEND else self.kind.capitalize())
        classes = {Kind.BACKEND: f"{class_name}Backend", Kind.SERIALIZER: class_name, Kind.WORKERS: class_name}
        attribute = classes.get(self.kind, "plugin")
        return {
            "api": str(HUEY_PLUGIN_API),
            "bounds": _bounds(__version__),
            "class_name": class_name,
            "description": _DESCRIPTIONS[self.kind].format(name=self.scheme or self.name),
            "distribution": self.distribution,
            # A name of an entry point has no '+', and is found with a '.' in its place.
            "entry": (self.scheme or self.name).replace("+", "."),
            "group": _GROUPS[self.kind],
            "name": self.name,
            "package": self.package,
            "scheme": self.scheme or self.name,
            "target": f"{self.package}:{attribute}",
            "variable": self.package.upper(),
        }


def _installed(kind: Kind) -> Sequence[Entry]:
    match kind:
        case Kind.BACKEND:
            return backend_registry.entries()
        case Kind.SERIALIZER:
            return serializer_registry.entries()
        case Kind.WORKERS:
            return worker_pool_registry.entries()
        case Kind.FEATURE | Kind.HOOKS:
            return entries(PLUGINS)
        case _:
            assert_never(kind)


def _templates(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _templates(item, f"{path}{item.name}/")
        elif item.name.endswith(_SUFFIX):
            yield path + item.name.removesuffix(_SUFFIX), item


def _bounds(version: str) -> str:
    """The versions of huey-core from one to the next that may break what worked with it."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={major}.{minor},<{f'{major + 1}' if major else f'0.{minor + 1}'}"


def _is_valid(name: str) -> bool:
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def _suggest(name: str) -> str:
    possible = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"; {possible!r} would do" if _is_valid(possible) else ""
