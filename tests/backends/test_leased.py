"""What the types of the contract see to, so that no backend has to."""

from __future__ import annotations

from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import MAX_DETAIL, MAX_REASON, Bury


def test_a_burial_tells_in_valid_unicode():
    buried = Bury(Delivery(b"", "id", "receipt", 1), "no caf\udce9.txt", "Traceback: \N{SNOWMAN} caf\udce9.txt")

    assert (buried.reason, buried.detail) == ("no caf\\udce9.txt", "Traceback: \N{SNOWMAN} caf\\udce9.txt")


def test_a_burial_keeps_the_ends_of_what_is_too_long():
    buried = Bury(Delivery(b"", "id", "receipt", 1), "r" * 9_000_000 + "!", "Traceback: " + "d" * 9_000_000 + "!")

    assert len(buried.reason) < MAX_REASON + 100
    assert len(buried.detail) < MAX_DETAIL + 100
    assert (buried.reason[-1], buried.detail[:10], buried.detail[-1]) == ("!", "Traceback:", "!")
