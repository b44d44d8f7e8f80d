"""Text that must not be seen, such as a password: it shows itself masked wherever it is printed.

Error reporters print the local variables of the frames that an exception went through. So no frame of ours holds a
password as ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Self

__all__ = ["MASK", "Secret", "SecretBytes", "hidden", "is_secret_name", "revealed", "with_secrets_hidden"]

MASK: Final = "***"
"""What is shown instead."""

_SECRET_NAME: Final = re.compile(r"pass|pwd|secret|token|key|credential|authmechanismproperties", re.IGNORECASE)


class Secret(str):
    """Text that ``repr()``, ``str()`` and formatting mask. Everything else treats it as the text that it is.

    :func:`revealed` is the way out.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Hide text, which may be hidden already."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return repr(MASK)

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return format(MASK, specification)


class SecretBytes(bytes):
    """Bytes that ``repr()``, ``str()`` and formatting mask. Everything else treats them as the bytes that they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return format(MASK, specification)


def revealed(text: str) -> str:
    """Return the text itself, be it hidden or not. It must not be kept in a variable."""
    return str.__str__(text)


def is_secret_name(name: str) -> bool:
    """Whether a setting's name looks like that of a secret."""
    return _SECRET_NAME.search(name) is not None


def hidden(value: Any) -> Any:
    """Return text as a :class:`Secret`, and anything else as it is."""
    return Secret(value) if isinstance(value, str) else value


def with_secrets_hidden(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their names, those hidden that are URLs or are called like a secret."""
    return {name: _hidden(name, value) for name, value in settings.items()}


def _hidden(name: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        return with_secrets_hidden(value)
    if isinstance(value, str) and ("://" in value or is_secret_name(str(name))):
        return hidden(value)
    return value
