"""What a leased queue promises to who looks at every message of it: each is on one page, with all that is known."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from huey_core.backends import Bury, Capability, Message, Record, State
from huey_core.exceptions import ConfigurationError
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import LONG, QueueFixtures
from huey_testing.conformance._texts import DIFFICULT_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.backends import LeasedQueue, Page

__all__ = ["IN_TURN", "QueuePages", "TransferFixtures"]

T = TypeVar("T")

IN_TURN: Final = (State.DEAD, State.RUNNING, State.SCHEDULED, State.READY)
"""The states in the order in which messages can be brought into them without moving others."""

NO_CURSORS: Final = ["", "no cursor", "\N{PARTY POPPER}", "-1", "1.5", "[]", "a\x00b", "9" * 5000]


NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def pages_of(get: Callable[..., Page[T]], limit: int) -> Iterator[list[T]]:
    """Go from page to page. A page may be shorter than it could be, but not all of them empty."""
    page = get(None, limit)
    for _ in range(100):
        assert len(page.items) <= limit
        yield page.items
        if page.cursor is None:
            return
        page = get(page.cursor, limit)
    pytest.fail("100 pages, and none is the last")


def changed(cursor: str) -> set[str]:
    """Make texts of a cursor that a program might take for one, with other numbers in it above all."""
    others = ("0", "-1", "1.5", "1e3", "9" * 30, "-" + "9" * 30, "nan", "-inf", "\N{ARABIC-INDIC DIGIT ONE}")
    spans = [match.span() for match in NUMBER.finditer(cursor)]
    return {
        *(cursor[:begin] + other + cursor[end:] for begin, end in spans for other in others),
        *(cursor[:length] for length in range(len(cursor))),
        *(cursor + more for more in ("0", " ", ":", "\x00", "\N{PARTY POPPER}")),
    }


class TransferFixtures(QueueFixtures):
    """Helpers of the tests of whole records."""

    def exported(self, queue: LeasedQueue) -> list[Record]:
        """All records, in the order in which their messages are to be claimed."""
        records = [record for page in pages_of(queue.export, 100) for record in page]
        return sorted(records, key=lambda record: record.rank)

    def bring(self, queue: LeasedQueue, state: State, *ids: str) -> None:
        """Write messages and bring them into a state; into several states in the order of ``IN_TURN``."""
        eta = queue.now() + LONG if state is State.SCHEDULED else None
        queue.write_many([Message(b"x", message_id, priority=1, eta=eta) for message_id in ids])
        if state in {State.RUNNING, State.DEAD}:
            deliveries = self.claim_soon(queue, len(ids), 10 * LONG)
            if state is State.DEAD:
                queue.settle([Bury(delivery, "reason") for delivery in deliveries])


class QueuePages(TransferFixtures):
    """Promises of ``pages`` and ``export``."""

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", State)
    def test_each_message_of_a_state_is_on_one_page(self, queue: Any, state: State) -> None:
        """Without this, who looks at every command would miss some, or take some of them twice."""
        ids = [f"id {ending}" for ending in DIFFICULT_ENDINGS]
        for each in IN_TURN:
            self.bring(queue, each, *(ids if each is state else ["of another state " + each]))
        listed = [message for page in pages_of(partial(queue.pages, state), 5) for message in page]
        assert sorted(message.message_id for message in listed) == sorted(ids)
        assert {message.state for message in listed} == {state}
        assert queue.pages(state.value, limit=3).items == listed[:3]

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", State)
    def test_a_listed_message_is_the_one_that_is_found(self, queue: Any, state: State) -> None:
        """Without this, who looks at every command would see something else than who looks at one."""
        self.bring(queue, state, "1", "2", "3")
        before = queue.counts()
        listed = queue.pages(state).items
        assert listed == queue.find([message.message_id for message in listed])
        assert queue.counts() == before

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", State)
    def test_who_stays_is_on_one_page_while_others_come_and_go(self, queue: Any, state: State) -> None:
        """Without this, who looks at every command of a busy queue would miss some, or take some of them twice."""
        stay, go = [f"stays {number}" for number in range(12)], [f"goes {number}" for number in range(12)]
        self.bring(queue, state, *(each for pair in zip(stay, go, strict=True) for each in pair))
        listed: list[str] = []
        for number, page in enumerate(pages_of(partial(queue.pages, state), 3)):
            ids = [message.message_id for message in page]
            listed += ids
            queue.delete([message_id for message_id in ids if message_id in go] + go[-number - 1 : len(go) - number])
            if number < len(go):
                self.bring(queue, state, f"comes {number}")
        counted = Counter(listed)
        assert {message_id: counted[message_id] for message_id in stay} == dict.fromkeys(stay, 1)
        assert counted.most_common(1)[0][1] == 1

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("method", ["pages", "export"])
    def test_an_empty_queue_has_one_page_of_nothing(self, queue: Any, method: str) -> None:
        """Without this, who looks at every command of an idle queue would crash, or never come to the end."""
        page = queue.export() if method == "export" else queue.pages(State.READY)
        assert (page.items, page.cursor) == ([], None)

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("cursor", NO_CURSORS, ids=range(len(NO_CURSORS)))
    def test_a_cursor_that_is_none_is_refused(self, queue: Any, cursor: str) -> None:
        """Without this, who makes a mistake would be shown nothing, and take it for everything."""
        for call in (queue.export, *(partial(queue.pages, state) for state in State)):
            with pytest.raises(ConfigurationError):
                call(cursor)

    @promise(Capability.TRANSFER)
    @pytest.mark.parametrize("state", State)
    def test_a_cursor_that_was_changed_is_refused_or_a_place(self, queue: Any, state: State) -> None:
        """Without this, a cursor that was cut or mistyped would crash who looks at a queue, as if the server had."""
        self.bring(queue, state, "1", "2", "3")
        for call in (queue.export, partial(queue.pages, state)):
            for cursor in changed(call(limit=1).cursor):
                with suppress(ConfigurationError):
                    assert len(call(cursor).items) <= 3

    @promise(Capability.TRANSFER)
    def test_each_message_is_exported_once(self, queue: Any) -> None:
        """Without this, commands would be lost, or doubled, on their way to another server."""
        for state in IN_TURN:
            self.bring(queue, state, *(f"{state} {ending}" for ending in DIFFICULT_ENDINGS))
        before = queue.counts()
        exported = Counter(record.message_id for page in pages_of(queue.export, 7) for record in page)
        assert exported == Counter(f"{state} {ending}" for state in State for ending in DIFFICULT_ENDINGS)
        assert queue.counts() == before

    @promise(Capability.TRANSFER, Capability.INSPECT)
    def test_a_record_says_what_an_operator_sees(self, queue: Any) -> None:
        """Without this, a command would come to another server with other bytes, or without its past."""
        for state in IN_TURN:
            self.bring(queue, state, f"1 {state}", f"2 {state}")
        for record in self.exported(queue):
            seen = self.stored(queue, record.message_id)
            assert seen == replace(seen, **{name: getattr(record, name) for name in seen.__dataclass_fields__})

    @promise(Capability.TRANSFER, Capability.PRIORITY)
    def test_ranks_are_in_the_order_of_claims(self, queue: Any) -> None:
        """Without this, commands would overtake one another on their way to another server."""
        for number, priority in enumerate((0, 3, -1, 3, 1000, -1000, 0)):
            queue.write(b"%d" % number, priority=priority)
        data = [record.data for record in self.exported(queue)]
        assert data == [delivery.data for delivery in self.claim_soon(queue, 7)]
        assert data == [b"4", b"1", b"3", b"0", b"6", b"2", b"5"]

    @promise(Capability.TRANSFER, Capability.UNIQUE)
    def test_a_record_has_its_unique_key(self, queue: Any, advance: Passing) -> None:
        """Without this, a unique command could be enqueued again after it came to another server."""
        queue.write(b"x", message_id="dead", unique_key="of the dead")
        queue.settle([Bury(self.claim_one(queue), "bad")])
        queue.write(b"x", message_id="without")
        queue.write(b"x", message_id="live", unique_key="of the live")
        queue.write(b"x", message_id="timed", unique_key="for a time", unique_for=LONG)
        queue.write(b"x", message_id="over", unique_key="no more", unique_for=self.lease)
        advance(self.beyond(self.lease))
        records = {record.message_id: record for record in self.exported(queue)}
        timed = records.pop("timed")
        left = timed.unique_for
        assert {name: (record.unique_key, record.unique_for) for name, record in records.items()} == {
            "dead": ("of the dead", None),
            "without": (None, None),
            "live": ("of the live", None),
            "over": ("no more", 0),
        }
        assert timed.unique_key == "for a time"
        assert left is not None
        assert 0 < left <= LONG - self.lease

    @promise(Capability.TRANSFER, Capability.UNIQUE)
    def test_a_record_has_no_time_of_a_key_that_another_took_since(self, queue: Any, advance: Passing) -> None:
        """Without this, a command would come to another server in the place of the one that has the key."""
        queue.write(b"x", message_id="over", unique_key="key", unique_for=self.lease)
        advance(self.beyond(self.lease))
        assert queue.write(b"x", message_id="holds", unique_key="key", unique_for=LONG).created
        left = {record.message_id: record.unique_for for record in self.exported(queue)}
        assert left["over"] == 0
        assert left["holds"] == pytest.approx(LONG, abs=5)
