"""Groups of messages: what the file keeps of them, and for how long."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Arrival

MINUTE = 60.0


@pytest.fixture
def rows(path):
    """Count the rows of both tables, as another program would."""

    def count():
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(
                "SELECT (SELECT count(*) FROM arrival_group), (SELECT count(*) FROM arrival)"
            ).fetchone()

    return count


def arrive(queue, group, members, of, ttl=MINUTE):
    """Ack a message for each member, with its arrival."""
    members = list(members)
    queue.write_many([Message(b"member", priority=1) for _ in members])
    deliveries = queue.claim(len(members), MINUTE).deliveries
    assert queue.settle(
        [
            Ack(each, arrivals=(Arrival(group, str(member), of, Message(b"then"), ttl),))
            for each, member in zip(deliveries, members, strict=True)
        ]
    ) == [True] * len(members)


def test_a_complete_group_keeps_one_row(make_queue, rows):
    queue = make_queue()

    arrive(queue, "g", range(10), of=10)

    assert rows() == (1, 0)


def test_the_members_of_a_large_group_go_with_later_arrivals(make_queue, rows):
    queue = make_queue()
    arrive(queue, "large", range(300), of=300)
    assert rows()[1] > 200

    arrive(queue, "other", range(20), of=1000)

    assert rows() == (2, 20)


def test_each_arrival_at_a_large_group_takes_as_many_statements_as_at_a_small_one(make_queue, traced):
    queue = make_queue()
    with traced(queue) as small:
        arrive(queue, "g", [-1, -2], of=1000)
        arrive(queue, "g", [-3], of=1000)
    arrive(queue, "g", range(900), of=1000)

    with traced(queue) as large:
        arrive(queue, "g", [901, 902], of=1000)
        arrive(queue, "g", [903], of=1000)

    assert len(large) <= len(small)


def test_what_was_forgotten_by_time_goes_with_later_arrivals(make_queue, rows, clock):
    queue = make_queue(clock=clock)
    for number in range(5):
        arrive(queue, f"old {number}", range(3), of=9)
    clock.advance(MINUTE + 1)

    arrive(queue, "new", range(2), of=9)

    assert rows() == (1, 2)


def test_what_another_queue_has_forgotten_goes_too(make_queue, rows, clock):
    arrive(make_queue("a", clock=clock), "old", range(3), of=9)
    clock.advance(MINUTE + 1)

    arrive(make_queue("b", clock=clock), "new", range(2), of=9)

    assert rows() == (1, 2)


def test_a_forgotten_group_begins_anew_before_its_rows_are_gone(make_queue, rows, clock):
    queue = make_queue(clock=clock)
    arrive(queue, "g", range(100), of=101)
    clock.advance(MINUTE + 1)

    arrive(queue, "g", [0], of=101)

    assert rows()[1] > 50
    (group,) = queue.groups().items
    assert (group.arrived, group.of) == (1, 101)


def test_a_clock_that_is_set_back_brings_no_half_of_a_forgotten_group_back(make_queue, clock):
    queue = make_queue(clock=clock)
    arrive(queue, "g", range(100), of=102)
    clock.advance(MINUTE + 1)
    arrive(queue, "other", [0], of=2)
    clock.advance(-MINUTE)

    arrive(queue, "g", [0], of=102)

    assert {group.group: group.arrived for group in queue.groups().items} == {"g": 1, "other": 1}


@pytest.mark.parametrize("forget", [lambda queue: queue.delete_groups(["g", "h"]), lambda queue: queue.flush()])
def test_a_deletion_and_a_flush_leave_no_rows(make_queue, rows, forget):
    queue = make_queue()
    arrive(queue, "g", range(50), of=100)
    arrive(queue, "h", [0], of=1)

    forget(queue)

    assert rows() == (0, 0)


def test_a_flush_leaves_the_groups_of_other_queues(make_queue):
    queue, other = make_queue("a"), make_queue("b")
    arrive(queue, "g", [0], of=2)
    arrive(other, "g", [0], of=2)

    queue.flush()

    assert (queue.groups().items, len(other.groups().items)) == ([], 1)
