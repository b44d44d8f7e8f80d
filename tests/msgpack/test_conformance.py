"""huey-msgpack keeps every promise of the contract."""

from __future__ import annotations

import itertools

import pytest
from msgspec.msgpack import encode

from huey_msgpack import MessagePackSerializer
from huey_testing.conformance import Carried, SerializerConformance

ALIKE = [{"$": "int", "v": str(number * (2**61 - 1))} for number in range(50_000)]
"""Numbers of one hash, so that a set of them takes the time of their square."""

MANY_TUPLES = (
    b"\xdf"
    + (2**16).to_bytes(4)
    + b"".join(b"\xdc\x00\x10" + bytes(key) + b"\xc0" for key in itertools.product(b"\xff\xfe", repeat=16))
)
"""A map whose keys are lists of -1 and -2, which have one hash, and so have the tuples that are made of them."""


class TestMessagePack(SerializerConformance):
    carries = frozenset(Carried)
    hostile = (
        encode({"$": "set", "v": ALIKE}),
        encode({"$": "dict", "v": [[number, 0] for number in ALIKE]}),
        encode({"$": "int", "v": "9" * 1_000_000}),
        MANY_TUPLES,
        b"\x91" + MANY_TUPLES,
        # Containers in each other, of which each says that it holds all the bytes that follow.
        b"\xdd\x00\x0f\x00\x00" * 100 + bytes(2**20),
        b"\xdf\x00\x07\x00\x00" * 100 + bytes(2**20),
        b"\x81\xa1$\xa5tuple\xa1v" * 100_000,
    )

    @pytest.fixture
    def make_serializer(self):
        return MessagePackSerializer
