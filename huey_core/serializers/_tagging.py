"""The writing half of tagged formats: from Python values to what a format has, with tags where it lacks a type.

The tags are described in :mod:`huey_core.serializers.json`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import math
import reprlib
from decimal import Decimal
from functools import partial
from types import FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from huey_core.names import dotted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_DEPTH: Final = 100
"""How deep containers may be nested; low enough for every reader's stack."""

_TEXT: Final = frozenset({str})

registered_names: Final[dict[type, str]] = {}
registered_types: Final[dict[str, type]] = {}
registered_fields: Final[dict[type, Fields]] = {}


class Fields:
    """The fields of a dataclass, and where its instances can have anything beside them."""

    def __init__(self, kind: type) -> None:
        found = {field.name: _written(kind, field.name) for field in dataclasses.fields(kind)}
        self.names = tuple(found)
        self._known = frozenset(found)
        self._slots = tuple(
            name
            for base in kind.__mro__
            for name, member in vars(base).items()
            if type(member) is MemberDescriptorType and name not in found
        )
        # Such a field keeps its value under a name that only it knows.
        self._elsewhere = any(
            hasattr(type(member), "__set__") and type(member) is not MemberDescriptorType for member in found.values()
        )

    def other_attribute(self, value: Any) -> str | None:
        """The name of an attribute that is no field, and that a copy made of the fields alone would lack."""
        attributes = getattr(value, "__dict__", {})
        if self._elsewhere or (self._known >= attributes.keys() and not self._slots):
            return None
        others = [name for name in attributes if name not in self._known and not _is_cached(type(value), name)]
        others += [name for name in self._slots if hasattr(value, name)]
        return next((name for name in others if not (name.startswith("__") and name.endswith("__"))), None)


def _written(kind: type, name: str) -> Any:
    """The attribute of a class as it was written, and not what a descriptor makes of it."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _is_cached(kind: type, name: str) -> bool:
    """Whether the attribute is computed when it is read, as by ``functools.cached_property``, and kept."""
    found = type(_written(kind, name))
    return hasattr(found, "__get__") and not hasattr(found, "__set__") and found is not FunctionType


class Refused(Exception):
    """A value that cannot be carried; its place is put together while the recursion unwinds."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.steps: list[str] = []

    def place(self) -> str:
        steps = self.steps[::-1]
        return "value" + "".join(steps if len(steps) <= 10 else [*steps[:10], "..."])


class Tagger:
    """Gives tags to the values that a format has no type for.

    Args:
        plain: The exact types whose values go as they are. Asking for all items at once whether their types are among
            them keeps the usual case, a list or a dict of scalars, out of Python's slow loops.
        integers: The integers that the format has, where it has not all of them. Matters only without ``int`` in
            ``plain``.
    """

    def __init__(self, plain: Iterable[type], *, integers: range | None = None) -> None:
        self._plain = frozenset(plain)
        self._scalars: dict[type, Callable[[Any], Any]] = (
            _SCALARS if integers is None else {**_SCALARS, int: partial(_tag_int, integers)}
        )

    def tag(self, value: Any, depth: int = 0) -> Any:
        """Return the value with tags, or the value itself where it needs none; raise :class:`Refused` otherwise."""
        kind = type(value)
        if kind in self._plain:
            return value
        if depth >= MAX_DEPTH and kind not in self._scalars:
            raise Refused(f"containers nested more than {MAX_DEPTH} deep (or one that contains itself)")
        if kind is list:
            return value if self._plain.issuperset(map(type, value)) else self._tag_items(value, depth)
        if kind is dict:
            return self._tag_dict(value, depth) if value else value
        if kind is tuple or kind is set or kind is frozenset:
            return {"$": kind.__name__, "v": self._tag_items(value, depth)}
        if kind in self._scalars:
            return self._scalars[kind](value)
        if kind in registered_names:
            return self._tag_registered(value, depth)
        raise Refused(_explain(kind))

    def _tag_items(self, items: Iterable[Any], depth: int) -> list[Any]:
        plain, tag = self._plain, self.tag
        tagged: list[Any] = []
        try:
            for item in items:
                tagged.append(item if type(item) in plain else tag(item, depth + 1))
        except Refused as refused:
            refused.steps.append(f"[{len(tagged)}]" if isinstance(items, list | tuple) else "{...}")
            raise
        return tagged

    def _tag_dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        if "$" in value or not _TEXT.issuperset(map(type, value)):
            keys = self._tag_keys(value, depth)
            return {"$": "dict", "v": list(zip(keys, self._tag_values(value, depth).values(), strict=True))}
        if str not in self._plain:
            self._tag_keys(value, depth)
        return self._tag_values(value, depth)

    def _tag_keys(self, value: dict[Any, Any], depth: int) -> list[Any]:
        try:
            return [self.tag(key, depth + 1) for key in value]
        except Refused as refused:
            refused.steps.append("{key}")
            raise

    def _tag_values(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        plain, tag = self._plain, self.tag
        tagged = value
        key = None
        try:
            for key, item in value.items():
                if type(item) not in plain and (new := tag(item, depth + 1)) is not item:
                    if tagged is value:
                        tagged = value.copy()
                    tagged[key] = new
        except Refused as refused:
            refused.steps.append(f"[{reprlib.repr(key)}]")
            raise
        return tagged

    def _tag_registered(self, value: Any, depth: int) -> dict[str, Any]:
        name = registered_names[type(value)]
        if isinstance(value, enum.Flag):
            return {"$": "enum", "t": name, "v": self.tag(value.value, depth)}
        if isinstance(value, enum.Enum):
            return {"$": "enum", "t": name, "v": value.name}
        fields: dict[str, Any] = {}
        shape = registered_fields[type(value)]
        for field in shape.names:
            try:
                fields[field] = self.tag(getattr(value, field), depth + 1)
            except Refused as refused:
                refused.steps.append(f".{field}")
                raise
            except AttributeError:
                raise Refused(f"a {name} that has no {field!r}") from None
        other = shape.other_attribute(value)
        if other is not None:
            raise Refused(f"a {name} with the attribute {other!r}, which is no field (declare it: field(init=False))")
        return {"$": "dataclass", "t": name, "v": fields}


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("text that is not valid Unicode (it has a lone surrogate)") from None
    return text


def _check_int(number: int) -> int:
    _digits(number)
    return number


def _tag_int(integers: range, number: int) -> Any:
    return number if number in integers else {"$": "int", "v": _digits(number)}


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        raise Refused("an integer of so many digits") from None


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
    return dotted_name(kind).removeprefix("builtins.")


def _explain(kind: type) -> str:
    name = f"a value of type {type_name(kind)}"
    if issubclass(kind, enum.Enum) or dataclasses.is_dataclass(kind):
        return f"{name} (register it with JSONSerializer.register)"
    for base in _CARRIED:
        if issubclass(kind, base):
            return f"{name} (only exact types are carried: convert it to {type_name(base)})"
    return name
