"""The checks of options: each takes an option's name and a value as a user wrote it, and returns that as it is kept."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from huey_core.backends.queue_names import check_queue_name
from huey_core.exceptions import ConfigurationError
from huey_core.names import dotted_name, importable
from huey_core.numbers import check_number

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "MAX_SECONDS",
    "Check",
    "ExceptionTypes",
    "Seconds",
    "UniqueKey",
    "exception_names",
    "find_exceptions",
    "flag",
    "lasting",
    "names_in_key",
    "number",
    "optional",
    "queue_name",
    "seconds",
    "unique_key",
    "whole_number",
]

Seconds = float | int | timedelta
UniqueKey = str | Callable[..., str]
ExceptionTypes = type[BaseException] | str | Iterable[type[BaseException] | str]

T = TypeVar("T")
Check = Callable[[str, Any], T]
"""Takes an option's name and what a user gave it; returns that as it is kept, or raises a ``ConfigurationError``."""

MAX_SECONDS: Final = 36525 * 86400
"""The longest duration, a hundred years in seconds: what every clock and every server can add to a time."""


def seconds(name: str, value: Any, *, least: float = 0, most: float = MAX_SECONDS) -> float:
    """Read a duration as a user writes it, as a number of seconds or a timedelta, and return it in seconds.

    What is none, or not from ``least`` to ``most`` seconds, is a :class:`ConfigurationError`.
    """
    given = value.total_seconds() if isinstance(value, timedelta) else value
    check_number(name, given, least, most, what="a number of seconds or a timedelta")
    return float(given)


def names_in_key(key: str) -> set[str]:
    """The arguments that a text for ``unique_key`` names; refused if unreadable, or with braces without a name."""
    try:
        named = [(argument, spec or "") for _, argument, spec, _ in Formatter().parse(key) if argument is not None]
    except ValueError as error:
        raise ConfigurationError(f"unique_key={key!r} cannot be read: {error}") from error
    names = set()
    for argument, spec in named:
        name = argument.partition(".")[0].partition("[")[0]
        if not name or name.isdecimal():
            raise ConfigurationError(f"unique_key={key!r} must name an argument in each pair of braces")
        names |= {name} | names_in_key(spec)
    return names


def find_exceptions(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace each name of an exception by that under which its class was defined, which is what a retry compares.

    A name whose module is not imported stays as it is: it may be there for the consumer alone. Without a module in it,
    or where its module is imported and has no such exception, it is refused.
    """
    return {
        option: [
            importable(_find_exception(option, item)) if isinstance(item, str) else item for item in _several(value)
        ]
        if option in {"retry_on", "give_up_on"}
        else value
        for option, value in given.items()
    }


def _find_exception(option: str, name: str) -> str:
    parts = name.split(".")
    if len(parts) == 1:
        hint = f"; did you mean 'builtins.{name}'?" if _is_exception(getattr(builtins, name, None)) else ""
        raise ConfigurationError(f"{option} takes exception types or their dotted names, not {name!r}{hint}")
    for length in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:length]))
        if module is not None:
            return _find_in_module(option, name, module, parts[length:])
    return name


def _find_in_module(option: str, name: str, module: ModuleType, path: list[str]) -> str:
    found: Any = module
    for part in path:
        found = getattr(found, part, None)
    if _is_exception(found):
        return dotted_name(found)
    # Of a longer path the first part may be a module that is not imported yet.
    if found is None and (len(path) > 1 or _is_being_imported(module)):
        return name
    raise ConfigurationError(f"{option} names {name!r}, but its module has no exception of that name")


def _is_being_imported(module: ModuleType) -> bool:
    # Python has no public way to ask, and what is written below a decorator is not there yet when it is applied.
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def _is_exception(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, BaseException)


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def optional(check: Check[T]) -> Check[T | None]:
    """The check of an option that may be ``None`` as well."""
    return lambda name, value: None if value is None else check(name, value)


def lasting(name: str, value: Any) -> float:
    """Read a duration as :func:`seconds` does, of a millisecond at least."""
    return seconds(name, value, least=0.001)


def whole_number(least: int, most: int | None = None) -> Check[int]:
    """The check of a whole number from ``least`` to ``most``."""

    def check(name: str, value: Any) -> int:
        check_number(name, value, least, float("inf") if most is None else most, whole=True)
        return int(value)

    return check


def number(least: float, most: float = float("inf")) -> Check[float]:
    """The check of a number from ``least`` to ``most``."""

    def check(name: str, value: Any) -> float:
        check_number(name, value, least, most)
        return float(value)

    return check


def flag(name: str, value: Any) -> bool:
    """Take ``True`` and ``False``, and refuse anything else by a :class:`ConfigurationError`."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")
    return value


def queue_name(name: str, value: Any) -> str:
    """Take what a queue may be called, and refuse anything else by a :class:`ConfigurationError`."""
    check_queue_name(f"{name}=", value)
    return str(value)


def unique_key(name: str, value: Any) -> UniqueKey:
    """Take a text that names arguments, or a function; refuse anything else by a :class:`ConfigurationError`."""
    if isinstance(value, str) and value:
        names_in_key(value)
    elif not callable(value):
        raise ConfigurationError(f"{name} must be a text or a function that returns one, not {value!r}")
    return value  # type: ignore[no-any-return]


def exception_names(name: str, value: Any) -> tuple[str, ...]:
    """Take one or several types of exceptions, or their dotted names, and return the dotted names.

    Anything else is a :class:`ConfigurationError`.
    """
    names = []
    for item in _several(value):
        if isinstance(item, type) and issubclass(item, BaseException):
            names.append(dotted_name(item))
        elif isinstance(item, str) and item:
            names.append(item)
        else:
            raise ConfigurationError(f"{name} takes exception types or their dotted names, not {item!r}")
    return tuple(names)
