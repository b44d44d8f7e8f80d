"""What a leased queue promises for messages that wait for a key, as for a lock: freeing it makes the first ready."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Ack, BaseDataStore, Capability, EmptyData, Message, Release, State, Wake
from huey_core.exceptions import Unsupported
from huey_testing.conformance._promises import Passing, eventually, in_threads, promise, unique_name
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures, StoreFactory
from huey_testing.conformance._texts import DIFFICULT_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends import LeasedQueue

__all__ = ["QueueFreeing"]

HELD: Final = b"held"
"""The value of a key as long as it is not free."""

LEAVES: Final[dict[str, Callable[[Any, str], object]]] = {
    "requeued": lambda queue, message_id: queue.requeue([message_id]),
    "deleted": lambda queue, message_id: queue.delete([message_id]),
}
"""Ways in which a message no longer waits for its key."""


class QueueFreeing(QueueFixtures):
    """Promises of ``Release`` with a wake, and of ``free``."""

    @pytest.fixture
    def wake(self, store: Any) -> Wake:
        """A key that is not free."""
        store.put("lock", HELD)
        return Wake(store, "lock", HELD)

    def wait_for(
        self, queue: LeasedQueue, wake: Wake, data: Sequence[bytes] = (b"x",), delay: float = LONG, **message: Any
    ) -> None:
        """Write messages, by their data as their ids, claim them and put them back to wait, the last one first."""
        queue.write_many([Message(each, each.decode(), **message) for each in data])
        outcomes = [Release(delivery, delay, wake) for delivery in self.claim_soon(queue, len(data))]
        assert queue.settle(outcomes[::-1]) == [True] * len(data)

    def claim_ready(self, queue: LeasedQueue) -> list[bytes]:
        """Claim everything that is ready."""
        claimed: list[bytes] = []
        while deliveries := queue.claim(200, LONG).deliveries:
            claimed += [delivery.data for delivery in deliveries]
        return claimed

    @promise(Capability.WAKE)
    def test_of_many_who_wait_the_first_is_freed(self, queue: Any, wake: Wake) -> None:
        """Without this, a lock that is given back would start a stampede, or commands would overtake one another."""
        names = [b"%03d" % number for number in range(100)]
        self.wait_for(queue, wake, names, delay=100 * LONG)
        queue.write(b"written later", eta=queue.now() + LONG)
        assert self.claim_ready(queue) == []
        assert queue.free(wake, HELD) == 1
        assert self.claim_ready(queue) == names[:1]
        assert queue.free(wake, HELD) == 1
        assert self.claim_ready(queue) == names[1:2]

    @promise(Capability.WAKE, Capability.PRIORITY)
    def test_who_waits_is_freed_by_priority(self, queue: Any, wake: Wake) -> None:
        """Without this, an urgent command would wait for a lock behind all the others."""
        for number, priority in enumerate((0, -1, 3, 1, 3)):
            self.wait_for(queue, wake, [b"%d" % number], priority=priority)
        freed = [(queue.free(wake, HELD), *self.claim_ready(queue)) for _ in range(5)]
        assert freed == [(1, b"2"), (1, b"4"), (1, b"3"), (1, b"0"), (1, b"1")]

    @promise(Capability.WAKE)
    def test_as_many_are_freed_as_were_asked_for(self, queue: Any, wake: Wake) -> None:
        """Without this, of several places that come free at once only one would be taken, or too many."""
        self.wait_for(queue, wake, [b"1", b"2", b"3", b"4"])
        assert [queue.free(wake, HELD, limit=limit) for limit in (0, -1)] == [0, 0]
        assert self.claim_ready(queue) == []
        assert queue.free(wake, HELD, limit=3) == 3
        assert self.claim_ready(queue) == [b"1", b"2", b"3"]
        assert queue.free(wake, HELD, limit=3) == 1
        assert self.claim_ready(queue) == [b"4"]
        assert queue.free(wake, HELD, limit=3) == 0

    @promise(Capability.WAKE)
    def test_the_key_is_free_with_the_same_step(self, queue: Any, store: Any, wake: Wake) -> None:
        """Without this, the command that is started would find its lock taken, and wait again."""
        self.wait_for(queue, wake)
        assert queue.free(wake) == 1
        assert store.peek("lock") is EmptyData

    @promise(Capability.WAKE, Capability.TTL)
    def test_the_key_gets_its_new_value_and_time(self, queue: Any, store: Any, wake: Wake, advance: Passing) -> None:
        """Without this, the places that are left would be lost, or stay taken for ever when a consumer is killed."""
        assert queue.free(wake, b"for a time", ttl=self.lease) == 0
        advance(self.beyond(self.lease))
        assert store.peek("lock") is EmptyData

        def is_replaced() -> bool:
            store.put("lock", HELD, ttl=self.lease)
            return bool(queue.free(wake, b"") == 0)

        eventually(is_replaced, "a new value within the time of the old one", self.deadline)
        advance(self.beyond(self.lease))
        assert store.peek("lock") == b""

    @promise(Capability.WAKE)
    @pytest.mark.parametrize("value", [b"others", b"", None], ids=["another value", "an empty value", "no value"])
    def test_who_frees_a_key_that_is_not_his_changes_nothing(
        self, queue: Any, store: Any, wake: Wake, value: bytes | None
    ) -> None:
        """Without this, who lost a lock would take it from the one that has it now."""
        self.wait_for(queue, wake)
        store.delete("lock")
        if value is not None:
            store.put("lock", value)
        assert queue.free(wake) is None
        assert queue.free(wake, b"new") is None
        assert store.peek("lock") == (EmptyData if value is None else value)
        assert self.claim_ready(queue) == []

    @promise(Capability.WAKE)
    @pytest.mark.parametrize("value", [b"others", b"", None], ids=["another value", "an empty value", "no value"])
    def test_a_release_whose_key_has_changed_meanwhile_is_ready_at_once(
        self, queue: Any, store: Any, wake: Wake, value: bytes | None
    ) -> None:
        """Without this, a command would wait for a lock that was given back just before it began to wait."""
        store.delete("lock")
        if value is not None:
            store.put("lock", value)
        self.wait_for(queue, wake, [b"1", b"2"])
        claimed = self.claim_soon(queue, 2)
        assert [(delivery.data, delivery.attempt) for delivery in claimed] == [(b"1", 1), (b"2", 1)]

    @promise(Capability.WAKE, Capability.TTL)
    def test_a_release_whose_key_has_ended_meanwhile_is_ready_at_once(
        self, queue: Any, store: Any, wake: Wake, advance: Passing
    ) -> None:
        """Without this, a command would wait for a lock whose holder was killed long ago."""
        store.put("lock", HELD, ttl=self.lease)
        advance(self.beyond(self.lease))
        self.wait_for(queue, wake)
        assert self.claim_one(queue).data == b"x"

    @promise(Capability.WAKE)
    def test_a_key_may_have_waiters_before_its_value_changes(self, queue: Any, store: Any, wake: Wake) -> None:
        """Without this, a command would miss that a lock is free which others have held since it began to wait."""
        self.wait_for(queue, wake, [b"1"])
        store.put("lock", b"others")
        self.wait_for(queue, Wake(store, "lock", b"others"), [b"2"])
        assert queue.free(Wake(store, "lock", b"others"), limit=2) == 2
        assert self.claim_ready(queue) == [b"1", b"2"]

    @promise(Capability.WAKE)
    def test_a_message_that_waits_comes_when_its_delay_is_over(self, queue: Any, wake: Wake, advance: Passing) -> None:
        """Without this, a command would wait for ever for a lock whose holder was killed."""
        queue.write_many([Message(b"first", "first"), Message(b"second", "second")])
        first, second = self.claim_soon(queue, 2)
        queue.settle([Release(first, self.lease, wake), Release(second, LONG, wake)])
        advance(self.beyond(self.lease))
        assert self.claim_one(queue).data == b"first"
        assert queue.free(wake) == 1
        assert self.claim_one(queue).data == b"second"

    @promise(Capability.WAKE, Capability.INSPECT)
    def test_a_message_that_waits_is_shown_as_scheduled(self, queue: Any, wake: Wake) -> None:
        """Without this, an operator would not see what waits for a lock, nor until when it does at the most."""
        before = queue.now()
        self.wait_for(queue, wake)
        seen = self.stored(queue, "x")
        assert (seen.state, seen.attempt) == (State.SCHEDULED, 0)
        assert before + LONG - 0.01 <= seen.due <= queue.now() + LONG + 0.01
        assert queue.free(wake) == 1
        assert self.stored(queue, "x").state is State.READY

    @promise(Capability.WAKE, Capability.INSPECT)
    @pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
    def test_who_waits_no_more_is_not_freed(self, queue: Any, wake: Wake, leave: Callable[[Any, str], object]) -> None:
        """Without this, of the commands that wait for a lock none would be started, since one counts that is gone."""
        self.wait_for(queue, wake, [b"first", b"second"])
        leave(queue, "first")
        gone = self.claim_ready(queue)
        assert queue.free(wake) == 1
        assert self.claim_ready(queue) == [b"second"]
        assert gone == ([b"first"] if leave is LEAVES["requeued"] else [])

    @promise(Capability.WAKE, Capability.INSPECT)
    def test_who_waits_for_a_time_again_is_not_freed(self, queue: Any, wake: Wake) -> None:
        """Without this, a command that was put back for later would run before its time, when a lock is free."""
        self.wait_for(queue, wake, [b"first", b"second"])
        queue.requeue(["first"])
        assert queue.settle([Release(self.claim_one(queue), LONG)]) == [True]
        assert queue.free(wake, limit=2) == 1
        assert self.claim_ready(queue) == [b"second"]

    @promise(Capability.WAKE, Capability.TRANSFER)
    def test_who_is_rescheduled_is_not_freed(self, queue: Any, wake: Wake) -> None:
        """Without this, a command that an operator has put off would run before its time, when a lock is free."""
        self.wait_for(queue, wake, [b"first", b"second"])
        assert queue.reschedule(["first"], queue.now() + 2 * LONG) == ["first"]
        assert queue.free(wake, limit=2) == 1
        assert self.claim_ready(queue) == [b"second"]

    @promise(Capability.WAKE)
    def test_what_was_flushed_is_not_freed(self, queue: Any, wake: Wake) -> None:
        """Without this, commands that were thrown away would come back."""
        self.wait_for(queue, wake)
        queue.flush()
        queue.write(b"x", message_id="x", eta=queue.now() + LONG)
        assert queue.free(wake) == 0
        assert self.claim_ready(queue) == []

    @promise(Capability.WAKE)
    def test_a_stale_release_does_not_wait(self, queue: Any, wake: Wake, advance: Passing) -> None:
        """Without this, a lock would be handed to a command that runs already, instead of to one that waits."""
        queue.write(b"contested")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        self.claim_one(queue)
        assert queue.settle([Release(late, LONG, wake)]) == [False]
        self.wait_for(queue, wake, [b"waits"])
        assert queue.free(wake, limit=2) == 1
        assert self.claim_ready(queue) == [b"waits"]

    @promise(Capability.WAKE)
    def test_keys_stores_and_queues_are_told_apart(
        self, queue: Any, wake: Wake, new_queue: QueueFactory, make_data_store: StoreFactory
    ) -> None:
        """Without this, freeing one lock would start a command that waits for another."""
        other_store, other_queue = make_data_store(f"{wake.store.name}2"), new_queue(f"{queue.name}2")
        keys = ["lock", *DIFFICULT_TEXTS]
        for key in keys:
            wake.store.put(key, HELD)
        other_store.put("lock", HELD)
        queue.write_many([Message(key.encode()) for key in keys])
        deliveries = self.claim_soon(queue, len(keys))
        wakes = [Wake(wake.store, key, HELD) for key in keys]
        pairs = zip(deliveries, wakes, strict=True)
        queue.settle([Release(delivery, 100 * LONG, awaited) for delivery, awaited in pairs])
        self.wait_for(other_queue, wake, delay=100 * LONG)
        try:
            assert queue.free(Wake(other_store, "lock", HELD)) == 0
            for each in wakes:
                assert queue.free(each, limit=100) == 1
                assert self.claim_one(queue).data == each.key.encode()
            assert self.claim_ready(other_queue) == []
            wake.store.put("lock", HELD)
            assert other_queue.free(wake) == 1
        finally:
            other_store.flush()
            other_store.close()

    @promise(Capability.WAKE)
    def test_of_many_who_free_each_frees_another(self, new_queue: QueueFactory, wake: Wake) -> None:
        """Without this, two who give back a place at once would start one command only, and the other wait on."""
        name = unique_name()
        queues = [new_queue(name) for _ in range(8)]
        names = [b"%d" % number for number in range(8)]
        self.wait_for(queues[0], wake, names)
        assert in_threads([partial(queue.free, wake, HELD) for queue in queues]) == [1] * 8
        assert sorted(self.claim_ready(queues[0])) == names

    @promise(Capability.WAKE)
    def test_who_begins_to_wait_while_the_key_is_freed_is_ready(
        self, queue: Any, new_queue: QueueFactory, wake: Wake
    ) -> None:
        """Without this, a command would wait for a lock that is free, and nobody be left to free it."""
        holder = new_queue(queue.name)
        for number in range(20):
            wake.store.put("lock", HELD)
            queue.write(b"%d" % number)
            release = Release(self.claim_one(queue), LONG, wake)
            together = threading.Barrier(2)
            calls = [partial(queue.settle, [release]), partial(holder.free, wake)]
            # Whoever comes last to the barrier goes on first as a rule.
            in_threads([partial(_together, together, call) for call in (calls if number % 2 else calls[::-1])])
            delivery = self.claim_one(queue)
            assert delivery.data == b"%d" % number
            queue.settle([Ack(delivery)])

    @promise(Capability.WAKE, Capability.BLOCKING)
    def test_what_is_freed_ends_a_wait(self, queue: Any, new_queue: QueueFactory, wake: Wake) -> None:
        """Without this, a command whose lock is free would lie in an idle system until somebody looks again."""
        other = new_queue(queue.name)
        self.wait_for(other, wake)
        assert [delivery.data for delivery in self.claim_while(queue, partial(other.free, wake))] == [b"x"]

    @promise(Capability.WAKE, Capability.NOTIFY)
    def test_who_watches_the_key_is_told_of_its_new_value(self, queue: Any, store: Any, wake: Wake) -> None:
        """Without this, who waits for a value by watching its key would wait for ever."""
        told = threading.Event()
        end_watch = store.watch("lock", told.set)
        assert queue.free(wake, b"new") == 0
        assert told.wait(self.deadline)
        end_watch()

    @promise(Capability.WAKE)
    def test_a_key_of_another_server_is_refused(self, queue: Any) -> None:
        """Without this, a command would wait for a key that nobody can free in the same step."""
        wake = Wake(_Elsewhere("elsewhere"), "lock", HELD)
        queue.write_many([Message(b"1"), Message(b"2")])
        first, second = self.claim_soon(queue, 2)
        with pytest.raises(Unsupported):
            queue.settle([Release(first), Release(second, LONG, wake)])
        with pytest.raises(Unsupported):
            queue.free(wake)
        assert queue.settle([Release(first), Release(second)]) == [True, True]


def _together(others: threading.Barrier, call: Callable[[], object]) -> object:
    others.wait()
    return call()


class _Elsewhere(BaseDataStore):
    """A data store of no server."""

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        raise NotImplementedError

    def get(self, key: str) -> Any:
        raise NotImplementedError

    def flush(self) -> None:
        raise NotImplementedError
