"""How much is read for a page, and what a record of an imported dead letter leaves in the collection."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Message, Record, State
from huey_core.backends.outcomes import Ack, Bury
from huey_core.exceptions import ConfigurationError
from huey_mongo import transfer

MINUTE = 60.0


def pages_of(get):
    page = get(None)
    pages = [page]
    while page.cursor is not None:
        page = get(page.cursor)
        pages.append(page)
    return [[each.message_id for each in page.items] for page in pages]


def test_a_page_passes_over_so_many_messages_of_other_states_and_no_more(queue, monkeypatch):
    monkeypatch.setattr(transfer, "WINDOW", 3)
    queue.write_many([Message(b"x", f"{number}") for number in range(8)])
    queue.settle([Bury(each, "bad") for each in queue.claim(8, MINUTE).deliveries if each.message_id in "07"])
    assert pages_of(lambda cursor: queue.pages(State.DEAD, cursor)) == [["0"], [], ["7"]]


def test_a_page_is_full_where_there_is_enough_within_the_window(queue, monkeypatch):
    monkeypatch.setattr(transfer, "WINDOW", 4)
    queue.write_many([Message(b"x", f"{number}") for number in range(6)])
    assert pages_of(lambda cursor: queue.pages(State.READY, cursor, 3)) == [["0", "1", "2"], ["3", "4", "5"]]


def test_a_message_that_runs_meanwhile_is_exported_once(queue):
    queue.write_many([Message(b"x", f"{number}") for number in range(4)])

    def export(cursor):
        queue.claim(1, MINUTE)
        return queue.export(cursor, 1)

    assert pages_of(export) == [["0"], ["1"], ["2"], ["3"]]


def test_a_cursor_of_another_list_is_refused(queue):
    queue.write_many([Message(b"x", f"{number}") for number in range(2)])
    cursor = queue.export(limit=1).cursor
    with pytest.raises(ConfigurationError, match="no cursor for groups"):
        queue.groups(cursor)


def test_nothing_is_left_of_a_dead_letter_that_was_imported(queue, backend):
    queue.import_many([Record("dead", b"x", State.DEAD, reason="bad", unique_key="k")])
    queue.requeue(["dead"])
    queue.settle([Ack(each) for each in queue.claim(1, MINUTE).deliveries])
    assert backend._cluster.collection.count_documents({"queue": queue.name}) == 0
