"""Classes by name, imported when they are asked for: the mechanism behind backends, serializers and worker pools.

A name is looked for among the classes that this process registered, which needs no scan of the installed metadata,
and then among the entry points.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from huey_core.exceptions import PluginConflict, PluginException, PluginNotFound
from huey_core.plugins.discovery import Entry, entries
from huey_core.plugins.loading import load
from huey_core.plugins.selection import select
from huey_core.text import closest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LazyRegistry"]

T = TypeVar("T")


@dataclass(eq=False, repr=False)
class LazyRegistry(Generic[T]):
    """The subclasses of one class that plugins offer, by name.

    Args:
        group: The entry-point group to look into.
        base: The class that every plugin of the group is a subclass of.
        kind: What a plugin of the group is called in messages.
        role: What its name is called in messages.
        known: Distributions to suggest for names that are not installed.
        unserved: What to say of names that no known distribution offers, although people may expect it.
        builtin: Entries that are there even when no metadata is, as in a bare checkout of the source.
    """

    group: str
    base: Any
    _: KW_ONLY
    kind: str
    role: str
    known: Mapping[str, str] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    builtin: Sequence[Entry] = ()
    _registered: dict[str, type[T]] = field(default_factory=dict, init=False)

    def register(self, name: str, cls: type[T], *, replace: bool = False) -> None:
        """Make a class known in this process. It goes before everything that is installed.

        With ``replace`` it may also take the place of a class that was registered earlier.

        Raises:
            PluginConflict: Another class is registered under this name.
        """
        if replace:
            self._registered[name] = cls
        # To look and to put it there is one step, whatever other threads do.
        elif (earlier := self._registered.setdefault(name, cls)) is not cls:
            raise PluginConflict(
                f"{self.kind} {name!r} is already registered as {_dotted(earlier)}; "
                f"pass replace=True to use {_dotted(cls)} instead",
                plugin=name,
            )

    def unregister(self, name: str) -> None:
        """Undo :meth:`register`; does nothing for a name that is not registered in this process."""
        self._registered.pop(name, None)

    def get(self, name: str) -> type[T]:
        """Return the class of this name, and import it if need be; raise what :meth:`find` and :meth:`load` raise."""
        registered = self._registered.get(name)
        return self.load(self.find(name)) if registered is None else registered

    def find(self, name: str) -> Entry:
        """Return the entry point that :meth:`get` would load, were there no class registered in this process.

        Raises:
            PluginNotFound: Nothing of this name is installed.
            PluginException: What :func:`~huey_core.plugins.selection.select` raises.
        """
        claims = [entry for entry in self.entries() if entry.label == name and entry.is_well_named]
        if not claims:
            raise self._not_found(name)
        return select(claims)

    def load(self, entry: Entry) -> type[T]:
        """Import the class that one entry point names; see :func:`huey_core.plugins.loading.load`."""
        return cast("type[T]", load(entry, self.base))

    def usable(self) -> list[tuple[str, type[T]]]:
        """List the classes that can be used, by name, in its order. Imports all of them."""
        found = []
        for name in sorted({entry.label for entry in self.entries()} | set(self._registered)):
            with suppress(PluginException):
                found.append((name, self.get(name)))
        return found

    def entries(self) -> list[Entry]:
        """List what is installed, in the order of :func:`~huey_core.plugins.discovery.entries`."""
        installed = entries(self.group)
        present = {(entry.distribution, entry.name, entry.value) for entry in installed}
        builtin = [entry for entry in self.builtin if (entry.distribution, entry.name, entry.value) not in present]
        return [*builtin, *installed]

    def _not_found(self, name: str) -> PluginNotFound:
        suggestion = self.known.get(name)
        sentences = [f"no {self.kind} is installed for the {self.role} {name!r}"]
        if suggestion is not None:
            sentences.append(f"install it with: pip install {suggestion}")
        elif name in self.unserved:
            sentences.append(self.unserved[name])
        else:
            sentences += self._closest(name)
        sources = {entry.label: f"{entry.label} ({entry.source})" for entry in self.entries()}
        sources |= {each: f"{each} (registered by the program)" for each in self._registered}
        sentences.append(f"installed: {', '.join(sources[label] for label in sorted(sources)) or 'none'}")
        sentences.append("Help: huey plugins")
        return PluginNotFound("; ".join(sentences), plugin=name, distribution=suggestion)

    def _closest(self, name: str) -> list[str]:
        labels = {*(entry.label for entry in self.entries()), *self._registered}
        found = closest(name, [*self.known, *self.unserved, *labels])
        if found is None:
            return []
        if found not in labels:
            what_to_do = self.unserved.get(found) or f"pip install {self.known[found]}"
            return [f"did you mean {found!r} ({what_to_do})?"]
        if found != found.lower():
            return [f"an installed plugin is called {found!r}, which can never be found: names must be lower case"]
        return [f"did you mean {found!r}?"]


def _dotted(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
