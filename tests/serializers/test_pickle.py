"""Pickle: what it carries, and how it fails."""

from __future__ import annotations

import collections
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.exceptions import DecodeError, EncodeError
from huey_core.serializers.pickle import PickleSerializer

SERIALIZER = PickleSerializer()


@given(st.recursive(st.none() | st.integers() | st.binary() | st.text(), lambda c: st.lists(c) | st.tuples(c, c)))
def test_values_come_back_as_they_were(value: Any) -> None:
    assert SERIALIZER.decode(SERIALIZER.encode(value)) == value


def test_it_carries_what_json_refuses() -> None:
    value = collections.OrderedDict(a=1j)

    assert SERIALIZER.decode(SERIALIZER.encode(value)) == value


def test_the_protocol_is_fixed_so_that_older_processes_can_read() -> None:
    assert SERIALIZER.encode(None).startswith(b"\x80\x05")


def test_a_value_that_cannot_be_pickled_is_refused_with_its_type() -> None:
    with pytest.raises(EncodeError, match="a value of type function") as caught:
        SERIALIZER.encode(lambda: None)

    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x05", b"cno_such_module\nx\n."])
def test_damaged_bytes_are_refused_with_their_cause(data: bytes) -> None:
    with pytest.raises(DecodeError, match="cannot be read as pickle") as caught:
        SERIALIZER.decode(data)

    assert caught.value.__cause__ is not None


def test_the_name_is_pickle() -> None:
    assert SERIALIZER.name == "pickle"
