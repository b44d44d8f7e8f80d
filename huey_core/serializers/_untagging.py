"""The reading half of tagged formats: from objects with tags back to Python values.

Whatever a tag holds is checked before it is used: the bytes may come from anyone.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import math
import re
import reprlib
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from huey_core.serializers._tagging import registered_types, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Moment = TypeVar("Moment", dt.datetime, dt.time)

_LESS_THAN_A_SECOND: Final = re.compile(r"([+-])00:00:00\.([0-9]{6})\Z")

_HOLDING: Final = frozenset({list, dict})

_MOST_ALIKE: Final = 100
"""How many items of a set may have one hash. More than a few never have by chance."""


class Unreadable(Exception):
    """Why a tag, or what it holds, cannot be read."""


def untag(value: dict[str, Any]) -> Any:
    """Return what an object stands for: itself, unless it has a tag. What it holds was untagged before.

    Raises:
        Unreadable: The tag is unknown, or what it holds is damaged. So may ``ValueError``, ``TypeError``,
            ``LookupError`` and ``ArithmeticError`` say.
    """
    if "$" not in value:
        return value
    tag = value["$"]
    read = _READERS.get(tag) if type(tag) is str else None
    if read is None:
        raise Unreadable(f"{reprlib.repr(tag)} is no tag that this version knows")
    return read(value)


def untag_all(value: Any) -> Any:
    """Untag all that a list or an object holds, and then itself, for a format whose reader calls no function for each.

    The containers are changed in place. It raises what :func:`untag` does, and ``RecursionError``.
    """
    if type(value) is list:
        for index, item in enumerate(value):
            if type(item) in _HOLDING:
                value[index] = untag_all(item)
    elif type(value) is dict:
        for key, item in value.items():
            if type(item) in _HOLDING:
                value[key] = untag_all(item)
        return untag(value)
    return value


def _expect(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError(f"a tag holds {type(value).__name__} in place of {kind.__name__}")
    return value


def _items(value: dict[str, Any]) -> list[Any]:
    return _expect(list, value["v"])


def _text(value: dict[str, Any]) -> str:
    return _expect(str, value["v"])


def _hashable(items: list[Any]) -> list[Any]:
    """Return the items, unless they were chosen so that the time to put them into a set is that of their square."""
    if len(items) > _MOST_ALIKE and max(Counter(map(hash, items)).values()) > _MOST_ALIKE:
        raise Unreadable(f"of {len(items):,} items of a set or keys of a dict, more than {_MOST_ALIKE} have one hash")
    return items


def _read_dict(value: dict[str, Any]) -> dict[Any, Any]:
    pairs = [_expect(list, pair) for pair in _items(value)]
    _hashable([pair[0] for pair in pairs])
    return dict(pairs)


def _read_float(value: dict[str, Any]) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[_text(value)]


def _read_timedelta(value: dict[str, Any]) -> dt.timedelta:
    days, seconds, microseconds = (_expect(int, part) for part in _items(value))
    return dt.timedelta(days, seconds, microseconds)


def _read_iso(kind: type[Moment], text: str) -> Moment:
    moment = kind.fromisoformat(text)
    if moment.tzinfo is dt.UTC and not text.endswith("+00:00"):
        # Python takes an offset of less than a second for none.
        offset = _LESS_THAN_A_SECOND.search(text)
        if offset is not None:
            return moment.replace(tzinfo=dt.timezone(dt.timedelta(microseconds=int(offset[1] + offset[2]))))
    return moment


def _read_datetime(value: dict[str, Any]) -> dt.datetime:
    moment = _read_iso(dt.datetime, _text(value)).replace(fold=value.get("fold", 0))
    if "zone" not in value:
        return moment
    if moment.tzinfo is None:
        raise ValueError("a time in a named zone has no offset from UTC")
    zoned = moment.replace(tzinfo=_zone(value))
    # Where this machine's rules for the zone are not those of the writer's, the instant is what must not change.
    return zoned if zoned.utcoffset() == moment.utcoffset() else moment.astimezone(zoned.tzinfo)


def _read_time(value: dict[str, Any]) -> dt.time:
    time = _read_iso(dt.time, _text(value)).replace(fold=value.get("fold", 0))
    return time.replace(tzinfo=_zone(value)) if "zone" in value else time


def _zone(value: dict[str, Any]) -> dt.tzinfo:
    from zoneinfo import ZoneInfo

    key = _expect(str, value["zone"])
    try:
        return ZoneInfo(key)
    except (OSError, LookupError) as error:
        raise Unreadable(f"this machine has no data for the time zone {reprlib.repr(key)}") from error


def _registered_type(value: dict[str, Any]) -> type:
    name = _expect(str, value["t"])
    if name not in registered_types:
        raise Unreadable(
            f"the type {name[:100]!r} is not registered in this process; "
            "apply JSONSerializer.register to it, in a module that this process imports"
        )
    return registered_types[name]


def _read_enum(value: dict[str, Any]) -> enum.Enum:
    cls = _registered_type(value)
    if not issubclass(cls, enum.Enum):
        raise TypeError(f"{type_name(cls)} is not an Enum")
    if issubclass(cls, enum.Flag):
        return cls(_expect(int, value["v"]))
    name = _text(value)
    if name not in cls.__members__:
        raise Unreadable(f"{type_name(cls)} has no member {reprlib.repr(name)}")
    return cls[name]


def _read_dataclass(value: dict[str, Any]) -> Any:
    cls = _registered_type(value)
    given = _expect(dict, value["v"])
    fields = dataclasses.fields(cls)
    try:
        unknown = given.keys() - {field.name for field in fields}
        if unknown:
            raise TypeError(f"it has no field {reprlib.repr(min(unknown))}")
        # Without a call of anything: as it was sent, its __post_init__ has been done.
        made: Any = object.__new__(cls)
        for field in fields:
            # A frozen dataclass refuses plain assignment.
            object.__setattr__(made, field.name, given[field.name] if field.name in given else _default(field))
    except Exception as error:
        raise Unreadable(f"{type_name(cls)} cannot be made from its fields: {error}") from error
    return made


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        raise TypeError(f"the message lacks {field.name!r}, which has no default")
    return field.default


_READERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "tuple": lambda value: tuple(_items(value)),
    "set": lambda value: set(_hashable(_items(value))),
    "frozenset": lambda value: frozenset(_hashable(_items(value))),
    "dict": _read_dict,
    "bytes": lambda value: base64.b64decode(_text(value), validate=True),
    "int": lambda value: int(_text(value)),
    "float": _read_float,
    "decimal": lambda value: Decimal(_text(value)),
    "uuid": lambda value: UUID(_text(value)),
    "date": lambda value: dt.date.fromisoformat(_text(value)),
    "datetime": _read_datetime,
    "time": _read_time,
    "timedelta": _read_timedelta,
    "enum": _read_enum,
    "dataclass": _read_dataclass,
}
