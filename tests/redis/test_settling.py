"""How much one script call ends: by the bytes of what follows as well as by the number."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Delivery, Message
from huey_core.backends.outcomes import Ack, Arrival, Bury, Reported
from huey_redis.portions import portions
from huey_redis.settling import outcome_size, report_size

DELIVERY = Delivery(b"x", "id", "receipt", 1)
LARGE = Message(bytes(2**20))
FOLLOW_UP = {"follow_ups": (LARGE,)}
ARRIVAL = {"arrivals": (Arrival("group", "member", 2, LARGE),)}


@pytest.mark.parametrize("following", [FOLLOW_UP, ARRIVAL], ids=["follow-up", "arrival"])
@pytest.mark.parametrize("make", [Ack, lambda delivery, **following: Bury(delivery, "bad", **following)])
def test_what_follows_outcomes_is_divided_by_its_bytes(make, following):
    outcomes = [make(DELIVERY, **following) for _ in range(9)]
    assert [len(portion) for portion in portions(outcomes, outcome_size)] == [4, 4, 1]


@pytest.mark.parametrize("following", [FOLLOW_UP, ARRIVAL], ids=["follow-up", "arrival"])
def test_what_follows_reports_is_divided_by_its_bytes(following):
    reports = [Reported("id", **following) for _ in range(9)]
    assert [len(portion) for portion in portions(reports, report_size)] == [4, 4, 1]


def test_many_small_messages_that_follow_count_as_so_many():
    follow_ups = tuple(Message(b"x") for _ in range(50))
    outcomes = [Ack(DELIVERY, follow_ups=follow_ups) for _ in range(5)]
    assert [len(portion) for portion in portions(outcomes, outcome_size)] == [3, 2]
