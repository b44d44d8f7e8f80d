"""JSON as the standard has it, without ``NaN`` and ``Infinity``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["json_reader"]


def json_reader(object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Callable[[str], Any]:
    """Make a function that reads one value and raises :class:`ValueError` for what is not JSON.

    Args:
        object_hook: Called with each object, to return what stands for it.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_hook=object_hook)
    read_at_start, read = decoder.raw_decode, decoder.decode

    def read_value(text: str) -> Any:
        # Few writers put white space around a value, and to look for it takes a third of the time.
        try:
            value, end = read_at_start(text)
        except ValueError:
            return read(text)
        return value if end == len(text) else read(text)

    return read_value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
