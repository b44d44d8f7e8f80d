"""Outcomes on their way to the queue, when the way is not clear."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from huey_core import CommandRegistry, Invoker, QueueCommand, hookimpl
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Bury, Release, ResultWrite, Retry, Wake, messages_in
from huey_core.consumer import Consumer
from huey_core.consumer.retry import BackOff
from huey_core.exceptions import CommandError
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import AwayStore, PlainQueue, PlainStore

if TYPE_CHECKING:
    from collections.abc import Callable


LEASE = 600.0
"""Seconds, real ones for the queue: longer than any test is held up."""


class Echo(QueueCommand, declare=False):
    command_name = "tests.echo"

    def execute(self):
        return self.data


class FlakyQueue(MemoryQueue):
    """Does not answer while ``down``, writes nothing while ``read_only``, and never settles what is ``poison``."""

    down = False
    read_only = False

    def now(self):
        if self.down:
            raise ConnectionError("the cable is out")
        return super().now()

    def extend(self, deliveries, lease):
        if self.down or self.read_only:
            raise ConnectionError("read only")
        return super().extend(deliveries, lease)

    def settle(self, outcomes):
        results = [outcome.result for outcome in outcomes if isinstance(outcome, Ack | Bury) and outcome.result]
        details = [outcome.detail for outcome in outcomes if isinstance(outcome, Bury)]
        messages = [data for outcome in outcomes for data in messages_in(outcome)]
        poison = any(b"poison" in result.value for result in results) or "poison" in details or b"poison" in messages
        poison = poison or any(isinstance(one, Release) and one.wake and one.wake.key == "poison" for one in outcomes)
        if self.down or self.read_only or poison:
            raise ConnectionError("refused")
        return super().settle(outcomes)


@pytest.fixture
def consumer(request) -> Consumer:
    """A consumer that does not run: the test claims and settles in its place."""
    space = request.node.name
    queue = FlakyQueue("q", space=space)
    return Consumer(Invoker(queue, MemoryDataStore("q", space=space)), lease=LEASE, max_delay=1.0)


@pytest.fixture
def pass_time_of() -> Callable[[Consumer], Callable[[float], None]]:
    """Take the clock by which a consumer tries again in hand; what comes back lets seconds pass on it."""

    def take(consumer: Consumer) -> Callable[[float], None]:
        now = 0.0
        consumer.queues[0].outage.clock = lambda: now

        def advance(seconds: float) -> None:
            nonlocal now
            now += seconds

        return advance

    return take


@pytest.fixture
def pass_time(consumer, pass_time_of) -> Callable[[float], None]:
    """Let seconds pass for the consumer."""
    return pass_time_of(consumer)


def claim(consumer: Consumer, count: int):
    queue = consumer.invoker.queue
    for number in range(count):
        queue.write(str(number).encode())
    deliveries = queue.claim(count, LEASE).deliveries
    consumer.queues[0].in_flight.add(deliveries)
    return deliveries


def ack(consumer: Consumer, delivery, value: bytes = b"fine") -> Ack:
    return Ack(delivery, ResultWrite(consumer.invoker.results, delivery.message_id, value))


class OneReceiptForAClaim(FlakyQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        for delivery in claim.deliveries:
            delivery.receipt = self._messages._records[delivery.message_id].receipt = claim.deliveries[0].receipt
        return claim


def test_messages_that_share_a_receipt_are_told_apart_at_the_stop(request):
    space = request.node.name
    queue = OneReceiptForAClaim("q", space=space)
    consumer = Consumer(Invoker(queue, MemoryDataStore("q", space=space)), lease=LEASE)
    served = consumer.queues[0]
    done, also_done, unfinished = claim(consumer, 3)
    served.outbox.add(ack(consumer, done))
    served.outbox.add(ack(consumer, also_done))

    served.release_all()

    assert [outcome.delivery for outcome in served.outbox.left()] == [done, also_done, unfinished]


def test_a_server_that_does_not_answer_is_not_asked_for_each_outcome(consumer, monkeypatch):
    calls = []

    def time_out(*arguments):
        calls.append(arguments)
        raise TimeoutError

    for delivery in claim(consumer, 3):
        consumer.queues[0].outbox.add(ack(consumer, delivery))
    for method in ("settle", "now", "extend"):
        monkeypatch.setattr(consumer.queues[0].source, method, time_out)

    with pytest.raises(TimeoutError):
        consumer.queues[0].outbox.flush()

    assert len(calls) == 2
    assert len(consumer.queues[0].outbox) == 3


def test_what_waits_is_settled_in_one_go(consumer):
    for delivery in claim(consumer, 3):
        consumer.queues[0].outbox.add(ack(consumer, delivery))

    consumer.queues[0].outbox.flush()

    assert (len(consumer.queues[0].outbox), len(consumer.queues[0].in_flight), consumer.stats.done) == (0, 0, 3)


def flush_in_another_thread(consumer: Consumer) -> None:
    worker = threading.Thread(target=consumer.queues[0].outbox.flush_unless_flushing, daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()


def test_nobody_waits_for_a_flush_of_another_thread_which_settles_what_is_added_meanwhile(consumer, monkeypatch):
    first, second = claim(consumer, 2)
    settle_really = consumer.queues[0].source.settle

    def settle(outcomes):
        if outcomes[0].delivery is first:
            consumer.queues[0].outbox.add(ack(consumer, second))
            flush_in_another_thread(consumer)
        return settle_really(outcomes)

    monkeypatch.setattr(consumer.queues[0].source, "settle", settle)
    consumer.queues[0].outbox.add(ack(consumer, first))

    consumer.queues[0].outbox.flush_unless_flushing()

    assert len(consumer.queues[0].in_flight) == 0


def test_what_is_left_to_a_flush_at_its_very_end_is_settled_too(consumer, monkeypatch):
    first, second = claim(consumer, 2)
    late = iter([second])

    def over(back_off):
        for delivery in late:
            consumer.queues[0].outbox.add(ack(consumer, delivery))
            flush_in_another_thread(consumer)

    monkeypatch.setattr(BackOff, "over", over)
    consumer.queues[0].outbox.add(ack(consumer, first))

    consumer.queues[0].outbox.flush_unless_flushing()

    assert len(consumer.queues[0].in_flight) == 0


def test_outcomes_wait_while_the_server_is_away(consumer):
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, delivery))
    consumer.invoker.queue.down = True

    with pytest.raises(ConnectionError):
        consumer.queues[0].outbox.flush()
    assert len(consumer.queues[0].outbox) == 1
    consumer.invoker.queue.down = False
    consumer.queues[0].outbox.flush()

    assert consumer.invoker.results.get(delivery.message_id) == b"fine"


def test_order_is_kept_while_the_server_is_away(consumer):
    deliveries = claim(consumer, 3)
    for delivery in deliveries:
        consumer.queues[0].outbox.add(ack(consumer, delivery))
    consumer.invoker.queue.down = True

    with pytest.raises(ConnectionError):
        consumer.queues[0].outbox.flush()

    assert [outcome.delivery for outcome in consumer.queues[0].outbox._waiting] == deliveries


def test_an_outcome_that_the_server_refuses_does_not_hold_up_the_others(consumer):
    first, poisoned, last = claim(consumer, 3)
    consumer.queues[0].outbox.add(ack(consumer, first))
    consumer.queues[0].outbox.add(ack(consumer, poisoned, b"poison"))
    consumer.queues[0].outbox.add(ack(consumer, last))

    consumer.queues[0].outbox.flush()

    outbox = consumer.queues[0].outbox
    assert (consumer.stats.done, len(outbox), len(outbox.parked.outcomes())) == (2, 0, 1)


def test_an_outcome_that_is_refused_twice_is_buried_with_an_error_for_its_caller(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, poisoned, b"poison"))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.buried, len(consumer.queues[0].outbox.parked.outcomes())) == (1, 0)
    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.message_id == poisoned.message_id
    assert "could not be written" in dead.reason
    with pytest.raises(CommandError, match="refused"):
        consumer.invoker.result(poisoned.message_id).get()


def test_what_would_have_followed_an_outcome_that_is_refused_twice_is_not_written_and_its_error_is(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Ack(poisoned, None, (Message(b"poison"),)))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert "could not be written: ConnectionError: refused" in dead.reason
    assert consumer.invoker.queue.counts().ready == 0


def test_a_burial_is_written_without_what_follows_it_when_that_is_refused(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Bury(poisoned, "it failed", "", None, (Message(b"poison"),)))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.reason.startswith("it failed; its outcome could not be written: ConnectionError: refused")


class ShouldFollow:
    """Lets a message follow each that has ended with an error, and notes of which it was asked."""

    def __init__(self):
        self.asked = []

    @hookimpl
    def huey_follow_ups(self, command, execution, message_id):
        self.asked.append((command, type(execution.error), message_id))
        return [Echo("after")]


def test_what_follows_a_command_whose_retry_is_refused_twice_is_written(request, pass_time_of):
    space, plugin = request.node.name, ShouldFollow()
    invoker = Invoker(FlakyQueue("q", space=space), plugins=[plugin], registry=CommandRegistry())
    consumer = Consumer(invoker, lease=LEASE)
    pass_time = pass_time_of(consumer)
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Retry(poisoned, b"poison", 0.1))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert plugin.asked == [(None, ConnectionError, poisoned.message_id)]
    assert (invoker.queue.counts().dead, invoker.queue.counts().ready) == (1, 1)


def test_a_retry_that_is_refused_twice_is_buried_with_an_error_for_its_caller(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Retry(poisoned, b"poison", 0.1))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.message_id == poisoned.message_id
    with pytest.raises(CommandError, match="refused"):
        consumer.invoker.result(poisoned.message_id).get()


def test_a_postponed_message_waits_for_its_delay_alone_when_the_server_refuses_what_it_waits_for(consumer, pass_time):
    queue, outbox = consumer.invoker.queue, consumer.queues[0].outbox
    [delivery] = claim(consumer, 1)
    outbox.add(Release(delivery, 60.0, Wake(consumer.invoker.result_store, "poison", b"taken")))

    outbox.flush()
    pass_time(1.0)
    outbox.flush()

    assert (queue.counts().scheduled, outbox.left()) == (1, [])


def test_a_burial_whose_details_the_server_refuses_is_made_without_them(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Bury(poisoned, "it failed", "poison"))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.message_id == poisoned.message_id
    assert "could not be written" in dead.reason


def test_a_burial_whose_result_the_server_refuses_keeps_its_reason_and_tells_its_caller(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    result = ResultWrite(consumer.invoker.results, poisoned.message_id, b"poison")
    consumer.queues[0].outbox.add(Bury(poisoned, "ValueError: it failed", "Traceback", result))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    [dead] = consumer.invoker.queue.peek("dead")
    assert dead.reason.startswith("ValueError: it failed")
    with pytest.raises(CommandError, match="refused"):
        consumer.invoker.result(poisoned.message_id).get()


def test_an_outcome_whose_lease_was_lost_is_not_even_sent(consumer):
    [delivery] = claim(consumer, 1)
    consumer.queues[0].in_flight.discard(delivery)
    consumer.queues[0].outbox.add(ack(consumer, delivery))

    consumer.queues[0].outbox.flush()

    assert not consumer.invoker.results.get(delivery.message_id)
    assert consumer.invoker.queue.counts().running == 1


def test_a_result_goes_first_where_it_cannot_go_together_with_the_ack(consumer):
    consumer.invoker.result_store = store = PlainStore()
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Ack(delivery, ResultWrite(store, delivery.message_id, b"fine")))
    consumer.invoker.queue.settle = fail

    consumer.queues[0].outbox.flush()

    assert store.values == {delivery.message_id: b"fine"}
    assert consumer.invoker.queue.counts().running == 1


def test_a_delivery_that_is_settled_while_leases_are_renewed_does_not_count_as_lost(consumer):
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, delivery))
    settle_really = consumer.invoker.queue.settle

    def settle(outcomes):
        effects = settle_really(outcomes)
        consumer.queues[0].lease_renewal.renew()
        return effects

    consumer.invoker.queue.settle = settle
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.done, consumer.stats.lost) == (1, 0)


@pytest.fixture
def away(consumer) -> AwayStore:
    """The result store of the consumer, on a server that is away."""
    consumer.invoker.result_store = store = AwayStore()
    return store


def finish(consumer: Consumer, delivery, value: bytes = b"fine") -> None:
    consumer.queues[0].outbox.add(Ack(delivery, ResultWrite(consumer.invoker.result_store, delivery.message_id, value)))


def test_an_outage_of_the_result_store_alone_makes_no_dead_letters(consumer, away, pass_time):
    with_result, without = claim(consumer, 2)
    finish(consumer, with_result)
    consumer.queues[0].outbox.add(Ack(without))

    consumer.queues[0].outbox.flush()
    assert consumer.stats.done == 1
    for _ in range(100):
        pass_time(1.0)
        consumer.queues[0].outbox.flush()
    away.away = False
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried, consumer.stats.lost) == (2, 0, 0)
    assert away.values == {with_result.message_id: b"fine"}


def test_a_result_store_that_is_away_is_not_asked_for_each_result(consumer, away):
    asked = []
    put_really = away.put
    away.put = lambda key, value: (asked.append(key), put_really(key, value))
    for delivery in claim(consumer, 20):
        finish(consumer, delivery)

    consumer.queues[0].outbox.flush()
    consumer.queues[0].outbox.flush()

    assert (len(asked), len(consumer.queues[0].outbox.parked.outcomes())) == (2, 20)


def test_an_outage_of_the_result_store_is_logged_as_one_of_the_result_store(consumer, away, pass_time, caplog):
    caplog.set_level("INFO")
    for delivery in claim(consumer, 20):
        finish(consumer, delivery)
    for _ in range(10):
        consumer.queues[0].outbox.flush()
        pass_time(1.0)
    away.away = False
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "the result store <MemoryDataStore 'q'> is unavailable" in errors[0]
    assert caplog.messages[-1].startswith("the result store <MemoryDataStore 'q'> is available again")


def test_what_waits_for_the_result_store_is_let_go_when_its_lease_is_lost(consumer, away, pass_time):
    [delivery] = claim(consumer, 1)
    finish(consumer, delivery)
    consumer.queues[0].outbox.flush()

    consumer.queues[0].in_flight.discard(delivery)
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert (len(consumer.queues[0].outbox.parked.outcomes()), consumer.queues[0].outbox.left()) == (0, [])


def test_a_result_that_its_store_refuses_while_it_takes_others_ends_in_a_dead_letter(consumer, away, pass_time):
    put_really = away.put

    def put(key, value):
        if value == b"poison":
            raise ValueError("too large")
        put_really(key, value)

    away.away = False
    away.put = put
    poisoned, fine = claim(consumer, 2)
    finish(consumer, poisoned, b"poison")
    finish(consumer, fine)
    consumer.queues[0].outbox.flush()
    assert (consumer.stats.done, consumer.stats.buried) == (1, 0)

    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (1, 1)
    with pytest.raises(CommandError, match="too large"):
        consumer.invoker.result(poisoned.message_id).get()


def test_no_result_waits_for_ever_behind_those_that_are_refused_for_good(consumer, away, pass_time):
    put_really = away.put

    def put(key, value):
        if value == b"poison":
            raise ValueError("too large")
        put_really(key, value)

    away.put = put
    deliveries = claim(consumer, 4)
    for delivery, value in zip(deliveries, (b"poison", b"poison", b"fine", b"fine"), strict=True):
        finish(consumer, delivery, value)
    consumer.queues[0].outbox.flush()
    away.away = False

    for _ in range(4):
        pass_time(1.0)
        consumer.queues[0].outbox.flush()

    assert consumer.stats.done == 2


def test_what_failed_before_the_server_came_back_is_not_taken_for_refused(consumer, pass_time):
    queue = consumer.invoker.queue
    deliveries = claim(consumer, 3)
    for delivery in deliveries:
        consumer.queues[0].outbox.add(ack(consumer, delivery))
    settle_really, failures = queue.settle, iter([True, True, False])

    def settle(outcomes):
        if next(failures, False):
            raise ConnectionError("electing")
        return settle_really(outcomes)

    queue.settle = settle
    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (3, 0)


def test_what_is_tried_again_at_once_is_not_refused_for_good(consumer, pass_time):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, poisoned, b"poison"))

    for _ in range(5):
        consumer.queues[0].outbox.flush()
    pass_time(0.5)
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.buried, len(consumer.queues[0].outbox.parked.outcomes())) == (0, 1)


def test_a_server_that_writes_nothing_at_all_refuses_nothing_for_good(consumer, pass_time):
    queue = consumer.invoker.queue
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, delivery))
    queue.read_only = True

    for _ in range(100):
        consumer.queues[0].outbox.flush()
        pass_time(1.0)
    queue.read_only = False
    consumer.queues[0].outbox.flush()

    assert (consumer.stats.done, consumer.stats.buried) == (1, 0)


def test_a_refusal_is_not_logged_as_an_outage(consumer, pass_time, caplog):
    [poisoned] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, poisoned, b"poison"))

    consumer.queues[0].outbox.flush()
    pass_time(1.0)
    consumer.queues[0].outbox.flush()

    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "was refused, retrying" in caplog.messages[0]
    assert "becomes a dead letter" in caplog.messages[1]
    assert {(record.task_id, record.delivery_count) for record in caplog.records} == {(poisoned.message_id, 1)}


def test_an_outcome_waits_for_longer_than_a_lease_while_the_lease_is_still_ours(consumer, pass_time):
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(ack(consumer, delivery))
    consumer.invoker.queue.down = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            consumer.queues[0].outbox.flush()
        pass_time(LEASE)

    consumer.invoker.queue.down = False
    consumer.queues[0].outbox.flush()

    assert consumer.stats.done == 1


def fail(*arguments):
    raise ConnectionError("the cable is out")


def test_what_a_plain_queue_does_not_take_is_never_made_a_dead_letter(pass_time_of):
    queue, state = PlainQueue(), PlainStore()
    consumer = Consumer(Invoker(queue, None, state, registry=CommandRegistry()))
    pass_time = pass_time_of(consumer)
    queue.write(b"data")
    [delivery] = consumer.queues[0].source.claim(1, LEASE).deliveries
    consumer.queues[0].in_flight.add([delivery])
    consumer.queues[0].outbox.add(Retry(delivery, b"again"))
    write_really, queue.write = queue.write, fail
    for _ in range(10):
        consumer.queues[0].outbox.flush()
        pass_time(1.0)

    queue.write = write_really
    consumer.queues[0].outbox.flush()

    assert (queue.messages, state.values) == ([b"again"], {})


def test_what_waits_is_not_lost_when_a_flush_is_cut_off(consumer, monkeypatch):
    [delivery] = claim(consumer, 1)
    consumer.queues[0].outbox.add(Release(delivery))

    def exit_():
        raise SystemExit

    monkeypatch.setattr(consumer.queues[0].source, "settle", lambda outcomes: exit_())

    with pytest.raises(SystemExit):
        consumer.queues[0].outbox.flush()

    assert len(consumer.queues[0].outbox) == 1
