"""Words for the log: an error in one line, and a number of things."""

from __future__ import annotations

import pytest

from huey_core.invoker.wording import counted, error_line


class SpeechlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LookupError("gone"), "LookupError: gone"),
        (LookupError(), "LookupError"),
        (LookupError("gone\nfor good"), "LookupError: gone"),
        (LookupError("\n gone"), "LookupError: gone"),
        (LookupError("x" * 10_000), "LookupError: " + "x" * 500),
        (SystemExit(3), "SystemExit: 3"),
        (
            SpeechlessError(),
            "SpeechlessError: it has no text, because that of SpeechlessError raised RuntimeError",
        ),
    ],
)
def test_an_error_is_one_line(error, line):
    assert error_line(error) == line


@pytest.mark.parametrize(("number", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_things_are_counted(number, words):
    assert counted(number, "message") == words


def test_a_plural_may_be_irregular():
    assert (counted(1, "try", "tries"), counted(2, "try", "tries")) == ("1 try", "2 tries")
