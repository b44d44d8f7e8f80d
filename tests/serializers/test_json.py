"""The default serializer: values come back as they were, or are refused with their place."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.exceptions import DecodeError, EncodeError
from huey_core.serializers.json import MAX_DEPTH, JSONSerializer

SERIALIZER = JSONSerializer()
BERLIN = ZoneInfo("Europe/Berlin")


@JSONSerializer.register
class Colour(enum.Enum):
    RED = "red"
    GREEN = object()


@JSONSerializer.register
class Level(enum.IntEnum):
    LOW = 1


@JSONSerializer.register
class Access(enum.Flag, boundary=enum.STRICT):
    READ = 1
    WRITE = 2


@JSONSerializer.register
@dataclass(frozen=True)
class Point:
    x: int
    y: Any = 0
    length: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        if self.x == 666:
            raise ValueError("no such point")


@JSONSerializer.register
@dataclass
class Line:
    points: tuple[Point, ...]
    colour: Colour = Colour.RED


class Unregistered(enum.Enum):
    ONE = 1


@dataclass
class UnregisteredPoint:
    x: int


class Pair(NamedTuple):
    a: int
    b: int


class Text(str):
    """A text that is not exactly ``str``."""


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal with equal types throughout, which ``==`` does not ask: ``1 == True``."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, dt.datetime | dt.time):
        return bool(left == right) and left.fold == right.fold and same_zone(left.tzinfo, right.tzinfo)
    return bool(left == right)


def same_zone(left: dt.tzinfo | None, right: dt.tzinfo | None) -> bool:
    return type(left) is type(right) and left == right


def round_trip(value: Any) -> Any:
    return SERIALIZER.decode(SERIALIZER.encode(value))


offsets = st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)))
zones = st.none() | offsets | st.timezones()
hashables = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.just("$")
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times(timezones=zones)
    | st.datetimes(timezones=zones)
    | st.timedeltas()
    | st.sampled_from([*Colour, *Level, *Access, Access.READ | Access.WRITE, Access(0)])
    | st.builds(Point, st.integers(0, 99)),
    lambda children: st.lists(children, max_size=4).map(tuple) | st.frozensets(children, max_size=4),
    max_leaves=5,
)
values = st.recursive(
    hashables,
    lambda children: (
        st.lists(children)
        | st.lists(children).map(tuple)
        | st.dictionaries(st.text(), children)
        | st.dictionaries(hashables, children)
        | st.sets(hashables, max_size=4)
        | st.builds(Point, st.just(1), children)
    ),
    max_leaves=10,
)


@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert same(round_trip(value), value)


@given(values)
def test_the_output_is_strict_json_in_utf_8(value: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(SERIALIZER.encode(value).decode("utf-8"), parse_constant=refuse)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_plain_values_are_written_as_json_writes_them(value: Any) -> None:
    if b'"$"' not in json.dumps(value).encode():
        assert SERIALIZER.encode(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        SERIALIZER.decode(data)
    except DecodeError:
        return
    json.loads(data)


tags = st.sampled_from([
    "tuple", "set", "frozenset", "dict", "bytes", "float", "decimal", "uuid", "date", "datetime", "time", "timedelta",
    "enum", "dataclass",
])  # fmt: skip
type_names = st.sampled_from([f"{kind.__module__}.{kind.__qualname__}" for kind in (Colour, Access, Point, Line)])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2030-01-01T00:00:00"),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text(), children, max_size=3)
        | st.fixed_dictionaries({"$": tags | children, "v": children})
        | st.fixed_dictionaries({"$": tags, "v": children, "t": type_names | children})
        | st.fixed_dictionaries({"$": tags, "v": children, "zone": children, "fold": children})
    ),
    max_leaves=8,
)


@given(anything)
def test_whatever_tags_are_read_can_be_written_again_and_the_others_are_refused(value: Any) -> None:
    try:
        read = SERIALIZER.decode(json.dumps(value).encode())
    except DecodeError:
        return
    SERIALIZER.encode(read)


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinities_come_back(number: float) -> None:
    assert round_trip([number, {"x": (number,)}]) == [number, {"x": (number,)}]


def test_nan_comes_back() -> None:
    assert math.isnan(round_trip(math.nan))


def test_keys_of_a_dict_are_not_turned_into_text() -> None:
    assert round_trip({1: "a", None: "b", (2, 3): "c"}) == {1: "a", None: "b", (2, 3): "c"}


def test_a_dict_with_the_tag_key_is_a_dict() -> None:
    value = {"$": "tuple", "v": [1, 2]}

    assert same(round_trip(value), value)


def test_a_tag_written_with_an_escape_is_a_tag() -> None:
    assert SERIALIZER.decode(b'{"\\u0024": "tuple", "v": [1]}') == (1,)


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("zone", [None, BERLIN, dt.UTC, dt.timezone(dt.timedelta(hours=1))], ids=str)
def test_the_fold_of_an_ambiguous_time_is_kept(zone: dt.tzinfo | None, fold: int) -> None:
    value = dt.datetime(2030, 10, 27, 2, 30, tzinfo=zone, fold=fold)

    assert same(round_trip(value), value)


@pytest.mark.parametrize("microseconds", [1, -999_999])
def test_an_offset_of_less_than_a_second_comes_back(microseconds: int) -> None:
    zone = dt.timezone(dt.timedelta(microseconds=microseconds))
    value = [dt.datetime(2030, 1, 1, tzinfo=zone), dt.time(1, tzinfo=zone)]

    assert same(round_trip(value), value)


def test_a_zone_whose_rules_differ_here_keeps_the_instant() -> None:
    data = b'{"$":"datetime","v":"2030-07-01T12:00:00+05:00","zone":"Europe/Berlin"}'

    assert same(SERIALIZER.decode(data), dt.datetime(2030, 7, 1, 9, 0, tzinfo=BERLIN))


def test_a_dataclass_takes_defaults_for_fields_that_the_message_lacks() -> None:
    data = json.dumps({"$": "dataclass", "t": f"{__name__}.Point", "v": {"x": 5}}).encode()

    assert SERIALIZER.decode(data) == Point(5, 0)


def test_nested_registered_types_come_back() -> None:
    value = Line((Point(1, [2]), Point(3)), Colour.GREEN)

    assert round_trip({"line": value}) == {"line": value}


def nested(depth: int, wrap: Any) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPPERS = [lambda v: [v], lambda v: (v,), lambda v: {"x": v}, lambda v: {1: v}, lambda v: Point(1, v)]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_the_deepest_value_that_is_written_can_be_read(wrap: Any) -> None:
    # Equality of dataclasses recurses too, so the bytes are compared.
    data = SERIALIZER.encode(nested(MAX_DEPTH, wrap))

    assert SERIALIZER.encode(SERIALIZER.decode(data)) == data


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_value_nested_deeper_is_refused(wrap: Any) -> None:
    with pytest.raises(EncodeError, match="nested more than 100 deep"):
        SERIALIZER.encode(nested(MAX_DEPTH + 1, wrap))


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append({"x": value})

    with pytest.raises(EncodeError, match=r"contains itself\), found at value\[0\]\['x'\]\[0\]\['x'\].*\.\.\.$"):
        SERIALIZER.encode(value)


def test_bytes_nested_without_end_are_refused() -> None:
    with pytest.raises(DecodeError):
        SERIALIZER.decode(b"[" * 100_000)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, r"a value of type complex, found at value$"),
        ([0, {"x": [object()]}], r"type object, found at value\[1\]\['x'\]\[0\]$"),
        ((0, (object(),)), r"found at value\[1\]\[0\]$"),
        ({1: {2: object()}}, r"found at value\[1\]\[2\]$"),
        ({(1, 1j): 0}, r"found at value\{key\}\[1\]$"),
        ([{1j}], r"found at value\[0\]\{\.\.\.\}$"),
        ([Point(1, object())], r"found at value\[0\]\.y$"),
        ([Text("x")], r"Text \(only exact types are carried: convert it to str\), found at value\[0\]$"),
        ([Pair(1, 2)], r"convert it to tuple\)"),
        ([collections.OrderedDict()], r"convert it to dict\)"),
        ([bytearray(b"x")], r"type bytearray"),
        ([Unregistered.ONE], r"Unregistered \(register it with JSONSerializer.register\)"),
        ([UnregisteredPoint(1)], r"UnregisteredPoint \(register it"),
        ([math.nan, "\ud800"], r"lone surrogate\), found at value\[1\]$"),
        ({"a": {"\ud800": 1}}, r"lone surrogate\), found at value\['a'\]\{key\}$"),
        ([10**5000], r"an integer of so many digits, found at value\[0\]$"),
        ([dt.datetime(2030, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {"utcoffset": lambda *_: None})())], "whose zone"),
    ],
)
def test_what_cannot_come_back_is_refused_with_type_and_place(value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        SERIALIZER.encode(value)


def test_a_dataclass_that_lost_a_field_is_refused() -> None:
    line = Line(())
    del line.points

    with pytest.raises(EncodeError, match=r"Line that has no 'points', found at value\[0\]$"):
        SERIALIZER.encode([line])


def test_a_refusal_names_the_type_and_not_the_value() -> None:
    with pytest.raises(EncodeError) as caught:
        SERIALIZER.encode([Text("private")])

    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "JSONDecodeError"),
        (b"{", "JSONDecodeError"),
        (b"\xff", "UnicodeDecodeError"),
        (b"[NaN]", "NaN is not JSON"),
        (b'{"$": "code", "v": 1}', "'code' is no tag that this version knows"),
        (b'{"$": ["tuple"], "v": 1}', "no tag"),
        (b'{"$": "tuple"}', "KeyError: 'v'"),
        (b'{"$": "tuple", "v": "ab"}', "str in place of list"),
        (b'{"$": "set", "v": [[]]}', "TypeError"),
        (b'{"$": "bytes", "v": "="}', "Error"),
        (b'{"$": "decimal", "v": "x"}', "InvalidOperation"),
        (b'{"$": "timedelta", "v": [1, 2]}', "ValueError"),
        (b'{"$": "datetime", "v": "2030-01-01T00:00:00Z", "zone": "No/Where"}', "no data for the time zone 'No/Where'"),
        (b'{"$": "datetime", "v": "2030-01-01T00:00:00Z", "zone": "Europe"}', "no data for the time zone 'Europe'"),
        (b'{"$": "datetime", "v": "2030-01-01T00:00:00Z", "zone": "../x"}', "ValueError"),
        (b'{"$": "datetime", "v": "2030-01-01T00:00:00", "zone": "UTC"}', "no offset"),
        (b'{"$": "enum", "t": "os.path", "v": "x"}', "'os.path' is not registered in this process"),
        (b'{"$": "dataclass", "t": "subprocess.Popen", "v": {}}', "'subprocess.Popen' is not registered"),
    ],
)
def test_damaged_bytes_are_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        SERIALIZER.decode(data)


@pytest.mark.parametrize(
    ("tag", "name", "content", "message"),
    [
        ("enum", "Colour", "BLUE", "Colour has no member 'BLUE'"),
        ("enum", "Access", "READ", "str in place of int"),
        ("enum", "Access", 64, "invalid value 64"),
        ("enum", "Point", "x", "Point is not an Enum"),
        ("dataclass", "Point", {}, "Point cannot be made from its fields"),
        ("dataclass", "Point", {"x": 1, "z": 2}, "Point cannot be made from its fields"),
        ("dataclass", "Point", {"x": 1, "__class__": 2}, "Point cannot be made from its fields: it has no field"),
        ("dataclass", "Colour", {}, "dataclass"),
    ],
)
def test_damaged_registered_types_are_refused_in_one_line(tag: str, name: str, content: object, message: str) -> None:
    data = json.dumps({"$": tag, "t": f"{__name__}.{name}", "v": content}).encode()

    with pytest.raises(DecodeError, match=message) as caught:
        SERIALIZER.decode(data)

    assert "\n" not in str(caught.value)


def test_the_name_is_json() -> None:
    assert SERIALIZER.name == "json"


def test_decimals_and_uuids_keep_their_form() -> None:
    value = [decimal.Decimal("1.10"), uuid.UUID(int=1)]

    assert [str(item) for item in round_trip(value)] == ["1.10", "00000000-0000-0000-0000-000000000001"]


@pytest.mark.parametrize("tag", ["set", "frozenset", "dict"])
def test_items_that_were_chosen_for_their_hash_are_refused_before_they_take_their_time(tag: str) -> None:
    numbers = [number * (2**61 - 1) for number in range(20_000)]
    data = json.dumps({"$": tag, "v": [[number, 0] for number in numbers] if tag == "dict" else numbers}).encode()

    with pytest.raises(DecodeError, match="of 20,000 items of a set or keys of a dict, more than 100 have one hash"):
        SERIALIZER.decode(data)


def test_so_are_a_few_of_them_because_there_may_be_many_such_sets() -> None:
    numbers = [number * (2**61 - 1) for number in range(101)]

    with pytest.raises(DecodeError, match="of 101 items of a set or keys of a dict, more than 100 have one hash"):
        SERIALIZER.decode(json.dumps({"$": "set", "v": numbers}).encode())


def test_many_items_with_hashes_of_their_own_are_read() -> None:
    value = [set(range(20_000)), {(number, "key"): number for number in range(20_000)}]

    assert round_trip(value) == value
