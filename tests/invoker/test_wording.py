"""Words for the log: a number of things."""

from __future__ import annotations

import pytest

from huey_core.invoker.wording import counted


@pytest.mark.parametrize(("number", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_things_are_counted(number, words):
    assert counted(number, "message") == words


def test_a_plural_may_be_irregular():
    assert (counted(1, "try", "tries"), counted(2, "try", "tries")) == ("1 try", "2 tries")
