"""What is particular to MessagePack: its bytes, its integers, and the messages of other writers."""

from __future__ import annotations

import datetime as dt
import enum
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.exceptions import DecodeError, EncodeError
from huey_core.plugins.serializers import serializer
from huey_core.serializers.json import JSONSerializer
from huey_msgpack import MessagePackSerializer

SERIALIZER = MessagePackSerializer()


@MessagePackSerializer.register
class Suit(enum.Flag):
    RED = 2**70
    BLACK = 1


@JSONSerializer.register
class Colour(enum.Enum):
    RED = "red"


def test_it_is_found_by_its_name():
    assert type(serializer("msgpack")) is MessagePackSerializer


def test_plain_values_and_bytes_are_written_as_messagepack_has_them():
    value = [None, True, 1, 2**64 - 1, -(2**63), 1.5, float("inf"), "text", b"bytes", {"key": [1]}]

    assert SERIALIZER.encode(value) == msgpack.encode(value)


@pytest.mark.parametrize("value", [(1,), {1}, {1: 2}, {"$": 1}, dt.date(2030, 1, 1), [(1, {"deep": (2,)})]])
def test_other_values_have_the_tags_of_json(value):
    tagged = json.loads(JSONSerializer().encode(value))

    assert msgpack.decode(SERIALIZER.encode(value)) == tagged


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**4000])
def test_an_integer_beyond_64_bits_travels_as_its_digits(number):
    assert msgpack.decode(SERIALIZER.encode([number])) == [{"$": "int", "v": str(number)}]
    assert SERIALIZER.decode(SERIALIZER.encode([number])) == [number]


def test_an_integer_with_more_digits_than_python_reads_is_refused_with_its_place():
    with pytest.raises(EncodeError, match=r"msgpack cannot carry an integer of so many digits, found at value\[1\]"):
        SERIALIZER.encode([1, 10**5000])


def test_text_that_is_not_unicode_is_refused_with_its_place():
    with pytest.raises(EncodeError, match=r"msgpack cannot carry text .* found at value\['a'\]\[0\]"):
        SERIALIZER.encode({"a": ["\ud800"]})


def test_a_type_is_registered_once_for_json_and_for_messagepack():
    assert SERIALIZER.decode(SERIALIZER.encode([Colour.RED])) == [Colour.RED]
    assert JSONSerializer().decode(JSONSerializer().encode(Suit.BLACK)) == Suit.BLACK


def test_a_flag_beyond_64_bits_comes_back():
    assert SERIALIZER.decode(SERIALIZER.encode(Suit.RED | Suit.BLACK)) == Suit.RED | Suit.BLACK


@pytest.mark.parametrize("key", [b"\xa1$", b"\xd9\x01$", b"\xda\x00\x01$", b"\xdb\x00\x00\x00\x01$"])
def test_a_tag_is_a_tag_however_its_length_is_written(key):
    assert SERIALIZER.decode(b"\x82" + key + b"\xa5tuple\xa1v\x91\x01") == (1,)


def test_numbers_as_keys_by_another_writer_are_read():
    assert SERIALIZER.decode(b"\x81\x01\x02") == {1: 2}


def test_a_timestamp_by_another_writer_is_read():
    moment = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

    assert SERIALIZER.decode(msgpack.encode(moment)) == moment


@pytest.mark.parametrize(
    ("data", "message"),
    [
        *((each, ".") for each in (b"", b"\x01\x01", b"\xc1", b"\xa1\xff", b"\x81\x80\x01")),
        (b"\xd4\x05x", "extension type 5 is not known here"),
        (b"\x91" * 100_000, "RecursionError"),
        (msgpack.encode({"$": "code", "v": 1}), "'code' is no tag that this version knows"),
        (msgpack.encode({"$": "tuple"}), "KeyError: 'v'"),
        (msgpack.encode({"$": "int", "v": 1}), "int in place of str"),
        (msgpack.encode({"$": "dataclass", "t": "subprocess.Popen", "v": {}}), "'subprocess.Popen' is not registered"),
    ],
)
def test_damaged_bytes_are_refused_with_the_reason_in_one_line(data, message):
    with pytest.raises(DecodeError, match=f"^the bytes cannot be read as msgpack: .*{message}") as caught:
        SERIALIZER.decode(data)

    assert "\n" not in str(caught.value)


tags = st.sampled_from(["tuple", "set", "dict", "int", "bytes", "datetime", "timedelta", "enum", "dataclass"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text() | st.integers(-9, 9), children, max_size=3)
        | st.fixed_dictionaries({"$": tags | children, "v": children})
        | st.fixed_dictionaries({"$": tags, "v": children, "t": st.just(f"{__name__}.Suit") | children})
    ),
    max_leaves=8,
)


@given(anything)
def test_whatever_is_read_can_be_written_again_and_the_rest_is_refused(value: Any):
    try:
        read = SERIALIZER.decode(msgpack.encode(value))
    except DecodeError:
        return
    SERIALIZER.encode(read)


def test_a_command_and_its_result_travel_in_it():
    invoker = Invoker.from_url("memory://?serializer=msgpack", always_eager=True, registry=CommandRegistry())

    @queue_command(invoker)
    def echo(thing):
        return thing

    assert echo((b"\x00", {1: {2**80}})).get() == (b"\x00", {1: {2**80}})
