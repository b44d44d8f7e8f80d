"""What becomes of an error on its way into the result store."""

from __future__ import annotations

import pytest

from huey_core.commands.stored_result import decode_result, encode_error, encode_value
from huey_core.exceptions import BodyTooLarge, CommandError, EncodeError
from huey_core.serializers.json import JSONSerializer


@pytest.mark.parametrize("char", ["y", "\N{SNOWMAN}", "\N{GRINNING FACE}"])
def test_an_error_of_whatever_length_becomes_a_small_result_that_says_what_was_left_out(char):
    serializer = JSONSerializer()
    try:
        raise ValueError("insert failed: " + char * 1_000_000 + " is no number")
    except ValueError as error:
        stored = encode_error(serializer, "id", error)

    assert len(stored) < 512 * 2**10
    with pytest.raises(CommandError) as raised:
        decode_result({"json": serializer}, "id", stored)
    assert raised.value.message.startswith("insert failed: ")
    assert raised.value.message.endswith(" is no number")
    assert "characters left out" in raised.value.message
    assert raised.value.traceback.startswith("Traceback")
    assert "test_stored_result.py" in raised.value.traceback


def test_a_value_beyond_the_limit_is_not_written():
    with pytest.raises(EncodeError, match="max_body_size allows 10"):
        encode_value(JSONSerializer(), "id", "x" * 9, 10)


def test_a_value_beyond_the_limit_is_not_read():
    stored = encode_value(JSONSerializer(), "id", "x" * 9)

    with pytest.raises(BodyTooLarge, match="allows 10"):
        decode_result({"json": JSONSerializer()}, "id", stored, 10)


def test_an_error_reaches_its_caller_however_small_the_limit_is():
    stored = encode_error(JSONSerializer(), "id", ValueError("no"))

    with pytest.raises(CommandError, match="no"):
        decode_result({"json": JSONSerializer()}, "id", stored, 1)
