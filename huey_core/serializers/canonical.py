"""One text for values that are equal, in every process: for keys, not for messages."""

from __future__ import annotations

import json
from typing import Any, Final

from huey_core.exceptions import EncodeError
from huey_core.serializers._tagging import Refused, Tagger, registered_fields

__all__ = ["canonical", "canonical_text"]

_CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})

_UNORDERED: Final = frozenset({"set", "frozenset", "dict"})


class _CanonicalTagger(Tagger):
    """Puts what has no order, or one that does not matter, into the order of its text."""

    def tag(self, value: Any, depth: int = 0) -> Any:
        tagged = super().tag(value, depth)
        if type(tagged) is dict and tagged.get("$") in _UNORDERED:
            tagged["v"].sort(key=_write)
        return tagged


def canonical_text(value: Any) -> str:
    """The text of a value: that of the ``json`` serializer, with sets and dicts in an order of their own.

    What that does not carry is an :class:`EncodeError`, which names the place.
    """
    try:
        return _write(_TAGGER.tag(value))
    except Refused as refused:
        raise EncodeError(f"{refused.reason}, found at {refused.place()}") from None
    except (ValueError, RecursionError) as error:
        raise EncodeError(f"a value that json cannot have: {error}") from error


def canonical(value: Any) -> Any:
    """Return something whose ``str()`` is the same in every process: the value itself, or its text.

    Raises:
        EncodeError: There is no such text; the message says of what.
    """
    kind = type(value)
    if kind in _CONTAINERS or kind in registered_fields:
        return canonical_text(value)
    if kind is not str and " at 0x" in str(value):
        raise EncodeError(f"an object of type {kind.__qualname__}, whose text has its address in memory")
    return value


_TAGGER: Final = _CanonicalTagger({str, int, bool, type(None)})
_write: Final = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":")).encode
