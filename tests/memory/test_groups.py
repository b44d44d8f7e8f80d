"""Groups in memory cost no more than they must: what is complete or forgotten leaves little or nothing behind."""

from __future__ import annotations

import pytest

from huey_core.backends import Arrival, Message
from huey_memory._collections import ExpiringDict
from huey_memory._groups import Groups


def arrival(group="group", member="a", of=2, ttl=60.0):
    return Arrival(group, member, of, Message(b"then"), ttl)


@pytest.fixture
def groups() -> Groups:
    return Groups()


def test_a_group_that_is_complete_keeps_no_members(groups):
    assert [groups.note(arrival(member=member, of=3), 0.0) for member in "abc"] == [False, False, True]

    assert groups._groups.get("group", 0.0).members == set()


def test_groups_that_nobody_asks_for_are_dropped_by_later_arrivals(groups):
    for number in range(1000):
        groups.note(arrival(f"old {number}"), 0.0)
    for number in range(1000 // ExpiringDict.portion + 1):
        groups.note(arrival(f"new {number}"), 61.0)

    assert len(groups._groups) == 1000 // ExpiringDict.portion + 1
