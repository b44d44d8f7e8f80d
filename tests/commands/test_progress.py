"""The record of a progress, and its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.progress import (
    MAX_NOTE,
    MAX_NUMBER,
    Progress,
    checked_progress,
    decode_progress,
    encode_progress,
)
from huey_core.commands.stored_result import decode_result, encode_value
from huey_core.exceptions import ConfigurationError, DecodeError, SignatureError
from huey_core.serializers import JSONSerializer, SignedSerializer
from huey_msgpack import MessagePackSerializer

numbers = st.integers(0, MAX_NUMBER) | st.floats(0, MAX_NUMBER)


@pytest.fixture
def accepted():
    return {"json": JSONSerializer()}


@given(
    st.builds(Progress, numbers, st.none() | numbers, st.none() | st.text(max_size=MAX_NOTE), st.floats(0, 1e12)),
    st.sampled_from([JSONSerializer(), MessagePackSerializer()]),
)
def test_what_is_written_is_read(progress, serializer):
    data = encode_progress(serializer, "some id", progress)

    assert decode_progress({serializer.name: serializer}, "some id", data) == progress


@given(st.binary() | st.binary().map(lambda body: encode_progress(JSONSerializer(), "id", Progress(1)) + body))
def test_what_is_damaged_is_refused_or_read(data):
    try:
        progress = decode_progress({"json": JSONSerializer()}, "id", data)
    except DecodeError:
        return
    assert progress == Progress(1)


def test_that_of_another_call_is_refused(accepted):
    with pytest.raises(DecodeError, match="the progress of other is something else"):
        decode_progress(accepted, "other", encode_progress(JSONSerializer(), "id", Progress(1)))


def test_one_without_its_fields_is_refused(accepted):
    header, _, _ = encode_progress(JSONSerializer(), "id", Progress(1)).partition(b"\n")

    with pytest.raises(DecodeError, match="the progress of id is damaged"):
        decode_progress(accepted, "id", header + b'\n{"done": 1}')


def test_one_of_another_serializer_is_refused(accepted):
    with pytest.raises(DecodeError, match="written with 'msgpack' and only json is accepted here"):
        decode_progress(accepted, "id", encode_progress(MessagePackSerializer(), "id", Progress(1)))


def test_a_result_is_no_progress_and_a_progress_no_result(accepted):
    with pytest.raises(DecodeError):
        decode_progress(accepted, "id", encode_value(JSONSerializer(), "id", {"done": 1}))
    with pytest.raises(DecodeError):
        decode_result(accepted, "id", encode_progress(JSONSerializer(), "id", Progress(1)))


def test_a_serializer_that_signs_signs_a_progress_too(monkeypatch):
    signed = SignedSerializer(JSONSerializer(), ["a key of sixteen bytes or more"])
    data = encode_progress(signed, "id", Progress(1))

    assert decode_progress({signed.name: signed}, "id", data) == Progress(1)
    with pytest.raises(SignatureError):
        decode_progress({signed.name: signed}, "id", data.replace(b'"done":1', b'"done":9'))


@pytest.mark.parametrize(
    ("progress", "fraction"),
    [
        (Progress(1, 4), 0.25),
        (Progress(4, 4), 1.0),
        (Progress(5, 4), 1.0),
        (Progress(0, 0), 1.0),
        (Progress(3), None),
    ],
)
def test_a_fraction_is_known_where_the_total_is(progress, fraction):
    assert progress.fraction == fraction


@pytest.mark.parametrize("done", [-1, float("nan"), float("inf"), 2**53 + 1, True, "1", None])
def test_a_number_that_is_none_is_refused(done):
    with pytest.raises(ConfigurationError, match="done of a progress must be a number"):
        checked_progress(done, None, None, 0.0)


def test_a_total_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="total of a progress must be a number"):
        checked_progress(1, "many", None, 0.0)


def test_a_note_that_is_no_text_is_refused():
    with pytest.raises(ConfigurationError, match="the note of a progress must be a text"):
        checked_progress(1, None, b"bytes", 0.0)


def test_of_a_long_note_the_middle_is_left_out():
    note = checked_progress(1, None, "begin" + "x" * 10**6 + "end", 0.0).note

    assert note.startswith("begin")
    assert note.endswith("end")
    assert len(note) < MAX_NOTE + 50


def test_a_note_that_is_no_unicode_is_written_all_the_same(accepted):
    data = encode_progress(JSONSerializer(), "id", Progress(1, note="r\udce9sum\udce9.txt"))

    assert decode_progress(accepted, "id", data).note == "r\\udce9sum\\udce9.txt"
