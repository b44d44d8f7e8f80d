"""JSON as the standard has it, without ``NaN`` and ``Infinity``, written and read in the least time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["json_reader", "json_writer"]


def json_reader(object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Callable[[str], Any]:
    """Make a function that reads one value and raises :class:`ValueError` for what is not JSON.

    The hook is called with each object, to return what stands for it.
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


def json_writer() -> Callable[[Any], str]:
    """Make a function that writes a value that does not contain itself, compactly and not in ASCII alone.

    It raises :class:`ValueError` for a number that is not finite or has too many digits.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
    try:
        # JSONEncoder makes one of these for each value, which takes longer than to write a short value.
        write: Any = vars(json.encoder)["c_make_encoder"](
            None, encoder.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
        )
    except (LookupError, TypeError):  # It is CPython's own, and not documented.
        return encoder.encode
    return lambda value: "".join(write(value, 0))


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
