"""From the name in a message back to the command's class. A registry is also the list of what may be run at all.

A process has one default registry, as in the original API: what an application's modules define while they are
imported is found by every invoker. An invoker that must not share it is given a registry of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends.forking import ProcessLock
from huey_core.commands.base import on_declaration
from huey_core.commands.identity import Origin
from huey_core.exceptions import CommandConflict, CommandNotFound
from huey_core.text import did_you_mean
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from huey_core.commands.base import QueueCommand

__all__ = ["CommandRegistry", "default_registry"]


class CommandRegistry:
    """Command classes by their dotted names; safe to use from several threads.

    Attributes:
        on_register: Called with every class that is registered from now on; see :meth:`follow`.
    """

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._classes: dict[str, type[QueueCommand]] = {}
        self._origins: dict[str, Origin] = {}
        self._imported: dict[tuple[str, str], type[QueueCommand]] = {}
        self.on_register: list[Callable[[type[QueueCommand]], None]] = []

    def register(self, command_class: type[QueueCommand], *, replace: bool = False) -> None:
        """Add a command class under its ``command_name``.

        What a module defines when it is reloaded, or a cell of a notebook when it is run again, takes the place of what
        it has defined before.

        Args:
            command_class: The class.
            replace: Let it take the place of another class of the same name.

        Raises:
            ConfigurationError: The name is not valid Unicode.
            CommandConflict: Another command has the name, or the same function has it with other options or for
                another queue: give one of the two a ``name=`` of its own. Or the command is there under another name,
                because its file is imported as two modules.
        """
        check_unicode("the name of a command", command_class.command_name)
        origin = Origin.of(command_class)
        callbacks = None
        while callbacks is None:
            callbacks = self._register(origin, self._origins.get(command_class.command_name), replace)
        for callback in callbacks:
            callback(command_class)

    def follow(self, callback: Callable[[type[QueueCommand]], None]) -> list[type[QueueCommand]]:
        """Call a function with every class that is registered from now on, and return those that are there already."""
        with self._lock:
            self.on_register.append(callback)
            return [self._classes[name] for name in self]

    def _register(
        self, origin: Origin, other: Origin | None, replace: bool
    ) -> Sequence[Callable[[type[QueueCommand]], None]] | None:
        """Add a class in the place of another; return who is called then, or ``None`` if that is there no more."""
        if other is not None and not replace:
            # Outside the lock: to compare calls the application's __eq__, which may register commands.
            self._check_name(origin, other)
        name = origin.command_class.command_name
        with self._lock:
            if self._origins.get(name) is not other:
                return None
            if not replace:
                self._check_imports(origin)
            self._classes[name] = origin.command_class
            self._origins[name] = origin
            if origin.imported_as is not None:
                self._imported[origin.imported_as] = origin.command_class
            # A copy, because one may leave meanwhile.
            return tuple(self.on_register)

    def _check_name(self, origin: Origin, other: Origin) -> None:
        name = origin.command_class.command_name
        if other.is_same(origin):
            return
        if origin.code is not None and origin.code is other.code:
            raise CommandConflict(
                f"{origin} defines the command {name!r} more than once, and not alike each time; give each one a name "
                "of its own, with name='...' or by functools.wraps in its decorator, or each invoker a registry of its "
                "own with registry=CommandRegistry()"
            )
        raise CommandConflict(
            f"two commands are called {name!r}: {other} and {origin}; give one of them another name with name='...'"
        )

    def _check_imports(self, origin: Origin) -> None:
        if origin.imported_as is None:
            return
        one, other = self._imported.get(origin.imported_as), origin.command_class
        if one is None or one.command_name == other.command_name:
            return
        file, qualname = origin.imported_as
        if "__main__" in {one.__module__, other.__module__}:
            module = other.__module__ if one.__module__ == "__main__" else one.__module__
            what_to_do = f"run it as python -m {module}"
        else:
            what_to_do = (
                "import it by one of the two everywhere; often sys.path has a package's folder beside its parent"
            )
        raise CommandConflict(
            f"{file} is imported as {one.__module__} and as {other.__module__}, so {qualname} would be two commands, "
            f"{one.command_name!r} and {other.command_name!r}: {what_to_do}. Or name the command with name='...'"
        )

    def unregister(self, name: str) -> None:
        """Remove a name, or raise :class:`CommandNotFound` when it is not registered."""
        with self._lock:
            found = self._classes.pop(name, None)
            origin = self._origins.pop(name, None)
            if origin is not None and origin.imported_as is not None:
                self._imported.pop(origin.imported_as, None)
        if found is None:
            raise self._not_found(name)

    def get(self, name: str) -> type[QueueCommand]:
        """Return the class of a name, or raise :class:`CommandNotFound` when it is not registered."""
        try:
            return self._classes[name]
        except KeyError:
            raise self._not_found(name) from None

    def _not_found(self, name: str) -> CommandNotFound:
        hint = did_you_mean(name, self) or "."
        return CommandNotFound(
            f"no command {name!r} is registered{hint} Is the module that defines it imported by the consumer?"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._classes))

    def __len__(self) -> int:
        return len(self._classes)


default_registry: Final = CommandRegistry()
"""The registry of this process: every invoker uses it that is not given another one."""

on_declaration.append(default_registry.register)
