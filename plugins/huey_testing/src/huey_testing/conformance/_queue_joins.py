"""What a leased queue promises for groups: what follows one is written with the arrival of its last member, once."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import (
    DEFAULT_GROUP_TTL,
    Ack,
    Arrival,
    Bury,
    Capability,
    Delivery,
    EmptyData,
    Message,
    Outcome,
    Reported,
    ResultWrite,
    StoredGroup,
)
from huey_core.exceptions import ConfigurationError, MessageTooLarge
from huey_testing.conformance._promises import Passing, in_threads, promise, unique_name
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures
from huey_testing.conformance._texts import DIFFICULT_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends import LeasedQueue

__all__ = ["QueueJoins"]

ENDS: Final[dict[str, Callable[..., Outcome]]] = {"ack": Ack, "bury": partial(Bury, reason="failed")}
"""The outcomes that arrive."""


class QueueJoins(QueueFixtures):
    """Promises of arrivals, ``groups`` and ``delete_groups``."""

    def members(self, queue: LeasedQueue, count: int) -> list[Delivery]:
        """Write messages and claim them."""
        queue.write_many([Message(b"member %d" % number) for number in range(count)])
        return self.claim_soon(queue, count)

    def member(self, queue: LeasedQueue) -> Delivery:
        """Write a message and claim it."""
        return self.members(queue, 1)[0]

    def arrivals(
        self, *members: str, of: int = 0, group: str = "group", ttl: float = DEFAULT_GROUP_TTL
    ) -> tuple[Arrival, ...]:
        """Make arrivals at one group, by default one of these members."""
        then = Message(b"all are done")
        return tuple(Arrival(group, member, of or len(members), then, ttl) for member in members)

    def one_each(self, member: str) -> list[Arrival]:
        """Make an arrival at each of many groups of two."""
        return [arrival for name in DIFFICULT_TEXTS for arrival in self.arrivals(member, of=2, group=name)]

    def settle(self, queue: LeasedQueue, delivery: Delivery, *arrivals: Arrival, end: Any = Ack) -> None:
        """End a delivery with arrivals."""
        assert queue.settle([end(delivery, arrivals=arrivals)]) == [True]

    def settle_all(self, queue: LeasedQueue, arrivals: Sequence[Arrival]) -> None:
        """Write messages and end them, each with an arrival."""
        members = self.members(queue, len(arrivals))
        outcomes = [Ack(delivery, arrivals=(each,)) for delivery, each in zip(members, arrivals, strict=True)]
        assert queue.settle(outcomes) == [True] * len(outcomes)

    def assert_empty(self, queue: LeasedQueue) -> None:
        assert queue.claim(10, LONG).deliveries == []

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_the_last_of_a_group_writes_what_follows_it(self, queue: Any, end: Callable[..., Outcome]) -> None:
        """Without this, what is to be done when a group of commands is done would be done too early, or never."""
        a, b, c = self.arrivals("a", "b", "c")
        first, second, third = self.members(queue, 3)
        self.settle(queue, first, b)
        self.settle(queue, second, c, end=end)
        self.assert_empty(queue)
        self.settle(queue, third, a, end=end)
        then = self.claim_one(queue)
        assert (then.data, then.message_id, then.attempt) == (b"all are done", a.then.message_id, 1)
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    def test_a_group_may_arrive_in_one_call(self, queue: Any) -> None:
        """Without this, commands of one group that end at the same time would not be counted, or counted twice."""
        self.settle_all(queue, self.arrivals(*"abcdef"))
        assert self.claim_one(queue).data == b"all are done"
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    def test_a_group_of_one_is_complete_at_once(self, queue: Any) -> None:
        """Without this, nothing would follow a group of a single command."""
        self.settle(queue, self.member(queue), *self.arrivals("a"))
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("at_once", [True, False], ids=["in one call", "one after the other"])
    @pytest.mark.parametrize(("sizes", "last"), [((3, 2, 3), b"1"), ((2, 3, 3), b"2"), ((2, 3, 2), b"2")])
    def test_where_arrivals_disagree_the_one_that_completes_the_group_counts(
        self, queue: Any, sizes: Sequence[int], last: bytes, at_once: bool
    ) -> None:
        """Without this, what follows a group would depend on which of its commands happen to end at the same time."""
        arrivals = [Arrival("group", str(n), of, Message(b"%d" % n)) for n, of in enumerate(sizes)]
        members = self.members(queue, len(arrivals))
        ends = [Ack(delivery, arrivals=(each,)) for delivery, each in zip(members, arrivals, strict=True)]
        for portion in [ends] if at_once else [[each] for each in ends]:
            assert queue.settle(portion) == [True] * len(portion)
        assert [delivery.data for delivery in queue.claim(10, LONG).deliveries] == [last]

    @promise(Capability.JOINS)
    def test_a_member_that_arrives_twice_counts_once(self, queue: Any) -> None:
        """Without this, a command that is run again would take the place of one that is still to come."""
        a, b = self.arrivals("a", "b")
        first, second, third = self.members(queue, 3)
        self.settle(queue, first, a, a)
        self.settle(queue, second, a)
        self.assert_empty(queue)
        self.settle(queue, third, b)
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS, Capability.INSPECT)
    def test_a_dead_letter_that_is_replayed_does_not_arrive_twice(self, queue: Any) -> None:
        """Without this, replaying a failed command of a group would complete it while others still run."""
        a, b = self.arrivals("a", "b")
        failed, running = self.members(queue, 2)
        self.settle(queue, failed, a, end=ENDS["bury"])
        assert queue.requeue([failed.message_id]) == [failed.message_id]
        self.settle(queue, self.claim_one(queue), a)
        self.assert_empty(queue)
        self.settle(queue, running, b)
        assert self.claim_one(queue).data == b"all are done"
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("end", [*ENDS, "running", "ready"])
    def test_what_follows_a_group_is_written_once_whatever_arrives_later(self, queue: Any, end: str) -> None:
        """Without this, what follows a group would be done again for every failed command of it that is replayed."""
        arrivals = self.arrivals("a", "b")
        members = self.members(queue, 7)
        for delivery, arrival in zip(members, arrivals, strict=False):
            self.settle(queue, delivery, arrival)
        if end != "ready":
            then = self.claim_one(queue)
            assert then.data == b"all are done"
            if end in ENDS:
                self.settle(queue, then, end=ENDS[end])
        late = [*arrivals, *self.arrivals("c", of=2)]
        for delivery, arrival in zip(members[2:], [*late, *late[:2]], strict=True):
            self.settle(queue, delivery, arrival)
        if end == "ready":
            assert self.claim_one(queue).data == b"all are done"
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_a_stale_receipt_arrives_nowhere(self, queue: Any, advance: Passing, end: Callable[..., Outcome]) -> None:
        """Without this, a consumer that lost its lease would complete a group whose commands still run."""
        a, b = self.arrivals("a", "b")
        queue.write(b"member")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        current = self.claim_one(queue)
        other = self.member(queue)
        assert queue.settle([end(late, arrivals=(a,))]) == [False]
        self.settle(queue, other, b)
        self.assert_empty(queue)
        self.settle(queue, current, a)
        assert queue.settle([end(late, arrivals=(a,))]) == [False]
        assert self.claim_one(queue).data == b"all are done"
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    def test_a_dead_letter_arrives_when_it_is_reported(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, a group with a command that kills its consumers would wait for it for ever."""
        queue = new_queue(max_deliveries=1)
        a, b = self.arrivals("a", "b")
        killer = queue.write(b"killer").message_id
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        self.find_buried(queue)
        other = self.member(queue)
        self.settle(queue, other, b)
        queue.report_done([Reported("unknown", arrivals=(a,))])
        self.assert_empty(queue)
        queue.report_done([Reported(killer, arrivals=(a,))])
        assert self.claim_one(queue).data == b"all are done"
        queue.report_done([Reported(killer, arrivals=self.arrivals("a", group="other"))])
        self.assert_empty(queue)

    @promise(Capability.JOINS)
    def test_groups_do_not_touch_each_other(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, a command would complete a group that it is no member of."""
        other = new_queue(f"{queue.name}2")
        for where in (queue, other):
            self.settle_all(where, self.one_each(where.name))
        self.assert_empty(queue)
        self.assert_empty(other)
        self.settle_all(queue, self.one_each("second"))
        assert len(self.claim_soon(queue, len(DIFFICULT_TEXTS))) == len(DIFFICULT_TEXTS)

    @promise(Capability.JOINS)
    def test_members_of_any_name_are_told_apart(self, queue: Any) -> None:
        """Without this, two commands with similar names would be counted as one, and their group never be complete."""
        *first, last = self.arrivals(*DIFFICULT_TEXTS)
        self.settle_all(queue, first)
        self.assert_empty(queue)
        self.settle_all(queue, [last])
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    def test_what_follows_a_group_is_as_any_message(self, queue: Any) -> None:
        """Without this, what follows a group would be done before its time, out of its turn, or a second time."""
        queue.write(b"known", message_id="known", eta=queue.now() + LONG)
        thens = {
            "known": Message(b"known again", message_id="known"),
            "later": Message(b"later", eta=queue.now() + LONG),
            "ordinary": Message(b"ordinary"),
            "urgent": Message(b"urgent", priority=2),
        }
        first, second = self.members(queue, 2)
        self.settle(queue, first, *(Arrival(name, "a", 2, then) for name, then in thens.items()))
        self.assert_empty(queue)
        self.settle(queue, second, *(Arrival(name, "b", 2, then) for name, then in thens.items()))
        order = [b"urgent", b"ordinary"] if Capability.PRIORITY in queue.capabilities else [b"ordinary", b"urgent"]
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == order
        self.assert_empty(queue)

    @promise(Capability.JOINS, Capability.ATOMIC_SETTLE)
    def test_an_outcome_may_have_all_that_there_is(self, queue: Any, store: Any) -> None:
        """Without this, of what a command leaves behind something would be lost."""
        delivery = self.member(queue)
        assert store.peek("key") is EmptyData
        result, follow_ups = ResultWrite(store, "key", b"result"), (Message(b"follow-up"),)
        arrivals = (*self.arrivals("a", group="one"), *self.arrivals("a", group="other"))
        assert queue.settle([Ack(delivery, result, follow_ups, arrivals)]) == [True]
        claimed = [each.data for each in self.claim_soon(queue, 3)]
        assert sorted(claimed) == [b"all are done", b"all are done", b"follow-up"]
        assert store.peek("key") == b"result"

    @promise(Capability.JOINS)
    def test_a_group_is_forgotten_after_its_time(self, queue: Any, advance: Passing) -> None:
        """Without this, groups that are never complete, and those that are, would fill the server up."""
        first, second, third = self.members(queue, 3)
        self.settle(
            queue, first, *self.arrivals("a", of=2, ttl=self.lease), *self.arrivals("a", group="one", ttl=self.lease)
        )
        advance(self.beyond(self.lease))
        assert queue.groups().items == []
        assert queue.delete_groups(["group", "one"]) == []
        assert self.claim_one(queue).data == b"all are done"
        self.settle(queue, second, *self.arrivals("b", of=2))
        self.assert_empty(queue)
        self.settle(queue, third, *self.arrivals("a", of=2))
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    def test_every_member_that_arrives_prolongs_a_groups_time(self, queue: Any, advance: Passing) -> None:
        """Without this, a group of slow commands would be forgotten while they are still at work."""
        first, second = self.members(queue, 2)
        short, long = self.arrivals("a", of=3, ttl=self.lease), self.arrivals("b", of=3, ttl=LONG)
        self.settle(queue, first, *short, *long)
        advance(self.beyond(self.lease))
        self.settle(queue, second, *self.arrivals("c", of=3))
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    def test_who_arrives_again_does_not_prolong_a_groups_time(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that is replayed again and again would keep its group for ever."""
        delivery = self.member(queue)
        short, again = self.arrivals("a", of=2, ttl=self.lease), self.arrivals("a", of=2, ttl=LONG)
        complete = [*self.arrivals("a", group="one", ttl=self.lease), *self.arrivals("b", of=1, group="one", ttl=LONG)]
        self.settle(queue, delivery, *short, *again, *complete)
        advance(self.beyond(self.lease))
        assert queue.groups().items == []

    @promise(Capability.JOINS)
    def test_a_group_is_shown_as_it_is(self, queue: Any) -> None:
        """Without this, an operator could not see what a group waits for."""
        assert queue.groups().items == []
        first, second, third = self.members(queue, 3)
        before = queue.now()
        self.settle(queue, first, *self.arrivals("a", of=3, ttl=LONG))
        self.settle(queue, second, *self.arrivals("b", of=3, ttl=LONG))
        after = queue.now()
        (group,) = queue.groups().items
        assert group == StoredGroup("group", 2, 3, group.expires)
        assert before + LONG - 5 <= group.expires <= after + LONG + 5
        assert not group.complete
        self.settle(queue, third, *self.arrivals("c", of=3))
        (group,) = queue.groups().items
        assert (group.group, group.arrived, group.of, group.complete) == ("group", 3, 3, True)

    @promise(Capability.JOINS)
    def test_each_group_is_on_one_page(self, queue: Any) -> None:
        """Without this, an operator would miss groups, or see some of them twice."""
        self.settle_all(queue, self.one_each("a"))
        seen: list[str] = []
        cursor, pages = None, 0
        while pages == 0 or cursor is not None:
            page = queue.groups(cursor, limit=3)
            assert len(page.items) <= 3
            seen += [group.group for group in page.items]
            cursor, pages = page.cursor, pages + 1
            # A server may make a page shorter, but not each of them empty.
            assert pages < 100
        assert sorted(seen) == sorted(DIFFICULT_TEXTS)

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("cursor", ["", "no cursor", "\N{PARTY POPPER}", "-1", "1.5", "[]", "a\x00b"])
    def test_a_cursor_of_nobody_is_refused(self, queue: Any, cursor: str) -> None:
        """Without this, who makes a mistake would be shown nothing, and take it for everything."""
        with pytest.raises(ConfigurationError):
            queue.groups(cursor)

    @promise(Capability.JOINS)
    def test_a_deleted_group_begins_anew(self, queue: Any) -> None:
        """Without this, an operator could not give up a group and start it again."""
        a, b = self.arrivals("a", "b")
        first, second, third = self.members(queue, 3)
        self.settle(queue, first, a, *self.arrivals("a", group="complete"))
        self.claim_one(queue)
        assert queue.delete_groups(["group", "unknown", "complete"]) == ["group", "complete"]
        assert queue.delete_groups(["group"]) == []
        assert queue.groups().items == []
        self.settle(queue, second, b, *self.arrivals("a", group="complete"))
        assert self.claim_one(queue).data == b"all are done"
        self.assert_empty(queue)
        self.settle(queue, third, a)
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    def test_a_flush_forgets_groups(self, queue: Any) -> None:
        """Without this, a group would be complete before its time because of commands that were thrown away."""
        a, b = self.arrivals("a", "b")
        self.settle(queue, self.member(queue), a)
        queue.flush()
        assert queue.groups().items == []
        self.settle(queue, self.member(queue), b)
        self.assert_empty(queue)

    @promise(Capability.JOINS, Capability.BLOCKING)
    def test_the_last_of_a_group_ends_a_wait(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, what follows a group would lie in an idle system until the consumer happens to look again."""
        other = new_queue(queue.name)
        a, b = self.arrivals("a", "b")
        first, second = self.members(other, 2)
        self.settle(other, first, a)
        claimed = self.claim_while(queue, lambda: self.settle(other, second, b))
        assert [delivery.data for delivery in claimed] == [b"all are done"]

    @promise(Capability.JOINS)
    def test_of_many_who_arrive_at_once_one_is_the_last(self, new_queue: QueueFactory) -> None:
        """Without this, what follows a group would be done twice, or not at all, when two consumers end at once."""
        name = unique_name()
        queues = [new_queue(name) for _ in range(8)]
        for number in range(5):
            arrivals = self.arrivals(*"abcdefgh", group=f"group {number}")
            members = self.members(queues[0], len(arrivals))
            each = zip(queues, members, arrivals, strict=True)
            in_threads([partial(self.settle, queue, delivery, arrival) for queue, delivery, arrival in each])
            assert self.claim_one(queues[0]).data == b"all are done"
            self.assert_empty(queues[0])

    @promise(Capability.JOINS)
    def test_a_group_may_have_many_members(self, queue: Any) -> None:
        """Without this, a large group would never be complete, or take its server down."""
        size, portion = 1000, 100
        then = Message(b"all are done")
        for begin in range(0, size, portion):
            self.assert_empty(queue)
            numbers = range(begin, begin + portion)
            self.settle_all(queue, [Arrival("group", f"member {number}", size, then) for number in numbers])
        assert self.claim_one(queue).data == b"all are done"

    @promise(Capability.JOINS)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_what_follows_a_group_is_within_the_limit(self, queue: Any, end: Callable[..., Outcome]) -> None:
        """Without this, the last command of a group would be done while what follows was lost."""
        limit = self.lower_limit(queue)
        first, second = self.members(queue, 2)
        if limit is not None:
            too_large = Arrival("group", "a", 2, Message(bytes(limit + 1)))
            with pytest.raises(MessageTooLarge):
                queue.settle([Ack(first), end(second, arrivals=(too_large,))])
            assert queue.groups().items == []
        fits = Arrival("group", "a", 1, Message(bytes(limit or 1000)))
        assert queue.settle([Ack(first), end(second, arrivals=(fits,))]) == [True, True]
        assert self.claim_one(queue).data == fits.then.data
