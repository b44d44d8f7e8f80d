"""huey-zstd keeps every promise of the contract, around JSON and around MessagePack."""

from __future__ import annotations

import sys

import pytest

from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE
from huey_msgpack import MessagePackSerializer
from huey_testing.conformance import WrappingSerializerConformance
from huey_zstd import ZstdSerializer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def stream(size: int) -> bytes:
    """A frame of so many zero bytes that does not say how many they are."""
    compressor = zstd.ZstdCompressor()
    return b"".join(compressor.compress(bytes(2**20)) for _ in range(size // 2**20)) + compressor.flush()


class TestZstd(WrappingSerializerConformance):
    memory = 2 * DEFAULT_MAX_BODY_SIZE
    hostile = (
        zstd.compress(bytes(32 * 2**20)),
        stream(32 * 2**20),
        # A frame of one empty block that says it holds 2**60 bytes, and one whose window is 2**30 bytes.
        b"\x28\xb5\x2f\xfd\xe0" + (2**60).to_bytes(8, "little") + b"\x01\x00\x00",
        b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00",
    )

    @pytest.fixture
    def wrap(self):
        return ZstdSerializer


class TestZstdAroundMessagePack(TestZstd):
    @pytest.fixture
    def make_serializer(self, wrap):
        return lambda: wrap(MessagePackSerializer())
