"""Outcomes on their way to the queue, when the way is not clear."""

from __future__ import annotations

import pytest

from huey_core import Invoker, QueueCommand
from huey_core.backends.leased import Ack, Bury, ResultWrite
from huey_core.consumer import Consumer
from huey_core.exceptions import CommandError, DataStorePutException
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import PlainStore


class Echo(QueueCommand, declare=False):
    command_name = "tests.echo"

    def execute(self):
        return self.data


class FlakyQueue(MemoryQueue):
    """Refuses to settle while ``down``, and always refuses a result or a reason that is ``poison``."""

    down = False

    def settle(self, outcomes):
        results = [outcome.result for outcome in outcomes if isinstance(outcome, Ack | Bury) and outcome.result]
        details = [outcome.detail for outcome in outcomes if isinstance(outcome, Bury)]
        if self.down or any(b"poison" in result.value for result in results) or "poison" in details:
            raise ConnectionError("refused")
        return super().settle(outcomes)


@pytest.fixture
def consumer(request) -> Consumer:
    """A consumer that does not run: the test claims and settles in its place."""
    space = request.node.name
    queue = FlakyQueue("q", space=space)
    return Consumer(Invoker(queue, MemoryDataStore("q", space=space)), lease=10.0)


def claim(consumer: Consumer, count: int):
    queue = consumer.invoker.queue
    for number in range(count):
        queue.write(str(number).encode())
    deliveries = queue.claim(count, 10.0)
    consumer.held.add(deliveries)
    return deliveries


def ack(consumer: Consumer, delivery, value: bytes = b"fine") -> Ack:
    return Ack(delivery, ResultWrite(consumer.invoker.results, delivery.message_id, value))


def test_a_server_that_does_not_answer_is_not_asked_for_each_outcome(consumer, monkeypatch):
    calls = []

    def time_out(*arguments):
        calls.append(arguments)
        raise TimeoutError

    for delivery in claim(consumer, 3):
        consumer.outbox.add(ack(consumer, delivery))
    monkeypatch.setattr(consumer.source, "settle", time_out)
    monkeypatch.setattr(consumer.source, "now", time_out)

    with pytest.raises(TimeoutError):
        consumer.outbox.flush()

    assert len(calls) == 2
    assert len(consumer.outbox) == 3


def test_what_waits_is_settled_in_one_go(consumer):
    for delivery in claim(consumer, 3):
        consumer.outbox.add(ack(consumer, delivery))

    consumer.outbox.flush()

    assert (len(consumer.outbox), len(consumer.held), consumer.stats.done) == (0, 0, 3)


def test_outcomes_wait_while_the_server_is_away(consumer):
    [delivery] = claim(consumer, 1)
    consumer.outbox.add(ack(consumer, delivery))
    consumer.invoker.queue.down = True

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    assert len(consumer.outbox) == 1
    consumer.invoker.queue.down = False
    consumer.outbox.flush()

    assert consumer.invoker.results.get(delivery.message_id) == b"fine"


def test_order_is_kept_while_the_server_is_away(consumer):
    deliveries = claim(consumer, 3)
    for delivery in deliveries:
        consumer.outbox.add(ack(consumer, delivery))
    consumer.invoker.queue.down = True

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()

    assert [outcome.delivery for outcome in consumer.outbox._waiting] == deliveries


def test_an_outcome_that_the_server_refuses_does_not_hold_up_the_others(consumer):
    first, poisoned, last = claim(consumer, 3)
    consumer.outbox.add(ack(consumer, first))
    consumer.outbox.add(ack(consumer, poisoned, b"poison"))
    consumer.outbox.add(ack(consumer, last))

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    consumer.outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (2, 1)
    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.message_id == poisoned.message_id
    assert "could not be written" in dead.reason
    with pytest.raises(CommandError, match="refused"):
        consumer.invoker.result(poisoned.message_id).get()


def test_a_burial_whose_details_the_server_refuses_is_made_without_them(consumer):
    first, poisoned = claim(consumer, 2)
    consumer.outbox.add(ack(consumer, first))
    consumer.outbox.add(Bury(poisoned, "it failed", "poison"))

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    consumer.outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.message_id == poisoned.message_id
    assert "could not be written" in dead.reason


def test_an_outcome_whose_lease_was_lost_is_not_even_sent(consumer):
    [delivery] = claim(consumer, 1)
    consumer.held.discard(delivery)
    consumer.outbox.add(ack(consumer, delivery))

    consumer.outbox.flush()

    assert not consumer.invoker.results.get(delivery.message_id)
    assert consumer.invoker.queue.counts().running == 1


def test_a_result_goes_first_where_it_cannot_go_together_with_the_ack(consumer):
    consumer.invoker.result_store = store = PlainStore()
    [delivery] = claim(consumer, 1)
    consumer.outbox.add(Ack(delivery, ResultWrite(store, delivery.message_id, b"fine")))
    consumer.invoker.queue.down = True

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()

    assert store.values == {delivery.message_id: b"fine"}
    assert consumer.invoker.queue.counts().running == 1


def test_a_delivery_that_is_settled_while_leases_are_renewed_does_not_count_as_lost(consumer):
    [delivery] = claim(consumer, 1)
    consumer.outbox.add(ack(consumer, delivery))
    settle_really = consumer.invoker.queue.settle

    def settle(outcomes):
        effects = settle_really(outcomes)
        consumer.lease_keeper.renew()
        return effects

    consumer.invoker.queue.settle = settle
    consumer.outbox.flush()

    assert (consumer.stats.done, consumer.stats.lost) == (1, 0)


class AwayStore(PlainStore):
    """A result store on another server, which does not answer while ``away``."""

    away = True

    def put(self, key, value):
        if self.away:
            raise ConnectionError("the cable is out")
        super().put(key, value)


def test_an_outage_of_the_result_store_alone_makes_no_dead_letters(consumer):
    consumer.invoker.result_store = store = AwayStore()
    with_result, without = claim(consumer, 2)
    consumer.outbox.add(Ack(with_result, ResultWrite(store, with_result.message_id, b"fine")))
    consumer.outbox.add(Ack(without))

    with pytest.raises(DataStorePutException):
        consumer.outbox.flush()
    store.away = False
    consumer.outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (2, 0)
    assert store.values == {with_result.message_id: b"fine"}


def test_what_failed_before_the_server_came_back_is_not_taken_for_refused(consumer):
    queue = consumer.invoker.queue
    deliveries = claim(consumer, 3)
    for delivery in deliveries:
        consumer.outbox.add(ack(consumer, delivery))
    settle_really, failures = queue.settle, iter([True, True, False])

    def settle(outcomes):
        if next(failures, False):
            raise ConnectionError("electing")
        return settle_really(outcomes)

    queue.settle = settle
    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    consumer.outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (3, 0)


def test_a_lone_outcome_that_is_refused_for_a_lease_long_is_buried_with_an_error_for_its_caller(consumer):
    [poisoned] = claim(consumer, 1)
    consumer.outbox.add(ack(consumer, poisoned, b"poison"))
    now = 0.0
    consumer.outage.clock = lambda: now

    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    now = 11.0
    with pytest.raises(ConnectionError):
        consumer.outbox.flush()
    consumer.outbox.flush()

    assert consumer.stats.buried == 1
    with pytest.raises(CommandError, match="refused"):
        consumer.invoker.result(poisoned.message_id).get()
