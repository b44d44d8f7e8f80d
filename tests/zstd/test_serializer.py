"""What is particular to zstd: what is compressed and the limit on what is unpacked."""

from __future__ import annotations

import os
import sys

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.exceptions import ConfigurationError, DecodeError
from huey_core.plugins.serializers import serializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.pickle import PickleSerializer
from huey_core.serializers.signed import SignedSerializer
from huey_zstd import ZstdSerializer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEYS = ["the key of the tests of zstd"]
LONG = "a" * 10_000


def zipped() -> ZstdSerializer:
    return ZstdSerializer(JSONSerializer())


def in_pieces(body: bytes) -> bytes:
    """A frame that does not say how many bytes it unpacks to."""
    compressor = zstd.ZstdCompressor()
    return compressor.compress(body) + compressor.flush()


def test_it_is_found_by_its_name():
    assert serializer("json|zstd").name == "json|zstd"


def test_a_long_body_is_one_frame_that_any_reader_unpacks():
    data = zipped().encode(LONG)

    assert zstd.decompress(data) == JSONSerializer().encode(LONG)
    assert len(data) < 100


@pytest.mark.parametrize("value", [[], "a" * 200])
def test_a_short_body_goes_as_it_is_behind_one_byte(value):
    assert zipped().encode(value) == b"\x00" + JSONSerializer().encode(value)


def test_a_body_that_would_not_shrink_goes_as_it_is_behind_one_byte():
    noise = os.urandom(5000)
    layer = ZstdSerializer(PickleSerializer())

    assert layer.encode(noise) == b"\x00" + PickleSerializer().encode(noise)


def test_a_frame_by_another_writer_is_read_whatever_it_says_of_its_size():
    assert zipped().decode(in_pieces(b'["text"]')) == ["text"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zstd.compress(bytes(1001)), "the body unpacks to 1,001 bytes and .* allows 1,000"),
        (in_pieces(bytes(1001)), "the body unpacks to more than 1,000 bytes and .* allows 1,000"),
        (in_pieces(bytes(2**23)), "the body unpacks to more than 1,000 bytes and .* allows 1,000"),
        (b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", "cannot be unpacked as zstd"),
        (zstd.compress(bytes(2**30)), "the body unpacks to 1,073,741,824 bytes and .* allows 1,000"),
    ],
    ids=["said", "not said", "not said, and much", "a window of 2**30 bytes", "a bomb"],
)
def test_a_frame_beyond_the_limit_is_refused_with_the_limit(data, message):
    with pytest.raises(DecodeError, match=message):
        zipped().decode_within(data, b"", 1000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be unpacked as zstd"),
        (b"[]", "cannot be unpacked as zstd"),
        (zstd.compress(b"[]")[:-1], "cut off"),
        (zstd.compress(b"[]") * 2, "more follows behind the end"),
        (zstd.compress(b"["), "cannot be read as json"),
        (b"\x00[", "cannot be read as json"),
    ],
)
def test_damaged_bytes_are_refused_with_the_reason(data, message):
    with pytest.raises(DecodeError, match=message):
        zipped().decode(data)


def test_it_is_refused_around_a_signature_with_the_right_order():
    with pytest.raises(ConfigurationError, match=r"write 'json\|zstd\|signed'"):
        ZstdSerializer(SignedSerializer(JSONSerializer(), keys=KEYS))


def test_a_forged_bomb_inside_a_signature_is_not_looked_at(monkeypatch):
    monkeypatch.setenv("HUEY_SIGNING_KEYS", KEYS[0])

    with pytest.raises(DecodeError, match="no signature"):
        serializer("json|zstd|signed").decode(zstd.compress(bytes(2**20)))


def test_a_command_and_its_result_travel_in_it():
    invoker = Invoker.from_url("memory://?serializer=msgpack|zstd", always_eager=True, registry=CommandRegistry())

    @queue_command(invoker)
    def echo(thing):
        return thing

    assert echo([LONG, (1, b"\x00")]).get() == [LONG, (1, b"\x00")]
