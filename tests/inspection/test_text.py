"""What others wrote is shown without steering a terminal or giving a password away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.backends.url import BackendURL
from huey_core.inspection.text import hide_password, printable


@given(st.text())
def test_what_is_printable_holds_no_character_that_does_not_print(text):
    assert printable(text).isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_text_that_prints_is_left_as_it_is(text):
    assert printable(text) == text


def test_what_is_to_be_kept_is_kept():
    assert printable("one\n\ttwo\x1b[2J", keep="\n\t") == "one\n\ttwo\\x1b[2J"


@pytest.mark.parametrize("said", ["no such user: s3cret!", "cannot connect to kite://bob:s3cret%21@host"])
def test_a_password_is_hidden_as_it_is_and_as_a_url_has_it(said):
    hidden = hide_password(said, BackendURL.parse("kite://bob:s3cret%21@host/"))

    assert "s3cret" not in hidden
    assert "***" in hidden


def test_a_url_without_a_password_hides_nothing():
    assert hide_password("no route to host", BackendURL.parse("kite://host/")) == "no route to host"
