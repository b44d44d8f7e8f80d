"""Options of a backend URL: readers for their values, and the options that every backend has.

A reader takes the text of one query option, already percent-decoded, and returns the value, or raises ``ValueError``
with a sentence that says what is expected. It never repeats the text: the text may be a secret, and
:meth:`BackendURL.with_options() <huey_core.backends.url.BackendURL.with_options>` adds it where that is safe. A
plugin's own options may use these readers or any other function of that kind::

    options = (
        Option("socket_timeout", parse_positive_seconds, 5.0, "seconds to wait for a reply of the server"),
        Option("max_message", parse_positive_size, 16 * 2**20, "the largest message accepted, in bytes"),
    )
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from huey_core.backends.leased import DEFAULT_LEASE, DEFAULT_MAX_DELIVERIES
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COMMON_OPTIONS",
    "DEFAULT_RESULT_TTL",
    "Option",
    "optional",
    "parse_bool",
    "parse_positive_int",
    "parse_positive_seconds",
    "parse_positive_size",
    "parse_seconds",
    "parse_size",
    "parse_text",
]

T = TypeVar("T")

DEFAULT_RESULT_TTL: Final = 86400.0
"""Seconds for which a result is kept, unless the URL or the command says otherwise: one day."""

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_QUANTITY: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([a-z]*)", re.IGNORECASE)

_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}


@dataclass(frozen=True, slots=True)
class Option:
    """A query option of a backend's URL.

    Attributes:
        name: As it is written in the URL.
        parse: Turns the text into the value, and raises ``ValueError`` for text that it cannot read.
        default: The value when the URL does not give the option.
        help: One line for ``huey info`` and the documentation, units included.
        any_case: Whether the name may be written in any case, as options that pass through to a driver often are.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    help: str
    any_case: bool = False


def parse_text(text: str) -> str:
    """Return the text as it is, or raise ``ValueError`` when it is empty."""
    if not text:
        raise ValueError("expected text that is not empty")
    return text


def parse_bool(text: str) -> bool:
    """Read ``true``, ``yes``, ``on`` or ``1`` as true and ``false``, ``no``, ``off`` or ``0`` as false, in any case.

    Anything else is a ``ValueError``.
    """
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("expected true or false (or yes, no, on, off, 1, 0)")
    return word in _TRUE


def parse_positive_int(text: str) -> int:
    """Read a whole number of at least 1, of 18 decimal digits at most, or raise ``ValueError``."""
    if not _INTEGER.fullmatch(text) or int(text) < 1:
        raise ValueError("expected a whole number of at least 1")
    return int(text)


def parse_seconds(text: str) -> float:
    """Read a duration: a number of seconds, or a number with the unit ``ms``, ``s``, ``m``, ``h`` or ``d``.

    Anything else, such as a negative duration, is a ``ValueError``.
    """
    match = _QUANTITY.fullmatch(text)
    factor = _SECONDS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError("expected a duration in seconds, or with a unit: 90, 1.5, 250ms, 90s, 5m, 2h, 1d")
    return float(match[1]) * factor


def parse_positive_seconds(text: str) -> float:
    """Read a duration as :func:`parse_seconds` does; zero is a ``ValueError`` too."""
    seconds = parse_seconds(text)
    if seconds == 0:
        raise ValueError("expected a duration longer than zero")
    return seconds


def parse_size(text: str) -> int:
    """Read a number of bytes, or a number with the unit ``B``, ``kB``, ``MB``, ``GB`` or ``KiB``, ``MiB``, ``GiB``.

    The first kind of unit counts in thousands and the second in 1024s. Case does not matter. Anything else, or what is
    not a whole number of bytes, is a ``ValueError``.
    """
    match = _QUANTITY.fullmatch(text)
    factor = _BYTES.get(match[2].lower()) if match else None
    # A float would make 1.001 kB something else than 1001 bytes.
    size = Decimal(match[1]) * factor if match and factor else Decimal("NaN")
    if size != size.to_integral_value():
        raise ValueError("expected a whole number of bytes, or with a unit: 65536, 64KiB, 16MiB, 1GB")
    return int(size)


def parse_positive_size(text: str) -> int:
    """Read a number of bytes as :func:`parse_size` does; zero is a ``ValueError`` too."""
    size = parse_size(text)
    if size == 0:
        raise ValueError("expected a size of at least 1 byte")
    return size


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Make a reader that also takes ``none``, which it returns as ``None``."""

    def parse_optional(text: str) -> T | None:
        if text.lower() == "none":
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"{error}, or none") from None

    return parse_optional


COMMON_OPTIONS: Final[tuple[Option, ...]] = (
    Option("queue", parse_text, "huey", "the queue's name"),
    Option("results", parse_text, None, "the result store's name; by default the queue's; none keeps no results"),
    Option("serializer", parse_text, "json", "how arguments and results are written: json, pickle, json|signed, ..."),
    Option("lease", parse_positive_seconds, DEFAULT_LEASE, "seconds for which a claimed message is nobody else's"),
    Option(
        "result_ttl",
        optional(parse_positive_seconds),
        DEFAULT_RESULT_TTL,
        "seconds for which a result is kept; none keeps it for ever",
    ),
    Option(
        "max_body_size",
        parse_positive_size,
        DEFAULT_MAX_BODY_SIZE,
        "the most bytes of arguments and of a result that are written and read, without compression",
    ),
    Option(
        "max_deliveries",
        parse_positive_int,
        DEFAULT_MAX_DELIVERIES,
        "deliveries without an outcome after which a message is buried",
    ),
)
"""The options that the URL of every backend takes."""
