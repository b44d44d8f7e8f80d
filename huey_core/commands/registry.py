"""From the name in a message back to the command's class. A registry is also the list of what may be run at all.

A process has one default registry, as in the original API: what an application's modules define while they are
imported is found by every invoker. An invoker that must not share it is given a registry of its own.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import CommandConflict, CommandNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.commands.base import PeriodicQueueCommand, QueueCommand

__all__ = ["CommandRegistry", "default_registry"]


class CommandRegistry:
    """Command classes by their dotted names.

    Attributes:
        on_register: Called with every class that is registered from now on.
    """

    def __init__(self) -> None:
        self._classes: dict[str, type[QueueCommand]] = {}
        self.on_register: list[Callable[[type[QueueCommand]], None]] = []

    def register(self, command_class: type[QueueCommand], *, replace: bool = False) -> None:
        """Add a command class under its ``command_name``.

        Args:
            command_class: The class.
            replace: Let it take the place of another class of the same name, when a module is reloaded.

        Raises:
            CommandConflict: Another command has the name, or the same function has it with other options or for
                another queue. Give one of the two a ``name=`` of its own.
        """
        name = command_class.command_name
        other = self._classes.get(name)
        if other is not None and not replace and not _same_command(other, command_class):
            raise CommandConflict(
                f"two commands are called {name!r}: {_origin(other)} and {_origin(command_class)}; "
                "give one of them another name with name='...'"
            )
        self._classes[name] = command_class
        # A copy, because one may leave meanwhile.
        for callback in tuple(self.on_register):
            callback(command_class)

    def unregister(self, name: str) -> None:
        """Remove a name.

        Raises:
            CommandNotFound: It is not registered.
        """
        if self._classes.pop(name, None) is None:
            raise self._not_found(name)

    def get(self, name: str) -> type[QueueCommand]:
        """Return the class of a name.

        Raises:
            CommandNotFound: It is not registered.
        """
        try:
            return self._classes[name]
        except KeyError:
            raise self._not_found(name) from None

    def periodic(self) -> list[type[PeriodicQueueCommand]]:
        """The periodic commands, in the order of their names."""
        from huey_core.commands.base import PeriodicQueueCommand

        return [found for name in self if issubclass(found := self.get(name), PeriodicQueueCommand)]

    def _not_found(self, name: str) -> CommandNotFound:
        close = get_close_matches(name, list(self), n=1)
        hint = f"; the closest known name is {close[0]!r}" if close else ""
        return CommandNotFound(
            f"no command {name!r} is registered{hint}. Is the module that defines it imported by the consumer?"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._classes))

    def __len__(self) -> int:
        return len(self._classes)


def _same_command(one: type[QueueCommand], other: type[QueueCommand]) -> bool:
    if one is other:
        return True
    if _place(one) is None and "<locals>" in one.command_name:
        # A class made inside a function is made afresh by every call of that function.
        return True
    # One function may be decorated for several invokers, and a script is often imported a second time by its name.
    return _same_source(one, other) and _options_of(one) == _options_of(other) and _queue_of(one) == _queue_of(other)


def _same_source(one: type[QueueCommand], other: type[QueueCommand]) -> bool:
    place = _place(one)
    if place is not None or _place(other) is not None:
        return place == _place(other)
    # Python does not say on which line a class was written, but within one module a second one is another one.
    file = _file_of(one)
    return (
        one.__module__ != other.__module__
        and one.__qualname__ == other.__qualname__
        and file is not None
        and file == _file_of(other)
    )


def _place(command_class: type[QueueCommand]) -> tuple[str, int, str] | None:
    """Where the function of a command was written; ``None`` for a command that was written as a class."""
    return _place_of_code(getattr(command_class, "function", None))


def _place_of_code(function: object) -> tuple[str, int, str] | None:
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno, code.co_qualname)


def _file_of(command_class: type[QueueCommand]) -> str | None:
    return getattr(sys.modules.get(command_class.__module__), "__file__", None)


def _options_of(command_class: type[QueueCommand]) -> object:
    options = command_class.defaults
    # A function that is imported twice is two functions.
    return replace(options, unique_key=None), _place_of_code(options.unique_key) or options.unique_key


def _queue_of(command_class: type[QueueCommand]) -> str | None:
    return getattr(command_class, "queue_name", None)


def _origin(command_class: type[QueueCommand]) -> str:
    place = _place(command_class)
    return repr(command_class) if place is None else f"{place[0]}:{place[1]}"


default_registry: Final = CommandRegistry()
"""The registry of this process: every invoker uses it that is not given another one."""
