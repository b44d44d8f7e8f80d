"""The promises of layers around another serializer, in one class to subclass."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import re
import tracemalloc
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import strategies as st

from huey_core.exceptions import BodyTooLarge, ConfigurationError, DecodeError, EncodeError
from huey_core.serializers import JSONSerializer, Serializer, WrappingSerializer
from huey_testing.conformance._serializer_base import SerializerFactory, serializer_promise, traced
from huey_testing.conformance.serializer import Carried, SerializerConformance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["WrappingSerializerConformance"]

_LARGE: Final = 48 * 2**20
"""Bytes that a body unpacks to, of which the reader takes a thousand."""


class _Probe(Serializer):
    """An innermost serializer of bytes, which notes what reaches it and fails when it is told to."""

    name = "probe"

    def __init__(self) -> None:
        self.encoded: list[tuple[bytes, bytes]] = []
        self.decoded: list[tuple[bytes, bytes]] = []
        self.fails = False
        self.is_unsafe = False

    @property
    def runs_code(self) -> bool:
        return self.is_unsafe

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        if self.fails:
            raise EncodeError("the probe refuses")
        self.encoded.append((value, context))
        return bytes(value)

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        if self.fails:
            raise DecodeError("the probe refuses")
        self.decoded.append((data, context))
        return data


class _Seal(WrappingSerializer):
    """A layer that says that it authenticates."""

    suffix = "seal"
    authenticates = True

    def wrap(self, body: bytes, context: bytes) -> bytes:
        return body

    def unwrap(self, data: bytes, context: bytes, max_size: int) -> bytes:
        return data


class WrappingSerializerConformance(SerializerConformance):
    """Every promise of a layer around another serializer. Override ``wrap``."""

    carries: ClassVar[Collection[Carried]] = frozenset(Carried)
    """What ``json`` carries inside the layer: all of it."""

    @pytest.fixture
    def wrap(self) -> Callable[[Serializer], WrappingSerializer]:
        """Return a callable that puts the layer around a serializer. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture wrap; see huey_testing.conformance")

    @pytest.fixture
    def make_serializer(self, wrap: Callable[[Serializer], WrappingSerializer]) -> SerializerFactory:
        """The layer around ``json``."""
        return lambda: wrap(JSONSerializer())

    @pytest.fixture
    def probe(self) -> _Probe:
        """What is inside the layer."""
        return _Probe()

    @pytest.fixture
    def layer(self, wrap: Callable[[Serializer], WrappingSerializer], probe: _Probe) -> WrappingSerializer:
        """The layer around the probe."""
        return wrap(probe)

    @pytest.fixture
    def sealing(self, wrap: Callable[[Serializer], WrappingSerializer], probe: _Probe) -> WrappingSerializer:
        """The layer around the probe, if it authenticates."""
        layer = wrap(probe)
        if not layer.authenticates:
            pytest.skip("authenticates is False: it does not say that nobody else can write what it reads")
        return layer

    @serializer_promise
    def test_its_name_is_that_of_the_inner_one_and_its_suffix(self, layer: WrappingSerializer) -> None:
        """Without this, a message would not say which layers have to be taken off."""
        assert layer.name == f"probe|{layer.suffix}"

    @serializer_promise
    def test_what_the_inner_one_made_comes_back_byte_for_byte(self, layer: WrappingSerializer) -> None:
        """Without this, the layer would damage what it carries."""

        def check(body: bytes) -> None:
            assert layer.decode(layer.encode(body, b"header"), b"header") == body

        for body in (b"", b"\x00", b"\x00body\x00", b" body \r\n", bytes(range(256)) * 100):
            check(body)
        self.try_with(st.binary() | st.binary().map(lambda some: some * 100), check)

    @serializer_promise
    def test_the_context_reaches_the_inner_one(self, layer: WrappingSerializer, probe: _Probe) -> None:
        """Without this, a signature inside the layer would belong to no header, and could be moved to another."""
        layer.decode(layer.encode(b"body", b"header"), b"header")
        assert (probe.encoded, probe.decoded) == ([(b"body", b"header")], [(b"body", b"header")])

    @serializer_promise
    def test_errors_of_the_inner_one_pass_through(self, layer: WrappingSerializer, probe: _Probe) -> None:
        """Without this, nobody would learn which value cannot be carried, or why a message cannot be read."""
        data = layer.encode(b"body")
        probe.fails = True
        with pytest.raises(EncodeError, match="the probe refuses"):
            layer.encode(b"body")
        with pytest.raises(DecodeError, match="the probe refuses"):
            layer.decode(data)

    @serializer_promise
    def test_what_is_as_large_as_it_may_be_comes_back(self, layer: WrappingSerializer) -> None:
        """Without this, a consumer would bury what a producer was allowed to write."""
        for body in (b"b", b"body" * 100, bytes(range(256)) * 100):
            data = layer.encode_within(body, b"header", len(body))
            assert layer.decode_within(data, b"header", len(body)) == body
            with pytest.raises(EncodeError):
                layer.encode_within(body, b"header", len(body) - 1)

    @serializer_promise
    def test_no_more_is_unpacked_than_the_reader_takes(self, layer: WrappingSerializer, probe: _Probe) -> None:
        """Without this, a message of a few kilobytes would take all the memory of whoever only looks at it."""
        data = layer.wrap(bytes(_LARGE), b"header")
        with traced():
            with pytest.raises(BodyTooLarge):
                layer.decode_within(data, b"header", 1000)
            taken = tracemalloc.get_traced_memory()[1]
        assert probe.decoded == [], "more was decoded than the reader takes"
        assert taken <= self.memory + 4 * len(data), f"to refuse {len(data):,} bytes took {taken:,} bytes of memory"

    @serializer_promise
    def test_an_unsafe_order_of_layers_is_refused(
        self, wrap: Callable[[Serializer], WrappingSerializer], layer: WrappingSerializer, probe: _Probe
    ) -> None:
        """Without this, a layer would read, before any signature is verified, what anybody may have written."""
        if layer.authenticates:
            assert wrap(_Seal(probe)).name == f"probe|seal|{layer.suffix}"
        else:
            with pytest.raises(ConfigurationError, match=re.escape(f"probe|{layer.suffix}|seal")):
                wrap(_Seal(probe))
        with pytest.raises(ConfigurationError, match="twice"):
            wrap(layer)

    @serializer_promise
    def test_it_says_whether_what_is_inside_may_run_code(self, layer: WrappingSerializer, probe: _Probe) -> None:
        """Without this, whoever only looks at a message would run what it carries, or could not look at any."""
        probe.is_unsafe = True
        assert layer.runs_code is not layer.authenticates, (
            f"runs_code is {layer.runs_code} around one that runs code, and authenticates is {layer.authenticates}"
        )

    @serializer_promise
    def test_nothing_that_was_changed_reaches_the_inner_one(self, sealing: WrappingSerializer, probe: _Probe) -> None:
        """Without this, a forged message would be read, and with pickle inside run whatever it says."""

        def check(drawn: tuple[bytes, float, int]) -> None:
            data = bytearray(sealing.encode(drawn[0], b"header"))
            data[int(drawn[1] * len(data))] ^= drawn[2]
            probe.decoded.clear()
            assert not self.read_or_refused(sealing, bytes(data), b"header"), "changed bytes were read"
            assert not self.read_or_refused(sealing, drawn[0], b"header"), "bytes without a signature were read"
            assert probe.decoded == [], "the inner serializer has read what nobody verified"

        self.try_with(st.tuples(st.binary(), st.floats(0, 1, exclude_max=True), st.integers(1, 255)), check)

    @serializer_promise
    def test_nothing_is_read_under_another_context(self, sealing: WrappingSerializer, probe: _Probe) -> None:
        """Without this, a genuine body could be put under the header of another command."""

        def check(drawn: tuple[bytes, bytes, bytes]) -> None:
            body, context, other = drawn
            data = sealing.encode(body, context)
            probe.decoded.clear()
            if context != other:
                assert not self.read_or_refused(sealing, data, other), "a body was read under another header"
                assert probe.decoded == [], "the inner serializer has read what nobody verified"

        self.try_with(st.tuples(st.binary(), st.binary(), st.binary()), check)
