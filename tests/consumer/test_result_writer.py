"""The result of a run that has lost its lease does not take the place of a good one in a store of its own."""

from __future__ import annotations

import pytest

from huey_core.backends.base import EmptyData
from huey_core.backends.outcomes import Bury, ResultWrite
from huey_memory import MemoryDataStore, MemoryQueue
from late_run import add_result, claim_anew, idle_consumer, result_after_a_late_run
from plain_backend import PlainStore


class PlainReadableStore(PlainStore):
    """Compares nothing, as a store without locks."""

    def peek(self, key):
        return self.values.get(key, EmptyData)


@pytest.fixture
def queue(request, clock):
    return MemoryQueue("q", space=request.node.name, clock=clock)


@pytest.fixture
def store(request):
    return MemoryDataStore("q", space=f"store of {request.node.name}")


@pytest.fixture
def two_runs(queue, store, clock):
    """A consumer that has lost the lease of a message, and one that has it now, each with its delivery."""
    late, good = idle_consumer(queue, store), idle_consumer(queue, store)
    queue.write(b"message")
    lost = claim_anew(late)
    clock.advance(601)
    return (late, lost), (good, claim_anew(good))


@pytest.mark.parametrize("make_store", [PlainReadableStore, lambda: MemoryDataStore("q", space="elsewhere")])
def test_a_late_result_is_not_written(request, make_store):
    queue = MemoryQueue("q", space=request.node.name)

    assert result_after_a_late_run(queue, make_store()) == b"good"


def test_the_log_says_that_a_late_outcome_does_not_count(two_runs, caplog):
    (late, lost), _ = two_runs
    add_result(late, lost, b"late")

    late.queues[0].outbox.flush()

    assert caplog.messages == [
        f"the lease of message {lost.message_id} was lost; the outcome of this delivery does not count"
    ]
    assert late.invoker.results.peek(lost.message_id) is EmptyData


def test_a_consumer_that_is_stopped_between_the_renewal_and_the_write_replaces_no_result(two_runs):
    (late, lost), (good, delivery) = two_runs
    add_result(late, lost, b"late")
    add_result(good, delivery, b"good")
    extend_really = late.queues[0].source.extend

    def extend_and_stop(deliveries, lease):
        late.queues[0].source.extend = extend_really
        good.queues[0].outbox.flush()
        return [True]

    late.queues[0].source.extend = extend_and_stop
    late.queues[0].outbox.flush()

    assert late.invoker.results.peek(delivery.message_id) == b"good"
    assert (good.stats.done, late.stats.lost) == (1, 1)


def test_a_run_replaces_what_a_late_one_could_still_write(two_runs):
    _, (good, delivery) = two_runs
    good.invoker.results.put(delivery.message_id, b"late")
    add_result(good, delivery, b"good")

    good.queues[0].outbox.flush()

    assert (good.invoker.results.peek(delivery.message_id), good.stats.done) == (b"good", 1)


def test_a_command_that_is_requeued_replaces_the_error_of_its_earlier_run(queue, store):
    consumer = idle_consumer(queue, store)
    queue.write(b"message")
    failed = claim_anew(consumer)
    consumer.queues[0].outbox.add(Bury(failed, "it failed", result=ResultWrite(store, failed.message_id, b"error")))
    consumer.queues[0].outbox.flush()
    queue.requeue([failed.message_id])

    add_result(consumer, claim_anew(consumer), b"fine")
    consumer.queues[0].outbox.flush()

    assert store.peek(failed.message_id) == b"fine"


def test_a_batch_costs_one_renewal_and_a_write_for_each_result(queue, store, monkeypatch):
    consumer = idle_consumer(queue, store)
    source, calls = consumer.queues[0].source, []
    for owner, method in [(source, "extend"), *((store, name) for name in ("put", "peek", "put_if_absent"))]:
        really = getattr(owner, method)
        monkeypatch.setattr(
            owner, method, lambda *args, method=method, really=really: (calls.append(method), really(*args))[1]
        )
    for _ in range(3):
        queue.write(b"message")
        add_result(consumer, claim_anew(consumer), b"fine")

    consumer.queues[0].outbox.flush()

    assert (calls, consumer.stats.done) == (["extend", *["put_if_absent"] * 3], 3)


def test_a_result_that_is_settled_with_its_ack_costs_no_renewal(request, monkeypatch):
    space = request.node.name
    consumer = idle_consumer(MemoryQueue("q", space=space), MemoryDataStore("q", space=space))
    consumer.invoker.queue.write(b"message")
    add_result(consumer, claim_anew(consumer), b"fine")
    monkeypatch.delattr(type(consumer.queues[0].source), "extend")

    consumer.queues[0].outbox.flush()

    assert consumer.stats.done == 1


def test_a_queue_that_is_away_when_a_result_is_found_makes_no_dead_letter(two_runs, monkeypatch):
    _, (good, delivery) = two_runs
    good.invoker.results.put(delivery.message_id, b"late")
    add_result(good, delivery, b"good")
    answers = iter([True])

    def extend(deliveries, lease):
        if next(answers, False):
            return [True]
        raise ConnectionError("the cable is out")

    with monkeypatch.context() as patch:
        patch.setattr(good.queues[0].source, "extend", extend)
        good.queues[0].outbox.flush()
    assert len(good.queues[0].outbox.parked.outcomes()) == 1
    good.queues[0].outbox.parked._again_at = 0.0
    good.queues[0].outbox.flush()

    assert good.invoker.results.peek(delivery.message_id) == b"good"
    assert (good.stats.done, good.stats.buried) == (1, 0)
