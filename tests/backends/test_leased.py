"""What the types of the contract see to, so that no backend has to."""

from __future__ import annotations

from huey_core.backends.leased import Bury, Delivery


def test_a_burial_tells_in_valid_unicode():
    buried = Bury(Delivery(b"", "id", "receipt", 1), "no caf\udce9.txt", "Traceback: \N{SNOWMAN} caf\udce9.txt")

    assert (buried.reason, buried.detail) == ("no caf\\udce9.txt", "Traceback: \N{SNOWMAN} caf\\udce9.txt")
