"""What a leased queue promises for what goes with an outcome: results and follow-ups, in the step that settles."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import (
    Ack,
    Bury,
    Capability,
    Counts,
    Delivery,
    EmptyData,
    Message,
    Outcome,
    ResultWrite,
    Retry,
)
from huey_core.exceptions import MessageTooLarge
from huey_testing.conformance._promises import Passing, Threads, promise
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QueueResults"]

TOO_LARGE: Final[dict[str, Callable[[Delivery, bytes], Outcome]]] = {
    "retry": Retry,
    "what follows an ack": lambda delivery, data: Ack(delivery, follow_ups=(Message(data),)),
    "what follows a burial": lambda delivery, data: Bury(delivery, "failed", follow_ups=(Message(data),)),
}
"""Outcomes that write bytes into the queue."""

ENDS: Final[dict[str, Callable[[Delivery, ResultWrite], Outcome]]] = {
    "ack": Ack,
    "bury": lambda delivery, result: Bury(delivery, "bad", result=result),
}
"""Each outcome that carries a result."""


class QueueResults(QueueFixtures):
    """Promises of ``settle`` for results and follow-ups."""

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_the_queue_settles_into_the_store(self, queue: Any, store: Any) -> None:
        """Without this, results would be written in a step of their own, and a crash could fall between the two."""
        assert queue.settles_into(store) is True

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    @pytest.mark.parametrize("value", [b"", b"\x00\xff", b"value"])
    def test_an_ack_writes_its_result(self, queue: Any, store: Any, value: bytes) -> None:
        """Without this, a command could be done while whoever waits for its result never gets it."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        assert queue.settle([Ack(delivery, ResultWrite(store, "key", value))]) == [True]
        assert store.peek("key") == value
        assert queue.counts() == Counts(0, 0, 0, 0)

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_a_burial_writes_its_result(self, queue: Any, store: Any) -> None:
        """Without this, whoever waits for a command that was given up would wait for ever."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        assert queue.settle([Bury(delivery, "bad", result=ResultWrite(store, "key", b"error"))]) == [True]
        assert store.get("key") == b"error"

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.NOTIFY)
    @pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
    def test_who_waits_is_told_of_a_result_that_was_settled(
        self, queue: Any, store: Any, end: Callable[[Delivery, ResultWrite], Outcome]
    ) -> None:
        """Without this, whoever waits for a command without a time limit would wait for ever, though it has ended."""
        queue.write(b"x")
        told = threading.Event()
        end_watch = store.watch("key", told.set)
        assert queue.settle([end(self.claim_one(queue), ResultWrite(store, "key", b"v"))]) == [True]
        assert told.wait(self.deadline)
        end_watch()

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.INSPECT)
    def test_a_result_is_there_when_its_message_is_gone(self, queue: Any, new_queue: QueueFactory, store: Any) -> None:
        """Without this, a command could be done and its result not be there, and a crash in between would lose it."""
        observer = new_queue(queue.name)
        for number in range(10):
            message_id, key = queue.write(b"x").message_id, f"key {number}"
            delivery = self.claim_one(queue)
            has_looked = threading.Event()

            def look_until_it_is_gone(message_id: str = message_id, has_looked: threading.Event = has_looked) -> None:
                end = time.monotonic() + self.deadline
                while observer.find([message_id]) and time.monotonic() < end:
                    has_looked.set()

            looking = Threads([look_until_it_is_gone])
            assert has_looked.wait(self.deadline)
            settling = Threads([partial(queue.settle, [Ack(delivery, ResultWrite(store, key, b"v"))])])
            looking.values(2 * self.deadline, "find()")
            result = store.peek(key)
            assert settling.values(self.deadline, "settle()") == [[True]]
            assert result == b"v"

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.INSPECT)
    def test_a_message_is_found_with_what_a_key_holds(self, queue: Any, store: Any) -> None:
        """Without this, nobody could be told where a command is, or somebody would be told that of another one."""
        store.put("key", b"value")
        message_id = queue.write(b"x").message_id
        message, value = queue.find_with_result(message_id, store, "key")
        assert [message] == queue.find([message_id])
        assert value == b"value"
        assert queue.find_with_result(message_id, store, "no key") == (message, EmptyData)
        assert queue.find_with_result("no message", store, "key") == (None, b"value")
        assert queue.find_with_result("no message", store, "no key") == (None, EmptyData)
        assert store.peek("key") == b"value"

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.INSPECT)
    def test_of_a_command_that_ends_the_message_or_the_result_is_found(
        self, queue: Any, new_queue: QueueFactory, store: Any
    ) -> None:
        """Without this, whoever asks where a command is just when it ends would be told that there is none."""
        observer = new_queue(queue.name)
        for number in range(10):
            message_id, key = queue.write(b"x").message_id, f"key {number}"
            delivery = self.claim_one(queue)
            has_looked = threading.Event()
            found: list[tuple[Any, Any]] = []

            def look_until_it_has_ended(
                message_id: str = message_id,
                key: str = key,
                has_looked: threading.Event = has_looked,
                found: list[tuple[Any, Any]] = found,
            ) -> None:
                end = time.monotonic() + self.deadline
                while time.monotonic() < end and not (found and found[-1][0] is None):
                    found.append(observer.find_with_result(message_id, store, key))
                    has_looked.set()

            looking = Threads([look_until_it_has_ended])
            assert has_looked.wait(self.deadline)
            settling = Threads([partial(queue.settle, [Ack(delivery, ResultWrite(store, key, b"v"))])])
            looking.values(2 * self.deadline, "find_with_result()")
            assert settling.values(self.deadline, "settle()") == [[True]]
            assert found[-1] == (None, b"v")

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE, Capability.TTL)
    def test_a_result_is_forgotten_after_its_time(self, queue: Any, store: Any, advance: Passing) -> None:
        """Without this, results that nobody fetches would fill the server up."""
        queue.write(b"x")
        queue.settle([Ack(self.claim_one(queue), ResultWrite(store, "key", b"v", ttl=self.lease))])
        advance(self.beyond(self.lease))
        assert store.peek("key") is EmptyData

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_follow_ups_appear_once_and_in_order(self, queue: Any) -> None:
        """Without this, the next steps of a pipeline would be lost, doubled, or done in the wrong order."""
        queue.write(b"first step")
        follow_ups = (Message(b"second step"), Message(b"third step"))
        assert queue.settle([Ack(self.claim_one(queue), follow_ups=follow_ups)]) == [True]
        claimed = self.claim_soon(queue, 2)
        assert [delivery.data for delivery in claimed] == [b"second step", b"third step"]
        assert [delivery.message_id for delivery in claimed] == [message.message_id for message in follow_ups]
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_an_ack_writes_its_result_together_with_its_follow_ups(self, queue: Any, store: Any) -> None:
        """Without this, a step of a pipeline would have no result, or nothing would follow a command that has one."""
        queue.write(b"first step")
        ack = Ack(self.claim_one(queue), ResultWrite(store, "key", b"v"), (Message(b"second step"),))
        assert queue.settle([ack]) == [True]
        assert store.get("key") == b"v"
        assert self.claim_one(queue).data == b"second step"

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_a_stale_ack_writes_neither_result_nor_follow_ups(self, queue: Any, store: Any, advance: Passing) -> None:
        """Without this, a consumer that lost its lease would overwrite the valid result or double what follows."""
        queue.write(b"x")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        current = self.claim_one(queue)
        stale = Ack(late, ResultWrite(store, "key", b"stale"), (Message(b"stale follow-up"),))
        assert queue.settle([stale]) == [False]
        assert store.peek("key") is EmptyData
        assert queue.claim(1, LONG).deliveries == []
        assert queue.settle([Ack(current, ResultWrite(store, "key", b"fresh"))]) == [True]
        assert queue.settle([stale]) == [False]
        assert store.peek("key") == b"fresh"

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_what_follows_a_burial_appears_once_and_in_order(self, queue: Any) -> None:
        """Without this, what is to happen after a failure would be lost, doubled, or done in the wrong order."""
        queue.write(b"failed")
        follow_ups = (Message(b"clean up"), Message(b"tell somebody"))
        assert queue.settle([Bury(self.claim_one(queue), "failed", follow_ups=follow_ups)]) == [True]
        claimed = self.claim_soon(queue, 2)
        assert [delivery.data for delivery in claimed] == [b"clean up", b"tell somebody"]
        assert [delivery.message_id for delivery in claimed] == [message.message_id for message in follow_ups]
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_a_stale_burial_writes_neither_result_nor_follow_ups(
        self, queue: Any, store: Any, advance: Passing
    ) -> None:
        """Without this, a consumer that lost its lease would start what follows a failure of what has succeeded."""
        queue.write(b"x")
        late = self.claim_one(queue, self.lease)
        advance(self.beyond(self.lease))
        current = self.claim_one(queue)
        stale = Bury(late, "late", result=ResultWrite(store, "key", b"stale"), follow_ups=(Message(b"stale"),))
        assert queue.settle([stale]) == [False]
        assert queue.settle([Ack(current)]) == [True]
        assert queue.settle([stale]) == [False]
        assert store.peek("key") is EmptyData
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    @pytest.mark.parametrize("end", [Ack, partial(Bury, reason="failed")], ids=["ack", "bury"])
    def test_what_follows_is_as_any_message(self, queue: Any, end: Callable[..., Outcome]) -> None:
        """Without this, what follows a command would be done before its time, out of its turn, or a second time."""
        queue.write(b"known", message_id="known", eta=queue.now() + LONG)
        queue.write(b"x", message_id="x")
        follow_ups = (
            Message(b"known again", message_id="known"),
            Message(b"later", eta=queue.now() + LONG),
            Message(b"ordinary"),
            Message(b"urgent", priority=2),
        )
        assert queue.settle([end(self.claim_one(queue), follow_ups=follow_ups)]) == [True]
        order = [b"urgent", b"ordinary"] if Capability.PRIORITY in queue.capabilities else [b"ordinary", b"urgent"]
        assert [delivery.data for delivery in self.claim_soon(queue, 2)] == order
        assert queue.claim(1, LONG).deliveries == []

    @promise(Capability.LEASES, Capability.ATOMIC_SETTLE)
    @pytest.mark.parametrize("end", TOO_LARGE.values(), ids=TOO_LARGE.keys())
    def test_an_outcome_over_the_limit_settles_nothing(
        self, queue: Any, end: Callable[[Delivery, bytes], Outcome]
    ) -> None:
        """Without this, a command would be done while what follows it was lost, with no word of the limit."""
        limit = self.lower_limit(queue)
        queue.write_many([Message(b"1"), Message(b"2")])
        first, second = self.claim_soon(queue, 2)
        if limit is not None:
            with pytest.raises(MessageTooLarge) as caught:
                queue.settle([Ack(first), end(second, bytes(limit + 1))])
            assert (caught.value.limit, caught.value.size) == (limit, limit + 1)
        assert queue.settle([Ack(first), end(second, bytes(limit or 1000))]) == [True, True]
