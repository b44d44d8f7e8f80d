"""What the promises of serializers are tried with: values, how to compare them, and bytes that do harm."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import fractions
import math
import pickle
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from huey_core.serializers import register

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CARRIED", "PLAIN", "STRANGE", "UNCARRIABLE", "Carried", "Detonator", "depth_of", "nested", "same"]


class Carried(enum.Enum):
    """What a serializer may carry beyond the plain values of JSON."""

    BIG_INTEGERS = "int beyond 64 bits"
    NOT_FINITE = "float inf, -inf and nan"
    KEYS = "dict with keys other than text"
    TUPLE = "tuple"
    SET = "set"
    FROZENSET = "frozenset"
    BYTES = "bytes"
    DECIMAL = "Decimal"
    UUID = "UUID"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime, without a zone or with an offset from UTC"
    ZONES = "datetime in a named time zone"
    TIMEDELTA = "timedelta"
    ENUM = "Enum that is registered"
    DATACLASS = "dataclass that is registered"


@register
class Colour(enum.Enum):
    """An Enum that is registered."""

    RED = "red"
    GREEN = ("g", 1)


@register
@dataclasses.dataclass(frozen=True)
class Point:
    """A dataclass that is registered, and becomes another one each time it is made anew."""

    x: int
    y: Any = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", self.x + 1)


class Level(enum.IntEnum):
    """An Enum that is not registered, and equals a number."""

    LOW = 1


class Pair(NamedTuple):
    """A tuple that is not exactly a tuple."""

    left: int
    right: int


class Text(str):
    """A text that is not exactly text."""

    __slots__ = ()


class Items(list[int]):
    """A list that is not exactly a list."""


@dataclasses.dataclass
class Unregistered:
    """A dataclass that is not registered."""

    x: int


_SCALARS: Final[st.SearchStrategy[Any]] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("$")
)

PLAIN: Final[st.SearchStrategy[Any]] = st.recursive(
    _SCALARS, lambda inside: st.lists(inside) | st.dictionaries(st.text() | st.just("$"), inside), max_leaves=10
)
"""The plain values of JSON, integers of 64 bits."""

_OFFSETS: Final[st.SearchStrategy[Any]] = st.builds(
    dt.timezone, st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timedelta(minutes=minutes))
)
_NAMES: Final = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"}


def _zones() -> st.SearchStrategy[Any]:
    """Time zones that this machine has data for, or else just UTC."""
    names = sorted(_NAMES & available_timezones())
    return st.sampled_from(names).map(ZoneInfo) if names else st.just(dt.UTC)


_MOMENTS: Final = {"min_value": dt.datetime(1, 1, 3), "max_value": dt.datetime(9999, 12, 29)}

CARRIED: Final[dict[Carried, st.SearchStrategy[Any]]] = {
    Carried.BIG_INTEGERS: st.integers(min_value=2**64) | st.integers(max_value=-(2**63) - 1) | st.just(2**63),
    Carried.NOT_FINITE: st.sampled_from([math.inf, -math.inf, math.nan]),
    Carried.KEYS: st.dictionaries(st.none() | st.booleans() | st.integers(-9, 9) | st.just("$") | st.text(), PLAIN),
    Carried.TUPLE: st.lists(PLAIN, max_size=4).map(tuple),
    Carried.SET: st.sets(_SCALARS, max_size=4),
    Carried.FROZENSET: st.frozensets(_SCALARS, max_size=4),
    Carried.BYTES: st.binary(),
    Carried.DECIMAL: st.decimals(allow_nan=False) | st.just(Decimal("1.10")),
    Carried.UUID: st.uuids(),
    Carried.DATE: st.dates(),
    Carried.TIME: st.times(),
    Carried.DATETIME: st.datetimes(**_MOMENTS, timezones=st.none() | _OFFSETS),
    Carried.ZONES: st.datetimes(**_MOMENTS, timezones=st.deferred(_zones)),
    Carried.TIMEDELTA: st.timedeltas(),
    Carried.ENUM: st.sampled_from(Colour),
    Carried.DATACLASS: st.builds(Point, st.integers(-9, 9), PLAIN),
}
"""Values of each kind."""

STRANGE: Final[st.SearchStrategy[Any]] = st.sampled_from([
    Pair(1, 2),
    Text("text"),
    Items([1, 2]),
    Level.LOW,
    collections.OrderedDict(a=1),
    collections.defaultdict(int, a=1),
    collections.deque([1]),
    bytearray(b"bytes"),
    fractions.Fraction(1, 3),
    range(3),
    1j,
    "\ud800",
    {"\ud800": 1},
    Unregistered(1),
    {Text("key"): 1},
    {(1, (2,)): 1},
    Exception,
    len,
])  # fmt: skip
"""Values that are easily taken for others."""

UNCARRIABLE: Final[dict[str, Callable[[], Any]]] = {
    "a lock": threading.Lock,
    "a generator": lambda: (number for number in range(3)),
    "a lock in a list": lambda: [1, threading.Lock()],
    "a lock in a dict": lambda: {"key": {"lock": threading.Lock()}},
    "a generator in a tuple": lambda: (1, (number for number in range(3))),
}
"""Values that mean nothing in another process."""


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal with equal types throughout, which ``==`` does not ask: ``1 == True``."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, set | frozenset):
        return bool(left == right) and collections.Counter(map(type, left)) == collections.Counter(map(type, right))
    if isinstance(left, float | Decimal):
        return repr(left) == repr(right)
    if isinstance(left, dt.datetime | dt.time):
        return bool(left == right) and (left.fold, left.tzinfo) == (right.fold, right.tzinfo)
    if isinstance(left, Point):
        return same((left.x, left.y), (right.x, right.y))
    return bool(left == right)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list..."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def depth_of(value: Any) -> int:
    """How many lists are in each other, without a recursion of its own."""
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


class Detonator:
    """Bytes that leave a trace when a reader runs what they say, in the ways in which readers have been known to."""

    went_off: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return detonate, ()

    @classmethod
    def payloads(cls) -> list[bytes]:
        """A pickle of every protocol, an expression of Python, and an object of YAML."""
        here = f"{__name__}.{detonate.__qualname__}"
        called = f"__import__('importlib').import_module({__name__!r}).{detonate.__qualname__}()"
        return [
            *(pickle.dumps(cls(), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
            called.encode(),
            f"[{called}]".encode(),
            f"!!python/object/apply:{here} []".encode(),
            f'{{"py/reduce": [{{"py/function": "{here}"}}, {{"py/tuple": []}}]}}'.encode(),
        ]


def detonate() -> None:
    """Leave the trace."""
    Detonator.went_off = True
