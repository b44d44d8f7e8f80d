"""The serializers of the core keep every promise of the contract."""

from __future__ import annotations

import json

import pytest

from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.pickle import PickleSerializer
from huey_core.serializers.signed import SignedSerializer
from huey_testing.conformance import Carried, SerializerConformance, WrappingSerializerConformance

ALIKE = [number * (2**61 - 1) for number in range(50_000)]
"""Numbers of one hash, so that a set of them takes the time of their square."""


class TestJSON(SerializerConformance):
    carries = frozenset(Carried)
    hostile = (
        json.dumps({"$": "set", "v": ALIKE}).encode(),
        json.dumps({"$": "frozenset", "v": ALIKE}).encode(),
        json.dumps({"$": "dict", "v": [[number, 0] for number in ALIKE]}).encode(),
        json.dumps({"$": "int", "v": "9" * 1_000_000}).encode(),
        b"9" * 1_000_000,
        b'{"$":"tuple","v":[' * 100_000,
    )

    @pytest.fixture
    def make_serializer(self):
        return JSONSerializer


class TestPickle(SerializerConformance):
    carries = frozenset(Carried)

    @pytest.fixture
    def make_serializer(self):
        return PickleSerializer


class TestSigned(WrappingSerializerConformance):
    @pytest.fixture
    def wrap(self):
        return lambda inner: SignedSerializer(inner, keys=["the key of the conformance kit"])
