"""What is particular to whole records on Redis: where pages end and begin, and what an import makes of a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.backends.messages import Message, Record, State
from huey_core.backends.outcomes import Bury
from huey_core.exceptions import ConfigurationError
from huey_redis.paging import Place

MINUTE = 60.0

ODD_IDS = [
    " ",
    "a",
    "aa",
    "B",
    "b c",
    "1 2",
    "\0",
    "%",
    "{x}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "\N{PARTY POPPER}",
]


def ids_of(list_page, limit):
    """Read a list to its end."""
    ids, cursor = [], None
    while True:
        page = list_page(cursor, limit)
        assert len(page.items) <= limit
        ids += [message.message_id for message in page.items]
        cursor = page.cursor
        if cursor is None:
            return ids


class TestPages:
    @pytest.fixture(params=list(State))
    def filled(self, queue, request):
        """A state of a queue in which are messages of odd ids, all with the same time."""
        eta = queue.now() + MINUTE if request.param is State.SCHEDULED else None
        queue.write_many([Message(b"x", message_id, eta=eta) for message_id in ODD_IDS])
        if request.param in (State.RUNNING, State.DEAD):
            deliveries = queue.claim(100, MINUTE).deliveries
            if request.param is State.DEAD:
                queue.settle([Bury(delivery, "bad") for delivery in deliveries])
        return request.param

    @pytest.mark.parametrize("limit", [1, 2, len(ODD_IDS), 100])
    def test_each_message_is_on_one_page_whatever_its_id(self, queue, filled, limit):
        ids = ids_of(lambda cursor, limit: queue.pages(filled, cursor, limit), limit)
        assert sorted(ids) == sorted(ODD_IDS)

    def test_a_page_begins_where_the_one_before_ended_although_that_message_is_gone(self, queue, filled):
        ids, cursor = [], None
        while True:
            page = queue.pages(filled, cursor, 1)
            ids += queue.delete(message.message_id for message in page.items)
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(ids) == sorted(ODD_IDS)

    def test_a_renewed_lease_moves_no_message_to_another_page(self, queue):
        queue.write_many([Message(b"x") for _ in range(300)])
        deliveries = queue.claim(300, MINUTE).deliveries
        ids, cursor = [], None
        for number in range(300):
            page = queue.pages(State.RUNNING, cursor, 1)
            ids += [message.message_id for message in page.items]
            cursor = page.cursor
            queue.extend([deliveries[number], deliveries[-number]], MINUTE * 2)
        assert ids == [delivery.message_id for delivery in deliveries]
        assert cursor is None

    def test_more_messages_are_on_a_page_than_one_call_takes(self, queue):
        queue.write_many([Message(b"x", str(number)) for number in range(250)])
        page = queue.pages(State.READY, limit=230)
        assert [message.message_id for message in page.items] == [str(number) for number in range(230)]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "ready", "ready x y", "dead 1 x", "groups 1 x", "ready 1", "ready 1 \ud800", "ready nan x"]
    )
    def test_what_is_no_cursor_of_the_state_is_refused(self, queue, cursor):
        with pytest.raises(ConfigurationError, match="cursor"):
            queue.pages(State.READY, cursor)

    @given(st.text())
    def test_any_text_is_a_cursor_or_is_refused(self, cursor):
        try:
            place = Place.of(cursor, ("ready",))
        except ConfigurationError:
            return
        assert Place.of(place.cursor, ("ready",)) == place


class TestExport:
    def test_every_message_is_on_one_page(self, queue):
        queue.write_many([Message(b"x", f"dead{number}") for number in range(3)])
        queue.settle([Bury(delivery, "bad") for delivery in queue.claim(3, MINUTE).deliveries])
        queue.write_many([Message(b"x", f"running{number}") for number in range(3)])
        queue.claim(3, MINUTE)
        queue.write_many([Message(b"x", f"ready{number}") for number in range(3)])
        queue.write_many([Message(b"x", f"later{number}", eta=queue.now() + MINUTE) for number in range(3)])
        expected = {f"{state}{number}" for state in ("dead", "running", "ready", "later") for number in range(3)}
        for limit in (1, 2, 5, 12, 100):
            ids = ids_of(queue.export, limit)
            assert len(ids) == 12
            assert set(ids) == expected

    @pytest.mark.parametrize("cursor", ["", "groups 1 x", "ready", "RUNNING 1 x"])
    def test_what_is_no_cursor_of_an_export_is_refused(self, queue, cursor):
        with pytest.raises(ConfigurationError, match="cursor"):
            queue.export(cursor)


class TestImport:
    def test_dead_letters_of_one_moment_stay_in_the_order_of_their_burials(self, queue, make_queue):
        queue.write_many([Message(b"x", str(number)) for number in range(50)])
        deliveries = queue.claim(50, MINUTE).deliveries
        queue.settle([Bury(delivery, "bad") for delivery in reversed(deliveries)])
        other = make_queue("another queue")
        other.flush()

        other.import_many(queue.export().items)

        assert [letter.message_id for letter in other.peek(State.DEAD)] == [str(number) for number in range(50)]
        other.flush()

    def test_a_burial_of_another_clock_is_not_in_the_future(self, queue):
        queue.import_many([Record("a", b"x", State.DEAD, due=queue.now() + 10 * MINUTE)])
        queue.write(b"x")
        queue.settle([Bury(queue.claim(1, MINUTE).deliveries[0], "bad")])
        assert all(letter.due <= queue.now() for letter in queue.peek(State.DEAD))

    @pytest.mark.parametrize("unique_for", [0.001, 1.5, 3600.0, 10.0**12])
    def test_the_time_of_a_unique_key_is_exported(self, queue, unique_for):
        queue.write(b"x", unique_key="k", unique_for=unique_for)
        (record,) = queue.export().items
        assert record.unique_key == "k"
        assert max(unique_for - 60, 0) <= record.unique_for <= unique_for

    def test_a_key_that_was_taken_for_a_time_and_by_another_since_is_over(self, queue, eventually):
        queue.write(b"x", unique_key="k", unique_for=0.001)
        assert eventually(lambda: queue.write(b"y", unique_key="k", unique_for=MINUTE).created)
        first, second = queue.export().items
        assert (first.unique_key, first.unique_for) == ("k", 0.0)
        assert second.unique_for > 1

    def test_more_are_imported_than_one_call_takes(self, queue):
        records = [Record(str(number), b"x", State.READY) for number in range(250)]
        assert all(written.created for written in queue.import_many(records))
        assert not any(written.created for written in queue.import_many(records))
        assert [message.message_id for message in queue.peek(State.READY, limit=250)] == [
            record.message_id for record in records
        ]
