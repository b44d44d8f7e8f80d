"""How much may be parked."""

from __future__ import annotations

import pytest

from huey_core.backends.leased import Ack, Delivery
from huey_core.consumer.parked import Parked, Refused
from huey_core.consumer.policy import Policy


@pytest.mark.parametrize("bound", ["parked_outcomes", "parked_bytes"])
def test_it_is_full_when_as_much_is_parked_as_may_be(bound):
    parked = Parked(lambda: 0.0, Policy(**{bound: 2}))
    seen = [parked.is_full()]

    for receipt in ("first", "second"):
        parked.add(Refused(Ack(Delivery(b"x", "id", receipt, 1)), since=0.0, results_before=0))
        seen.append(parked.is_full())

    assert seen == [False, False, True]
