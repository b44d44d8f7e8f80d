"""What a leased queue promises for unique keys: one live message per key, freed when it is settled."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Ack, Bury, Capability, Delivery, Message, Release, Retry
from huey_testing.conformance._promises import Counting, Passing, error_of, eventually, in_threads, promise, unique_name
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures
from huey_testing.conformance._texts import DIFFICULT_TEXTS, SIMILAR_TO_A_SURROGATE, SURROGATE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QueueUniqueness"]

ENDS: Final[dict[str, Callable[[Any, Delivery], object]]] = {
    "ack": lambda queue, delivery: queue.settle([Ack(delivery)]),
    "bury": lambda queue, delivery: queue.settle([Bury(delivery, "bad")]),
    "delete": lambda queue, delivery: queue.delete([delivery.message_id]),
}

RETURNS: Final[dict[str, Callable[[Any, Delivery], object]]] = {
    "running": lambda queue, delivery: None,
    "release": lambda queue, delivery: queue.settle([Release(delivery)]),
    "retry": lambda queue, delivery: queue.settle([Retry(delivery, b"again")]),
}


class QueueUniqueness(QueueFixtures):
    """Promises of ``unique_key`` and ``unique_for``."""

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_key_is_taken_by_the_first_message(self, queue: Any) -> None:
        """Without this, ten clicks on "rebuild" would rebuild ten times, and every consumer would run each tick."""
        first = queue.write(b"first", unique_key="key")
        second = queue.write(b"second", unique_key="key")
        assert (first.created, second.created, second.message_id) == (True, False, first.message_id)
        assert self.claim_one(queue).data == b"first"
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_keys_do_not_touch_each_other(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, a command would be dropped because another one, or one of another queue, has a similar key."""
        assert [key for key in (*DIFFICULT_TEXTS, None, None) if not queue.write(b"x", unique_key=key).created] == []
        assert [key for key in DIFFICULT_TEXTS if queue.write(b"x", unique_key=key).created] == []
        assert new_queue(f"{queue.name}2").write(b"x", unique_key="a").created

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_key_that_is_no_unicode_is_refused_or_kept_apart(self, queue: Any) -> None:
        """Without this, a command would be dropped because another one's key looks alike on the server."""
        for key in SIMILAR_TO_A_SURROGATE:
            queue.write(b"another", unique_key=key)
        created: list[bool] = []

        def write() -> None:
            created.append(queue.write(b"x", unique_key=SURROGATE).created)

        refused = [error_of(write) is not None, error_of(write) is not None]
        assert (created, refused) in [([True, False], [False, False]), ([], [True, True])]

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_write_of_a_known_id_takes_no_key(self, queue: Any) -> None:
        """Without this, a key would be taken that no message has, and its command be refused for ever."""
        queue.write(b"first", message_id="known")
        assert queue.write(b"again", message_id="known", unique_key="key").created is False
        assert queue.write(b"second", unique_key="key").created is True

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_duplicate_in_a_batch_keeps_the_others(self, queue: Any) -> None:
        """Without this, one duplicate would drop a whole batch of commands."""
        batch = [Message(b"1", unique_key="key"), Message(b"2", unique_key="key"), Message(b"3")]
        assert [written.created for written in queue.write_many(batch)] == [True, False, True]
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == [b"1", b"3"]

    @promise(Capability.LEASES, Capability.UNIQUE)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_the_end_of_the_message_frees_its_key(self, queue: Any, end: Callable[[Any, Delivery], object]) -> None:
        """Without this, a unique command could be run only once in its life."""
        queue.write(b"first", unique_key="key")
        end(queue, self.claim_one(queue))
        assert queue.write(b"second", unique_key="key").created is True
        assert self.claim_one(queue).data == b"second"

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_burial_by_the_claim_frees_the_key(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, a unique command that crashed its consumer could never be enqueued again."""
        queue = new_queue(max_deliveries=1)
        queue.write(b"killer", unique_key="key")
        self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))

        def is_free() -> bool:
            assert queue.claim(1, LONG).deliveries == []
            return bool(queue.write(b"second", unique_key="key").created)

        eventually(is_free, "a key that a burial has freed", self.deadline)

    @promise(Capability.LEASES, Capability.UNIQUE)
    @pytest.mark.parametrize("give_back", RETURNS.values(), ids=RETURNS.keys())
    def test_a_live_message_keeps_its_key(self, queue: Any, give_back: Callable[[Any, Delivery], object]) -> None:
        """Without this, a unique command would be enqueued a second time while the first is still to finish."""
        queue.write(b"first", unique_key="key")
        give_back(queue, self.claim_one(queue))
        assert queue.write(b"second", unique_key="key").created is False

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_an_old_end_does_not_free_a_new_holders_key(self, queue: Any) -> None:
        """Without this, deleting an old dead letter would let a second unique command in beside the live one."""
        queue.write(b"first", unique_key="key")
        first = self.claim_one(queue)
        queue.settle([Bury(first, "bad")])
        queue.write(b"second", unique_key="key")
        queue.delete([first.message_id])
        assert queue.write(b"third", unique_key="key").created is False

    @promise(Capability.LEASES, Capability.UNIQUE, Capability.DELAY)
    def test_a_delayed_message_holds_its_key(self, queue: Any) -> None:
        """Without this, a reminder could be scheduled twice."""
        queue.write(b"first", unique_key="key", eta=queue.now() + LONG)
        queue.write(b"first", unique_key="retried")
        queue.settle([Retry(self.claim_one(queue), b"again", delay=LONG)])
        assert queue.write(b"second", unique_key="key").created is False
        assert queue.write(b"second", unique_key="retried").created is False

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_unique_for_outlasts_the_message_and_then_ends(self, queue: Any, advance: Passing) -> None:
        """Without this, "at most once a minute" would mean "again at once", or "never again"."""
        first = queue.write(b"first", unique_key="key", unique_for=LONG)
        queue.write(b"other", unique_key="short", unique_for=self.lease)
        queue.settle([Ack(delivery) for delivery in self.claim_soon(queue, 2)])
        again = queue.write(b"second", unique_key="key")
        assert (again.created, again.message_id) == (False, first.message_id)
        advance(self.beyond(self.lease))
        assert queue.write(b"third", unique_key="short").created is True

    @promise(Capability.LEASES, Capability.UNIQUE, Capability.INSPECT)
    def test_a_message_is_requeued_while_its_key_is_its_own_for_a_time(self, queue: Any) -> None:
        """Without this, a dead command could not be run again before the time of its key is over."""
        first = queue.write(b"first", unique_key="key", unique_for=LONG).message_id
        queue.settle([Bury(self.claim_one(queue), "bad")])
        assert queue.requeue([first]) == [first]

    @promise(Capability.LEASES, Capability.UNIQUE, Capability.INSPECT)
    def test_a_message_whose_key_had_a_time_is_not_requeued_while_another_has_the_key(
        self, queue: Any, advance: Passing
    ) -> None:
        """Without this, replaying a dead unique command would run it beside its successor."""
        first = queue.write(b"first", unique_key="key", unique_for=self.lease).message_id
        queue.settle([Bury(self.claim_one(queue), "bad")])
        advance(self.beyond(self.lease))
        assert queue.write(b"second", unique_key="key").created is True
        assert queue.requeue([first]) == []

    @promise(Capability.LEASES, Capability.UNIQUE, Capability.INSPECT)
    def test_a_requeue_does_not_take_a_key_again_whose_time_is_over(self, queue: Any, advance: Passing) -> None:
        """Without this, a command that may run once a minute could not, because an old one was run again."""
        first = queue.write(b"first", unique_key="key", unique_for=self.lease).message_id
        queue.settle([Bury(self.claim_one(queue), "bad")])
        advance(self.beyond(self.lease))
        assert queue.requeue([first]) == [first]
        assert queue.write(b"second", unique_key="key").created is True

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_keys_whose_time_is_over_are_removed(self, queue: Any, advance: Passing, count_records: Counting) -> None:
        """Without this, the server would fill up with the keys of commands that are long done."""
        before = count_records()
        queue.write_many([Message(b"x", unique_key=f"key {n}", unique_for=self.lease) for n in range(50)])
        queue.settle([Ack(delivery) for delivery in self.claim_soon(queue, 50)])
        advance(self.beyond(self.lease))
        numbers = itertools.count()

        def is_removed() -> bool:
            # A queue may have nobody but those who use it to remove what is over.
            queue.write(b"x", unique_key=f"another {next(numbers)}", unique_for=self.lease)
            queue.settle([Ack(delivery) for delivery in queue.claim(1, LONG).deliveries])
            return count_records() < before + 40

        eventually(is_removed, "the removal of a few of 50 keys", 3 * self.deadline)

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_a_flush_frees_keys(self, queue: Any) -> None:
        """Without this, a unique command that was flushed could never be enqueued again."""
        queue.write(b"first", unique_key="key")
        queue.write(b"first", unique_key="timed", unique_for=LONG)
        queue.flush()
        assert queue.write(b"second", unique_key="key").created is True
        assert queue.write(b"second", unique_key="timed").created is True

    @promise(Capability.LEASES, Capability.UNIQUE)
    def test_of_many_writers_one_gets_the_key(self, new_queue: QueueFactory) -> None:
        """Without this, every one of several consumers would enqueue the same periodic command."""
        name = unique_name()
        queues = [new_queue(name) for _ in range(8)]
        for tick in range(10):
            writes = [partial(queue.write, b"x", unique_key=f"tick {tick}") for queue in queues]
            written = in_threads(writes)
            assert [item.created for item in written].count(True) == 1
            assert len({item.message_id for item in written}) == 1
