"""Whatever an error is, it has a text and a traceback, and whatever a text is, it steers no terminal."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.text import (
    counted,
    did_you_mean,
    error_line,
    is_interrupt,
    printable,
    printable_text,
    traceback_of,
    traceback_text,
)
from odd_errors import ODD, Unspeakable


@pytest.fixture(params=ODD)
def odd(request):
    """An error that was raised, the error that it was raised from being as odd."""
    error = ODD[request.param]
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - not all of them are Exceptions
        return raised


@pytest.fixture
def in_a_thread():
    """Call a function where workers run: in the main thread, what is no :class:`Exception` may be a signal's."""

    def call(function, *arguments):
        results = []
        thread = threading.Thread(target=lambda: results.append(function(*arguments)))
        thread.start()
        thread.join()
        [result] = results
        return result

    return call


def test_any_error_has_a_line(odd, in_a_thread):
    line = in_a_thread(error_line, odd)

    assert line.startswith(type.__dict__["__name__"].__get__(type(odd)))
    assert "\n" not in line


def test_any_error_has_a_traceback_with_the_frames(odd, in_a_thread):
    assert __file__ in in_a_thread(traceback_text, odd, traceback_of(odd))


def test_an_error_that_was_caused_by_an_odd_one_is_told_with_its_cause(in_a_thread):
    try:
        try:
            raise SyntaxError("bad rule", ("rules.txt", 1, 2, b"text"))
        except SyntaxError as cause:
            raise ValueError("no rules") from cause
    except ValueError as error:
        text = in_a_thread(traceback_text, error, traceback_of(error))

    assert text.index("SyntaxError: bad rule") < text.index("ValueError: no rules")


def test_a_text_that_cannot_be_had_is_replaced(in_a_thread):
    assert in_a_thread(printable_text, Unspeakable()) == "<Unspeakable without a text, because that raised SystemExit>"


def test_what_a_signal_handler_raises_while_a_text_is_made_passes():
    with pytest.raises(SystemExit):
        printable_text(Unspeakable())


def test_an_interrupt_comes_in_the_main_thread_only(in_a_thread):
    assert is_interrupt(KeyboardInterrupt())
    assert not is_interrupt(ValueError())
    assert not in_a_thread(is_interrupt, KeyboardInterrupt())


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


@given(st.text())
def test_what_is_printable_holds_no_character_that_does_not_print(text):
    assert printable(text).isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_text_that_prints_is_left_as_it_is(text):
    assert printable(text) == text


def test_what_is_to_be_kept_is_kept():
    assert printable("one\n\ttwo\x1b[2J", keep="\n\t") == "one\n\ttwo\\x1b[2J"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("retrys", ["priority", "retries"], "; did you mean 'retries'?"),
        ("Thread", ["PREFETCH", "THREADS"], "; did you mean 'THREADS'?"),
        ("x", ["retries"], "; see the list"),
    ],
)
def test_the_closest_name_is_offered_or_else_another_hint(name, known, hint):
    assert did_you_mean(name, known, "see the list") == hint


def test_without_a_close_name_and_another_hint_nothing_is_added():
    assert did_you_mean("x", ["retries"]) == ""
