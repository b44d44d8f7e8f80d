"""What a leased queue promises to those who wait, and to many who use it at the same time."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import Any

from huey_core.backends import Ack, Capability, Counts, Message, Release
from huey_testing.conformance._promises import Passing, eventually, in_threads, promise, unique_name
from huey_testing.conformance._queue_base import LONG, QueueFactory, QueueFixtures

__all__ = ["QueueConcurrency", "QueueWaiting"]


class QueueWaiting(QueueFixtures):
    """Promises of ``claim(wait=...)`` and ``wake``; what ends a wait beside them is in :class:`QueueWaking`."""

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_an_arrival_ends_the_wait(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, a command would lie in an idle system until the consumer happens to look again."""
        producer = new_queue(queue.name)
        for number in range(5):
            claimed = self.claim_while(queue, partial(producer.write, b"%d" % number))
            assert [delivery.data for delivery in claimed] == [b"%d" % number]

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.DELAY)
    def test_a_due_message_ends_the_wait(self, queue: Any, advance: Passing) -> None:
        """Without this, a scheduled command would be late in an idle system."""
        queue.write(b"due", eta=queue.now() + self.lease)
        claimed = self.claim_while(queue, lambda: advance(self.beyond(self.lease)))
        assert [delivery.data for delivery in claimed] == [b"due"]

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.DELAY)
    def test_a_message_that_is_due_earlier_shortens_the_wait(
        self, queue: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a command due soon would wait for the time at which another one is due."""
        producer = new_queue(queue.name)
        queue.write(b"in a minute", eta=queue.now() + LONG)

        def write_and_pass() -> None:
            producer.write(b"soon", eta=producer.now() + self.lease)
            advance(self.beyond(self.lease))

        assert [delivery.data for delivery in self.claim_while(queue, write_and_pass)] == [b"soon"]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_an_expired_lease_ends_the_wait(self, queue: Any, advance: Passing) -> None:
        """Without this, the commands of a killed consumer would lie in an idle system."""
        queue.write(b"back")
        self.claim_one(queue, self.lease)
        claimed = self.claim_while(queue, lambda: advance(self.beyond(self.lease)))
        assert [delivery.attempt for delivery in claimed] == [2]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_release_ends_the_wait(self, queue: Any, new_queue: QueueFactory) -> None:
        """Without this, what a stopping consumer gives back would lie there although others are idle."""
        other = new_queue(queue.name)
        queue.write(b"given back")
        delivery = self.claim_one(other)
        claimed = self.claim_while(queue, lambda: other.settle([Release(delivery)]))
        assert [delivery.data for delivery in claimed] == [b"given back"]

    @promise(Capability.LEASES, Capability.BLOCKING, Capability.DELAY)
    def test_a_postponed_message_that_falls_due_ends_the_wait(
        self, queue: Any, new_queue: QueueFactory, advance: Passing
    ) -> None:
        """Without this, a command that waits for its turn would be late in an idle system."""
        other = new_queue(queue.name)
        queue.write(b"postponed")
        delivery = self.claim_one(other)

        def release_and_pass() -> None:
            other.settle([Release(delivery, delay=self.lease)])
            advance(self.beyond(self.lease))

        assert [delivery.data for delivery in self.claim_while(queue, release_and_pass)] == [b"postponed"]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_wake_ends_the_wait(self, queue: Any) -> None:
        """Without this, a consumer that is told to stop would hang until its wait is over."""
        waits = in_threads(
            [lambda: queue.claim(1, LONG, wait=3 * self.deadline).deliveries, lambda: queue.wake() or []],
            self.deadline,
            "wake()",
        )
        assert waits == [[], []]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_a_wake_before_the_wait_is_not_lost(self, queue: Any) -> None:
        """Without this, a consumer that is told to stop at the wrong moment would hang until its wait is over."""
        queue.wake()
        assert in_threads(
            [lambda: queue.claim(1, LONG, wait=3 * self.deadline).deliveries], self.deadline, "claim() after wake()"
        ) == [[]]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_the_wait_is_bounded(self, queue: Any) -> None:
        """Without this, a consumer could do nothing else until the next command arrives."""
        assert in_threads([lambda: queue.claim(1, LONG, wait=0.05).deliveries], self.deadline, "claim(wait=0.05)") == [
            []
        ]

    @promise(Capability.LEASES, Capability.BLOCKING)
    def test_waiting_waits(self, queue: Any) -> None:
        """Without this, an idle consumer would ask the server without a pause, and keep a processor busy."""
        begin = time.monotonic()
        rounds = 0
        while time.monotonic() < begin + 0.3:
            assert queue.claim(1, LONG, wait=0.1).deliveries == []
            rounds += 1
        assert rounds <= 30


class QueueConcurrency(QueueFixtures):
    """Promises to many threads at once."""

    @promise(Capability.LEASES)
    def test_producers_and_consumers_move_each_message_once(self, new_queue: QueueFactory) -> None:
        """Without this, a busy system would lose commands or run them twice."""
        name = unique_name()
        producers, consumers, each = 3, 3, 60
        expected = {b"%d %d" % (producer, n) for producer in range(producers) for n in range(each)}
        done: list[bytes] = []

        def produce(producer: int) -> None:
            queue = new_queue(name)
            for begin in range(0, each, 10):
                queue.write_many([Message(b"%d %d" % (producer, n)) for n in range(begin, begin + 10)])

        def consume() -> None:
            queue = new_queue(name)

            def everything() -> bool:
                claimed = queue.claim(7, LONG, wait=0.01).deliveries
                settled = queue.settle([Ack(delivery) for delivery in claimed])
                done.extend(delivery.data for delivery, ok in zip(claimed, settled, strict=True) if ok)
                return len(done) >= len(expected)

            eventually(everything, f"{len(expected)} messages settled", 3 * self.deadline)

        in_threads([partial(produce, producer) for producer in range(producers)] + [consume for _ in range(consumers)])
        assert Counter(done) == Counter(expected)
        assert new_queue(name).counts() == Counts(0, 0, 0, 0)

    @promise(Capability.LEASES)
    def test_one_object_serves_many_threads(self, queue: Any) -> None:
        """Without this, a web server with threads would mix up the commands that they enqueue."""
        batches = [[Message(b"%d" % (10 * thread + n)) for n in range(10)] for thread in range(8)]
        written = in_threads([partial(queue.write_many, batch) for batch in batches])
        assert all(item.created for items in written for item in items)
        claimed = in_threads([lambda: self.claim_soon(queue, 10) for _ in range(8)])
        assert {int(delivery.data) for deliveries in claimed for delivery in deliveries} == set(range(80))

    @promise(Capability.LEASES)
    def test_of_many_who_settle_one_delivery_one_succeeds(self, queue: Any) -> None:
        """Without this, a result could be written twice, or what follows a command started twice."""
        queue.write(b"x")
        delivery = self.claim_one(queue)
        settled = in_threads([lambda: queue.settle([Ack(delivery)]) for _ in range(8)])
        assert sorted(settled) == [[False]] * 7 + [[True]]

    @promise(Capability.LEASES)
    def test_consumers_that_vanish_lose_nothing(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, consumers that are killed at work would take their commands with them."""
        name = unique_name()
        survivor = new_queue(name)
        expected = {b"%d" % number for number in range(40)}
        survivor.write_many([Message(data) for data in sorted(expected)])
        in_threads([lambda: new_queue(name).claim(8, self.lease).deliveries for _ in range(4)])
        advance(self.beyond(self.lease))
        claimed = self.claim_soon(survivor, 40)
        assert {delivery.data for delivery in claimed} == expected
        assert survivor.settle([Ack(delivery) for delivery in claimed]) == [True] * 40
