"""Layers that are put together by hand are held to the same order as those of a name."""

from __future__ import annotations

import pytest

from huey_core.exceptions import ConfigurationError
from huey_core.serializers.base import Serializer, WrappingSerializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.pickle import PickleSerializer
from huey_core.serializers.signed import SignedSerializer

KEYS = ["the key of the tests of layers"]


class Zip(WrappingSerializer):
    """A layer that verifies nothing."""

    suffix = "zip"

    def wrap(self, body: bytes, context: bytes) -> bytes:
        return body

    def unwrap(self, data: bytes, context: bytes, max_size: int) -> bytes:
        return data


class Lock(Zip):
    """A layer that verifies, as an encryption would."""

    suffix = "lock"
    authenticates = True


def signed(inner: Serializer) -> SignedSerializer:
    return SignedSerializer(inner, keys=KEYS)


def test_a_layer_around_a_signature_is_refused_with_the_right_order():
    with pytest.raises(ConfigurationError) as caught:
        Zip(signed(PickleSerializer()))

    assert str(caught.value) == (
        "in the serializer 'pickle|signed|zip', 'zip' would read what 'signed' has not verified yet, "
        "for the outermost layer reads first; write 'pickle|zip|signed'"
    )


def test_a_signature_around_a_layer_is_accepted():
    assert signed(Zip(JSONSerializer())).name == "json|zip|signed"


def test_a_layer_that_authenticates_may_be_around_a_signature():
    assert Lock(signed(Zip(JSONSerializer()))).name == "json|zip|signed|lock"


def test_a_layer_around_one_that_authenticates_is_refused_however_deep_that_is():
    class Store(Lock):
        suffix = "store"

    with pytest.raises(ConfigurationError, match=r"'zip' would read what 'signed'.*write 'json\|zip\|signed\|store'"):
        Zip(Store(signed(JSONSerializer())))


@pytest.mark.parametrize("layer", [Zip, Lock, signed])
def test_the_same_layer_twice_is_refused(layer):
    with pytest.raises(ConfigurationError, match=r"has the layer '(\w+)' twice; write 'json\|\1'"):
        layer(layer(JSONSerializer()))


@pytest.mark.parametrize(
    ("serializer", "runs_code"),
    [
        (JSONSerializer(), False),
        (PickleSerializer(), True),
        (Zip(JSONSerializer()), False),
        (Zip(PickleSerializer()), True),
        (signed(PickleSerializer()), False),
        (signed(Zip(PickleSerializer())), False),
        (Lock(signed(PickleSerializer())), False),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_pickle_may_run_code_until_a_layer_authenticates_it(serializer, runs_code):
    assert serializer.runs_code is runs_code
