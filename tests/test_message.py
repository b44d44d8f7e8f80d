"""The wire format: what is written, what is read back, and that no bytes do harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.exceptions import DecodeError, EncodeError
from huey_core.message import (
    MessageHeader,
    encode_header,
    encode_result_header,
    read_header,
    read_result,
    run_fields,
    run_of_result,
    unpack,
)
from wire import pack

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
headers = st.dictionaries(st.text(), json_values)


@given(header=headers, body=st.binary())
def test_what_is_packed_is_unpacked(header: dict[str, Any], body: bytes) -> None:
    assert unpack(pack(header, body)) == (header, encode_header(header), body)


@given(header=headers, body=st.binary())
def test_header_and_body_joined_are_the_packed_message(header: dict[str, Any], body: bytes) -> None:
    assert encode_header(header) + body == pack(header, body)


def test_the_bytes_are_those_of_the_specification() -> None:
    packed = pack({"id": "1", "cmd": "shop.päck", "ser": "json", "at": 1.5}, b"[[1],{}]")

    assert packed == b'HUEY/1 {"id":"1","cmd":"shop.p\\u00e4ck","ser":"json","at":1.5}\n[[1],{}]'


@given(st.binary() | st.binary().map(lambda tail: b"HUEY/1 " + tail) | st.binary().map(lambda tail: b"HUEY/" + tail))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        header, header_bytes, body = unpack(data)
    except DecodeError:
        return
    assert isinstance(header, dict)
    assert header_bytes + body == data


@given(header=headers, body=st.binary(), data=st.data())
def test_a_message_cut_off_in_its_header_is_refused(header: dict[str, Any], body: bytes, data: st.DataObject) -> None:
    packed = pack(header, body)
    cut = packed[: data.draw(st.integers(0, len(encode_header(header)) - 1))]

    with pytest.raises(DecodeError):
        unpack(cut)


def test_a_header_in_utf_8_of_another_writer_is_read() -> None:
    header, _, _ = unpack('HUEY/1 {"cmd": "shop.päck"}\n'.encode())

    assert header == {"cmd": "shop.päck"}


def test_white_space_around_the_header_of_another_writer_is_read() -> None:
    assert unpack(b'HUEY/1  {"id": "1"} \r\n[]') == ({"id": "1"}, b'HUEY/1  {"id": "1"} \r\n', b"[]")


def test_a_body_may_contain_newlines() -> None:
    assert unpack(pack({}, b"\n\n"))[2] == b"\n\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a message"),
        (b"\x80\x05K\x01.", "not a message"),
        (b"HUEY/", "cut off"),
        (b'HUEY/1 {"id":"1"', "cut off"),
        (b"HUEY/2 {}\n", "format version 2; this version reads 1"),
        (b"HUEY/10 \xff", "format version 10; this version reads 1"),
        (b"HUEY/1 []\n", "not a JSON object"),
        (b"HUEY/1 {\n", "not JSON"),
        (b'HUEY/1 {"at":NaN}\n', "not JSON"),
        (b'HUEY/1 {"id":"\xff"}\n', "not JSON"),
        (b'HUEY/1 {"at":' + b"[" * 60_000 + b"\n", "not JSON"),
        (b'HUEY/1 {"at":' + b"9" * 5_000 + b"}\n", "not JSON"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_damaged_bytes_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        unpack(data)


@pytest.mark.parametrize("value", [object(), float("nan"), b"bytes"], ids=["object", "nan", "bytes"])
def test_a_header_that_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(EncodeError, match="header"):
        pack({"opts": {"x": value}}, b"")


@given(
    task_id=st.from_regex("[0-9A-Za-z]+", fullmatch=True),
    command=st.text(),
    serializer=st.text(),
    enqueued_at=st.floats(0, allow_infinity=False),
    retries=st.integers(0),
)
def test_a_plain_header_is_written_as_any_other(task_id, command, serializer, enqueued_at, retries):
    header = {"id": task_id, "cmd": command, "ser": serializer, "at": enqueued_at, "retries": retries}

    assert MessageHeader(task_id, command, serializer, enqueued_at, retries).encode() == encode_header(header)


@given(task_id=st.text(), state=st.sampled_from(["ok", "error"]), serializer=st.text(min_size=1))
def test_the_header_of_a_result_is_written_as_any_other(task_id, state, serializer):
    assert encode_result_header(task_id, state, serializer) == encode_header(
        {"id": task_id, "state": state, "ser": serializer}
    )


numbers = st.floats(0, 1e11)


@given(enqueued_at=numbers, ended_at=numbers, took=st.floats(0, 1e8), deliveries=st.integers(0, 10**6))
def test_the_header_of_a_result_tells_of_the_run(enqueued_at, ended_at, took, deliveries):
    written = encode_result_header("x", "ok", "json", run_fields(enqueued_at, ended_at, took, deliveries))
    header, before, body = read_result(written + b"body")

    assert (before, body) == (written, b"body")
    assert (header.task_id, header.state, header.serializer, header.deliveries) == ("x", "ok", "json", deliveries)
    assert header.enqueued_at == pytest.approx(enqueued_at, abs=0.001)
    assert header.ended_at == pytest.approx(ended_at, abs=0.001)
    if took:
        assert header.began_at == pytest.approx(ended_at - took, abs=0.001 + took * 1e-5)
    else:
        assert header.began_at is None


@pytest.mark.parametrize("enqueued_at", [None, float("inf"), float("-inf"), 10**400], ids=repr)
def test_a_time_of_enqueueing_that_is_none_is_left_out_of_a_result(enqueued_at):
    header, _, _ = read_result(encode_result_header("x", "ok", "json", run_fields(enqueued_at, 5.0, 1.0, 2)))

    assert (header.enqueued_at, header.began_at, header.ended_at, header.deliveries) == (None, 4.0, 5.0, 2)


def test_what_another_program_wrote_in_the_header_of_a_result_is_not_taken_for_a_time():
    header, _, _ = read_result(encode_header({"id": "x", "at": "now", "end": True, "took": [], "runs": 1.5}))

    assert (header.enqueued_at, header.began_at, header.ended_at, header.deliveries) == (None, None, None, 0)


def test_an_error_in_place_of_a_result_tells_of_the_same_run():
    run = run_fields(1.0, 5.0, 2.0, 3)

    assert run_of_result(encode_result_header("x", "ok", "json", run) + b"5") == ',"at":1.0,"end":5.0,"took":2,"runs":3'
    assert run_of_result(encode_result_header("x", "ok", "json")) == ""
    assert run_of_result(b"no result") == ""


def test_a_header_that_is_too_long_is_not_written() -> None:
    with pytest.raises(EncodeError, match="may be 65,536"):
        encode_header({"id": "x" * 65_536})


def test_a_plain_header_that_is_too_long_is_not_written() -> None:
    with pytest.raises(EncodeError, match="may be 65,536"):
        MessageHeader("x" * 65_536, "shop.add", "json", 1.0).encode()


def test_a_header_that_is_too_long_is_not_read() -> None:
    with pytest.raises(DecodeError, match="longer than 65,536 bytes"):
        unpack(b'HUEY/1 {"id":"' + b"x" * 65_536 + b'"}\n')


EVERY_FIELD: dict[str, Any] = {
    "id": "1",
    "cmd": "shop.add",
    "ser": "json",
    "at": 1.5,
    "retries": 3,
    "tries": 1,
    "eta": 2.0,
    "exp": 9.0,
    "prio": 4,
    "hdr": {"trace": "abc"},
    "tick": 60,
    "opts": {"retry_delay": 5.0},
}


def test_every_field_is_read_under_its_name() -> None:
    header = read_header(pack(EVERY_FIELD, b""))

    assert header[:-2] == ("1", "shop.add", "json", 1.5, 3, 1, 2.0, 9.0, 4, {"retry_delay": 5.0}, {"trace": "abc"}, 60)


def test_every_field_is_written_as_the_specification_has_it() -> None:
    header = read_header(pack(EVERY_FIELD, b""))._replace(fields={})

    assert header.encode() == encode_header(EVERY_FIELD)


@given(header=headers)
def test_the_fields_that_a_reader_does_not_know_are_written_again(header: dict[str, Any]) -> None:
    written, _, _ = unpack(read_header(pack({**EVERY_FIELD, **header}, b"")).encode())

    assert written == {**EVERY_FIELD, **header}


def test_a_header_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        MessageHeader("1").retries = 3  # type: ignore[misc]


@given(st.dictionaries(st.sampled_from([*EVERY_FIELD, "other"]), json_values))
def test_a_field_of_the_wrong_type_is_read_as_if_it_were_absent(fields: dict[str, Any]) -> None:
    header = MessageHeader.read(fields)

    assert isinstance(header.task_id, str)
    assert type(header.retries) is int
    assert header.eta is None or header.eta == fields["eta"]
    assert [value for _, value in header.labelled_fields()] == list(fields.values())
    if header.malformed:
        with pytest.raises(DecodeError, match=header.malformed):
            header.check()


def test_bytes_that_are_no_message_have_a_header_without_fields() -> None:
    assert read_header(b"\xff") == MessageHeader()
