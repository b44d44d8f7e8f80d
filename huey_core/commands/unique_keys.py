"""Keys made of the arguments of a call, the same in every process."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.option_checks import names_in_key
from huey_core.exceptions import ConfigurationError, EncodeError
from huey_core.serializers.canonical import canonical, canonical_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["fill_in", "key_of_all", "key_of_value"]

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


def fill_in(key: str, arguments: Mapping[str, Any]) -> str:
    """Fill a text with the arguments that it names; refused if that cannot be done alike in every process."""
    try:
        # Several times as fast as the other, which is written in Python.
        if all(type(arguments[name]) in _PLAIN for name in _names(key)):
            return key.format_map(arguments)
        return _FORMATTER.vformat(key, (), arguments)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"unique_key={key!r} cannot be made of the arguments {', '.join(arguments) or '(none)'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    except EncodeError as error:
        raise ConfigurationError(f"unique_key={key!r} would be another one in each process: it has {error}") from error


def key_of_value(made: Any) -> str | None:
    """The key that a function has made; refused if its text is not the same in every process."""
    try:
        return None if made is None else str(canonical(made))
    except EncodeError as error:
        raise ConfigurationError(f"the function of unique_key= must return a text, not {error}") from error


def key_of_all(arguments: Mapping[str, Any]) -> str:
    """The key of all arguments together; refused if one of them is none that the ``json`` serializer carries."""
    try:
        return sha256(canonical_text(dict(arguments)).encode("ascii")).hexdigest()
    except EncodeError as error:
        raise ConfigurationError(
            f"unique_for without a unique_key cannot make a key of {error}; add unique_key= to say what makes a call "
            "unique"
        ) from error


class _CanonicalFormatter(Formatter):
    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        value, first = super().get_field(field_name, args, kwargs)
        return canonical(value), first


_FORMATTER: Final = _CanonicalFormatter()
_names: Final = lru_cache(maxsize=1024)(names_in_key)
