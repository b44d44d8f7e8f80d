"""How much may be parked."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Ack
from huey_core.consumer import Consumer
from huey_core.consumer.parked import Refused
from huey_core.consumer.policy import Policy


@pytest.mark.parametrize("bound", ["parked_outcomes", "parked_bytes"])
def test_it_is_full_when_as_much_is_parked_as_may_be(invoker, bound):
    parked = Consumer(invoker, policy=Policy(**{bound: 2})).queues[0].outbox.parked
    seen = [parked.is_full()]

    for receipt in ("first", "second"):
        parked.add(Refused(Ack(Delivery(b"x", "id", receipt, 1)), since=0.0, results_before=0))
        seen.append(parked.is_full())

    assert seen == [False, False, True]
