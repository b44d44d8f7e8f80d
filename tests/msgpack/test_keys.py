"""Keys that are arrays are few, or the body is refused before anything is made of it."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from huey_msgpack._keys import MOST_ARRAYS, SMALL, refuse_many_arrays

integers = st.integers(-(2**63), 2**64 - 1)
scalars = st.none() | st.booleans() | integers | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars | st.sampled_from([b"x" * 300, "x" * 300, b"x" * 70_000, "x" * 70_000, [1.5] * 20, list(range(-40, 300))]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | integers, inner),
    max_leaves=20,
)


def many_arrays(count: int) -> bytes:
    """A map with so many keys that are arrays, and as many that are not."""
    keys = [bytes([0x97, *key]) for key in itertools.islice(itertools.product(b"\xff\xfe", repeat=7), count)]
    pairs = [key + b"\xc0" + msgpack.encode(str(key)) + b"\xc0" for key in keys]
    return b"\xde" + (2 * count).to_bytes(2) + b"".join(pairs)


@given(before=st.lists(values), value=values, after=values)
def test_they_are_found_whatever_is_around_them(before, value, after):
    odd = many_arrays(MOST_ARRAYS + 1)
    within = b"\x93" + msgpack.encode([*before, value]) + odd + msgpack.encode(after)

    with pytest.raises(ValueError, match="more than 100 keys of a map are arrays"):
        refuse_many_arrays(b"\x92" + msgpack.encode(b"x" * SMALL) + within)


@given(value=values, other=values)
def test_other_bodies_pass(value, other):
    large = [value, {str(number): other for number in range(20)}, many_ints(), b"x" * SMALL]

    refuse_many_arrays(b"\x92" + many_arrays(MOST_ARRAYS) + msgpack.encode(large))


def many_ints():
    return {number: [number] for number in range(MOST_ARRAYS + 1)}


@given(st.binary())
def test_any_bytes_pass_or_are_refused(data):
    with suppress(ValueError):
        refuse_many_arrays(b"\xdf" + (2**32 - 1).to_bytes(4) + data + b"x" * SMALL)


def test_what_is_nested_without_end_takes_no_memory():
    refuse_many_arrays(b"\xde\x00\x01\x00" + b"\x91" * 1_000_000)
