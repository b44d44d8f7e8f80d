"""Pages: what is on each, whatever becomes of the messages meanwhile, and which cursors are refused."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Bury
from huey_core.exceptions import ConfigurationError

MINUTE = 60.0


def names_from(list_page, cursor):
    """The ids on the page of this cursor and on all later ones."""
    names = []
    while True:
        page = list_page(cursor, 2)
        names += [message.message_id for message in page.items]
        cursor = page.cursor
        if cursor is None:
            return names


def fill(queue, state, count=5):
    """Write messages and bring them into a state."""
    eta = queue.now() + MINUTE if state == State.SCHEDULED else None
    queue.write_many([Message(b"", message_id=str(number), eta=eta) for number in range(count)])
    if state in {State.RUNNING, State.DEAD}:
        deliveries = queue.claim(count, MINUTE).deliveries
        if state == State.DEAD:
            queue.settle([Bury(each, "bad") for each in deliveries])
        return deliveries
    return []


def test_running_messages_whose_leases_are_renewed_are_on_one_page_each(make_queue, clock):
    queue = make_queue(clock=clock)
    deliveries = fill(queue, State.RUNNING)
    first = queue.pages(State.RUNNING, None, 2)

    queue.extend(deliveries[:3], 10 * MINUTE)
    queue.extend(deliveries[3:], 1.0)
    rest = names_from(lambda cursor, limit: queue.pages(State.RUNNING, cursor, limit), first.cursor)

    assert sorted([message.message_id for message in first.items] + rest) == list("01234")


def test_dead_letters_of_one_moment_are_on_one_page_each(make_queue, clock):
    queue = make_queue(clock=clock)
    fill(queue, State.DEAD)

    names = names_from(lambda cursor, limit: queue.pages(State.DEAD, cursor, limit), None)

    assert sorted(names) == list("01234")


def test_an_exported_page_goes_on_with_the_next_state(make_queue):
    queue = make_queue()
    queue.write_many([Message(b"", message_id="ready"), Message(b"", message_id="later", eta=queue.now() + MINUTE)])

    assert sorted(names_from(queue.export, None)) == ["later", "ready"]


BAD_CURSORS = ["", "x", "ready", "ready:0", "ready:0:x", "born:0:1", "ready:nan:1", f"dead:0.0:{2**63}", "ready:0:1:2"]


@pytest.mark.parametrize("cursor", BAD_CURSORS)
def test_a_text_that_is_no_cursor_is_refused(make_queue, cursor):
    queue = make_queue()

    for list_page in (queue.export, lambda cursor: queue.pages(State.READY, cursor)):
        with pytest.raises(ConfigurationError, match="not a cursor of this list"):
            list_page(cursor)


def test_a_cursor_of_another_state_is_refused(make_queue):
    queue = make_queue()
    fill(queue, State.SCHEDULED)
    cursor = queue.pages(State.SCHEDULED, None, 2).cursor

    with pytest.raises(ConfigurationError, match="not a cursor of this list"):
        queue.pages(State.READY, cursor)


@pytest.mark.parametrize("cursor", ["", "61", "group", "group:0", "group:ff", "ready:0:1"])
def test_a_text_that_is_no_cursor_of_groups_is_refused(make_queue, cursor):
    with pytest.raises(ConfigurationError, match="not a cursor of this list"):
        make_queue().groups(cursor)
