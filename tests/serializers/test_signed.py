"""Signatures: only what a holder of a key wrote, for this very header, reaches the inner serializer."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.exceptions import ConfigurationError, SignatureError
from huey_core.serializers.base import Serializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.signed import SignedSerializer

OLD = b"the old key of 2029 is long"
NEW = b"the new key of 2030 is long"


class Recorder(Serializer):
    """An inner serializer that notes what reaches it."""

    name = "recorder"

    def __init__(self) -> None:
        self.decoded: list[tuple[bytes, bytes]] = []

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        return bytes(value)

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        self.decoded.append((data, context))
        return data


def signed(*keys: bytes | str) -> SignedSerializer:
    return SignedSerializer(JSONSerializer(), keys=keys)


@given(body=st.binary(), context=st.binary())
def test_what_was_signed_is_read_back(body: bytes, context: bytes) -> None:
    serializer = SignedSerializer(Recorder(), keys=[NEW])

    assert serializer.decode(serializer.encode(body, context), context) == body


@given(body=st.binary(), context=st.binary(), data=st.data())
def test_no_changed_byte_reaches_the_inner_serializer(body: bytes, context: bytes, data: st.DataObject) -> None:
    inner = Recorder()
    serializer = SignedSerializer(inner, keys=[NEW])
    encoded = bytearray(serializer.encode(body, context))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SignatureError):
        serializer.decode(bytes(encoded), context)

    assert inner.decoded == []


@given(body=st.binary(), context=st.binary(), data=st.data())
def test_bytes_cut_off_are_refused(body: bytes, context: bytes, data: st.DataObject) -> None:
    serializer = SignedSerializer(Recorder(), keys=[NEW])
    encoded = serializer.encode(body, context)

    with pytest.raises(SignatureError):
        serializer.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))], context)


@given(st.binary(max_size=100))
def test_bytes_without_a_signature_are_refused(data: bytes) -> None:
    with pytest.raises(SignatureError):
        signed(NEW).decode(data)


@given(context=st.binary(), other=st.binary())
def test_a_body_moved_under_another_context_is_refused(context: bytes, other: bytes) -> None:
    encoded = signed(NEW).encode([1], context)

    if other != context:
        with pytest.raises(SignatureError, match="does not belong"):
            signed(NEW).decode(encoded, other)


def test_bytes_cannot_move_between_context_and_body() -> None:
    serializer = SignedSerializer(Recorder(), keys=[NEW])
    encoded = serializer.encode(b"bc", b"a")

    with pytest.raises(SignatureError):
        serializer.decode(encoded[:-2] + b"c", b"ab")


def test_the_context_reaches_the_inner_serializer() -> None:
    inner = Recorder()
    serializer = SignedSerializer(inner, keys=[NEW])

    serializer.decode(serializer.encode(b"x", b"context"), b"context")

    assert inner.decoded == [(b"x", b"context")]


def test_every_listed_key_is_accepted() -> None:
    assert signed(NEW, OLD).decode(signed(OLD).encode([1])) == [1]


def test_the_first_key_signs() -> None:
    assert signed(NEW).decode(signed(NEW, OLD).encode([1])) == [1]


def test_a_key_that_is_not_listed_is_refused() -> None:
    with pytest.raises(SignatureError, match="not accepted here"):
        signed(NEW).decode(signed(OLD).encode([1]))


def test_a_text_key_stands_for_its_utf_8() -> None:
    assert signed("der schlüssel ist lang").decode(signed("der schlüssel ist lang".encode()).encode([1])) == [1]


def test_keys_come_from_the_environment_when_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUEY_SIGNING_KEYS", f"{NEW.decode()}, {OLD.decode()},")

    serializer = SignedSerializer(JSONSerializer())

    assert serializer.encode([1]) == signed(NEW, OLD).encode([1])
    assert serializer.decode(signed(OLD).encode([1])) == [1]


@pytest.mark.parametrize("value", [None, "", " , "])
def test_no_key_at_all_is_refused_with_an_instruction(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("HUEY_SIGNING_KEYS", raising=False)
    if value is not None:
        monkeypatch.setenv("HUEY_SIGNING_KEYS", value)

    with pytest.raises(ConfigurationError, match=r"HUEY_SIGNING_KEYS .*secrets\.token_urlsafe"):
        SignedSerializer(JSONSerializer())


def test_an_empty_list_of_keys_does_not_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUEY_SIGNING_KEYS", NEW.decode())

    with pytest.raises(ConfigurationError):
        SignedSerializer(JSONSerializer(), keys=[])


def test_a_short_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="signing key 2 has 12 bytes; it needs at least 16") as caught:
        signed(NEW, b"short-secret")

    assert "short-secret" not in "".join(traceback.format_exception_only(caught.value))


def test_a_single_key_must_be_a_list() -> None:
    with pytest.raises(ConfigurationError, match="keys is a list"):
        SignedSerializer(JSONSerializer(), keys=NEW.decode())


def test_keys_do_not_show() -> None:
    assert "key of" not in repr(signed(NEW, OLD))


def test_the_name_tells_the_layers() -> None:
    assert signed(NEW).name == "json|signed"
