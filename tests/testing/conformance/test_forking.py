"""What the kit says of a child that does not end."""

from __future__ import annotations

import threading

import pytest

from huey_testing.conformance._forking import Child


def hang_up_here():
    threading.Event().wait(60)


def test_a_child_that_hangs_is_shown_with_the_function_that_it_is_in():
    with Child(hang_up_here) as child, pytest.raises(AssertionError, match="hang_up_here"):
        child.result(0.5)
