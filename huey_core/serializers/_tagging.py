"""The writing half of the ``json`` serializer: from Python values to what JSON has, with tags where it lacks a type.

The format is described in :mod:`huey_core.serializers.json`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import math
import reprlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_DEPTH: Final = 100
"""How deep containers may be nested; low enough for every reader's stack."""

PLAIN: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None)})
"""The types that go as they are, unless JSON refuses a value."""

ALWAYS_PLAIN: Final[frozenset[type]] = frozenset({bool, type(None)})
"""The types of which JSON refuses no value."""

_TEXT: Final = frozenset({str})

registered_names: Final[dict[type, str]] = {}
registered_types: Final[dict[str, type]] = {}


class Refused(Exception):
    """A value that cannot be carried; its place is put together while the recursion unwinds."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.steps: list[str] = []

    def place(self) -> str:
        steps = self.steps[::-1]
        return "value" + "".join(steps if len(steps) <= 10 else [*steps[:10], "..."])


def tag(value: Any, plain: frozenset[type], depth: int) -> Any:
    """Return the value with tags, or the value itself where it needs none.

    ``plain`` are the types that go as they are. Asking it about all items at once keeps the usual case, a list or a
    dict of scalars, out of Python's slow loops.
    """
    kind = type(value)
    if kind in plain:
        return value
    if depth >= MAX_DEPTH and kind not in _SCALARS:
        raise Refused(f"containers nested more than {MAX_DEPTH} deep (or one that contains itself)")
    if kind is list:
        return value if plain.issuperset(map(type, value)) else _tag_items(value, plain, depth)
    if kind is dict:
        return _tag_dict(value, plain, depth)
    if kind is tuple or kind is set or kind is frozenset:
        return {"$": kind.__name__, "v": _tag_items(value, plain, depth)}
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if kind in registered_names:
        return _tag_registered(value, plain, depth)
    raise Refused(_explain(kind))


def _tag_items(items: Iterable[Any], plain: frozenset[type], depth: int) -> list[Any]:
    tagged: list[Any] = []
    try:
        for item in items:
            tagged.append(item if type(item) in plain else tag(item, plain, depth + 1))
    except Refused as refused:
        refused.steps.append(f"[{len(tagged)}]" if isinstance(items, list | tuple) else "{...}")
        raise
    return tagged


def _tag_dict(value: dict[Any, Any], plain: frozenset[type], depth: int) -> dict[str, Any]:
    if "$" in value or not _TEXT.issuperset(map(type, value)):
        keys = _tag_keys(value, plain, depth)
        return {"$": "dict", "v": list(zip(keys, _tag_values(value, plain, depth).values(), strict=True))}
    if str not in plain:
        _tag_keys(value, plain, depth)
    return _tag_values(value, plain, depth)


def _tag_keys(value: dict[Any, Any], plain: frozenset[type], depth: int) -> list[Any]:
    try:
        return [tag(key, plain, depth + 1) for key in value]
    except Refused as refused:
        refused.steps.append("{key}")
        raise


def _tag_values(value: dict[Any, Any], plain: frozenset[type], depth: int) -> dict[Any, Any]:
    tagged = value
    key = None
    try:
        for key, item in value.items():
            if type(item) not in plain and (new := tag(item, plain, depth + 1)) is not item:
                if tagged is value:
                    tagged = value.copy()
                tagged[key] = new
    except Refused as refused:
        refused.steps.append(f"[{reprlib.repr(key)}]")
        raise
    return tagged


def _tag_registered(value: Any, plain: frozenset[type], depth: int) -> dict[str, Any]:
    name = registered_names[type(value)]
    if isinstance(value, enum.Flag):
        return {"$": "enum", "t": name, "v": value.value}
    if isinstance(value, enum.Enum):
        return {"$": "enum", "t": name, "v": value.name}
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        try:
            fields[field.name] = tag(getattr(value, field.name), plain, depth + 1)
        except Refused as refused:
            refused.steps.append(f".{field.name}")
            raise
        except AttributeError:
            raise Refused(f"a {name} that has no {field.name!r}") from None
    return {"$": "dataclass", "t": name, "v": fields}


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("text that is not valid Unicode (it has a lone surrogate)") from None
    return text


def _check_int(number: int) -> int:
    try:
        str(number)
    except ValueError:
        raise Refused("an integer of so many digits") from None
    return number


def _tag_float(number: float) -> Any:
    return number if math.isfinite(number) else {"$": "float", "v": str(number)}


def _tag_time(value: dt.datetime | dt.time) -> dict[str, Any]:
    tagged: dict[str, Any] = {"$": type(value).__name__, "v": value.isoformat()}
    if value.fold:
        tagged["fold"] = 1
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        tagged["zone"] = _zone_key(value.tzinfo)
    return tagged


def _zone_key(zone: dt.tzinfo) -> str:
    from zoneinfo import ZoneInfo

    if type(zone) is not ZoneInfo or zone.key is None:
        raise Refused(
            f"a time whose zone is a {type_name(type(zone))} (use datetime.timezone or a named zoneinfo.ZoneInfo)"
        )
    return zone.key


_SCALARS: Final[dict[type, Callable[[Any], Any]]] = {
    str: _check_text,
    int: _check_int,
    float: _tag_float,
    bytes: lambda value: {"$": "bytes", "v": base64.b64encode(value).decode("ascii")},
    Decimal: lambda value: {"$": "decimal", "v": str(value)},
    UUID: lambda value: {"$": "uuid", "v": str(value)},
    dt.datetime: _tag_time,
    dt.date: lambda value: {"$": "date", "v": value.isoformat()},
    dt.time: _tag_time,
    dt.timedelta: lambda value: {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]},
}

_CARRIED: Final = (bool, int, float, str, bytes, list, dict, tuple, set, frozenset, *_SCALARS)


def type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def _explain(kind: type) -> str:
    name = f"a value of type {type_name(kind)}"
    if issubclass(kind, enum.Enum) or dataclasses.is_dataclass(kind):
        return f"{name} (register it with JSONSerializer.register)"
    for base in _CARRIED:
        if issubclass(kind, base):
            return f"{name} (only exact types are carried: convert it to {type_name(base)})"
    return name
