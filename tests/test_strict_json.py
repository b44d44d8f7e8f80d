"""JSON is written as Python's encoder would, with and without what CPython alone has."""

from __future__ import annotations

import json

import pytest

from huey_core.strict_json import json_reader, json_writer

VALUE = ["ä\u2028", {"a": None, "b": [1.5, -0.0, 2**70, True]}, (1, 2), {}]


@pytest.fixture(params=["CPython's encoder", "no encoder in C"])
def write(request, monkeypatch):
    if request.param == "no encoder in C":
        monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    return json_writer()


def test_what_is_written_is_compact_and_read_back(write):
    written = write(VALUE)

    assert written == json.dumps(VALUE, ensure_ascii=False, separators=(",", ":"))
    assert json_reader()(written) == json.loads(written)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], 10**5000], ids=["nan", "inf", "too many digits"])
def test_a_number_that_json_does_not_have_is_refused(write, value):
    with pytest.raises(ValueError, match=r"JSON|digits"):
        write(value)
