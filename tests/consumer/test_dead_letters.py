"""Who is told of a command that has killed its consumers so often that a claim buried it."""

from __future__ import annotations

import time

import pytest

from huey_core import CommandRegistry, Invoker, QueueCommand, hookimpl, queue_command
from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import Message, ResultWrite, State
from huey_core.consumer import dead_letters
from huey_core.consumer.dead_letters import DeadLetterReporter
from huey_core.exceptions import CommandAbandoned
from huey_core.invoker.abandoned import report_abandoned, write_in_place_of_result
from huey_core.invoker.stored_result import encode_value, write_result
from huey_core.message import encode_header
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

ABANDONED = "abandoned: no outcome recorded in 5 deliveries"


class Listener:
    def __init__(self):
        self.heard = []

    @hookimpl
    def huey_command_buried(self, command, message_id, reason):
        self.heard.append((command, message_id, reason))


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def invoker(make_invoker, listener):
    return make_invoker(plugins=[listener])


@pytest.fixture
def spend(invoker, eventually):
    """Let every delivery of the messages in the queue end without an outcome, as if each consumer was killed."""

    def spend():
        count = len(invoker.queue)
        for _ in range(invoker.queue.max_deliveries):
            eventually(lambda: invoker.queue.claim(count, lease=0.001))

    return spend


def bury(invoker, eventually):
    """Let a claim bury what has spent its deliveries."""
    eventually(lambda: not invoker.queue.claim(1, lease=60.0) and invoker.queue.counts().dead)


def tell(invoker):
    """Tell of the only dead letter."""
    [letter] = invoker.queue.peek(State.DEAD)
    result = report_abandoned(invoker, letter)
    if result is not None:
        write_in_place_of_result(invoker.queue, result)


@pytest.fixture
def crash(invoker):
    @queue_command(invoker, name="shop.crash")
    def crash():
        raise AssertionError("nobody runs it here")

    return crash


def test_a_consumer_whose_claim_buries_it_tells_who_waits_for_it(invoker, crash, spend, run_consumer):
    result = crash()
    spend()

    run_consumer(invoker)

    with pytest.raises(CommandAbandoned, match=ABANDONED):
        result.get(blocking=True, timeout=60)


def test_the_log_names_the_command(invoker, crash, spend, eventually, caplog):
    result = crash()
    spend()
    bury(invoker, eventually)

    tell(invoker)

    assert caplog.messages == [
        f"message {result.task_id} of the command 'shop.crash' becomes a dead letter: {ABANDONED}"
    ]


def test_plugins_are_told(invoker, crash, spend, eventually, listener):
    result = crash()
    spend()
    bury(invoker, eventually)

    tell(invoker)

    assert listener.heard == [(None, result.task_id, ABANDONED)]


def test_nothing_of_it_is_read_but_the_header(invoker, spend, eventually):
    read = []

    class Deadly(QueueCommand, declare=False):
        command_name = "shop.deadly"

        @classmethod
        def from_payload(cls, payload):
            read.append(payload)

    invoker.registry.register(Deadly)
    result = invoker.enqueue(Deadly(1))
    spend()
    bury(invoker, eventually)

    tell(invoker)

    with pytest.raises(CommandAbandoned):
        result.get()
    assert read == []


def test_who_waits_for_a_command_that_is_unknown_here_gets_an_error(make_invoker, invoker, crash, spend, eventually):
    result = crash()
    spend()
    bury(invoker, eventually)

    tell(make_invoker())

    with pytest.raises(CommandAbandoned):
        result.get()


def test_bytes_that_are_no_message_are_told_of_all_the_same(invoker, spend, eventually, listener):
    written = invoker.queue.write(b"\xff no message")
    spend()
    bury(invoker, eventually)

    tell(invoker)

    assert listener.heard == [(None, written.message_id, ABANDONED)]


@pytest.mark.parametrize("where", ["command", "call"])
def test_a_command_without_results_is_known_to_be_abandoned(invoker, spend, eventually, where):
    @queue_command(invoker, store_result=None if where == "call" else False)
    def crash():
        raise AssertionError("nobody runs it here")

    result = (crash.using(store_result=False) if where == "call" else crash)()
    spend()
    bury(invoker, eventually)

    tell(invoker)

    with pytest.raises(CommandAbandoned):
        result.get(blocking=True, timeout=0)


class StoreWithoutLocks(MemoryDataStore):
    capabilities = MemoryDataStore.capabilities - {Capability.LOCKS}


@pytest.fixture(params=[MemoryDataStore, StoreWithoutLocks])
def elsewhere(request):
    """A store that the queue does not settle into."""
    return request.param("results", clock=ManualClock())


@pytest.fixture
def abandon(elsewhere):
    """Make an invoker with that store, have a command buried by a claim, and return both."""

    def abandon(**options):
        clock = ManualClock()
        invoker = Invoker(MemoryQueue("q", max_deliveries=1, clock=clock), elsewhere, registry=CommandRegistry())

        @queue_command(invoker, **options)
        def add(a, b):
            return a + b

        result = add(1, 2)
        invoker.queue.claim(1, lease=1.0)
        clock.advance(2.0)
        assert invoker.queue.claim(1, lease=1.0) == []
        return invoker, result

    return abandon


def test_a_result_of_a_run_whose_consumer_was_killed_before_the_ack_stays(abandon, elsewhere):
    invoker, result = abandon()
    write_result(ResultWrite(elsewhere, result.task_id, encode_value(invoker.serializer, result.task_id, 3)))

    tell(invoker)

    assert result.get() == 3


def test_the_error_is_stored_where_results_are_not_settled_together_with_acks(abandon):
    invoker, result = abandon()

    tell(invoker)

    with pytest.raises(CommandAbandoned):
        result.get()


def test_the_error_is_kept_as_long_as_a_result_would_be(abandon, elsewhere):
    invoker, result = abandon(result_ttl=10)
    tell(invoker)

    elsewhere.space.clock.advance(11.0)

    assert result.get() is None


def test_what_a_header_says_makes_no_lines_in_the_log_and_no_error(invoker, eventually, caplog):
    header = {"id": "x", "cmd": "shop.crash\nall is lost" * 100, "ser": "json", "opts": ["store_result"]}
    invoker.queue.max_deliveries = 1
    invoker.queue.write(encode_header(header), message_id="x")
    invoker.queue.claim(1, lease=0.001)
    bury(invoker, eventually)

    tell(invoker)

    (line,) = caplog.messages
    assert "\n" not in line
    assert len(line) < 400
    with pytest.raises(CommandAbandoned):
        invoker.result("x").get()


def test_what_an_operator_has_requeued_since_is_not_told_of(invoker, crash, spend, eventually, listener):
    abandoned, failed_again = crash(), crash()
    spend()
    eventually(lambda: not invoker.queue.claim(2, lease=60.0) and invoker.queue.counts().dead == 2)
    invoker.queue.requeue([abandoned.task_id])
    reporter = DeadLetterReporter(invoker, invoker.queue)
    reporter.start()

    reporter.add([abandoned.task_id, failed_again.task_id])

    eventually(lambda: listener.heard, "the other is told of")
    reporter.stop()
    reporter.join()
    assert [message_id for _, message_id, _ in listener.heard] == [failed_again.task_id]


def test_it_is_told_when_the_server_can_be_asked_again(invoker, crash, spend, run_consumer, monkeypatch, eventually):
    monkeypatch.setattr(dead_letters, "FIRST_PAUSE", 0.001)
    errors = [ConnectionError("away"), ConnectionError("away")]
    find_really = invoker.queue.find

    def find(message_ids):
        if errors:
            raise errors.pop()
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    result = crash()
    spend()
    run_consumer(invoker)

    with pytest.raises(CommandAbandoned):
        result.get(blocking=True, timeout=60)


def test_commands_run_while_nobody_can_be_told(
    invoker, add, crash, spend, run_consumer, monkeypatch, eventually, caplog
):
    def fail(message_ids):
        raise ConnectionError("away")

    monkeypatch.setattr(invoker.queue, "find", fail)
    abandoned = crash()
    spend()
    consumer = run_consumer(invoker)
    line = f"dead letter {abandoned.task_id} cannot be reported yet, retrying: ConnectionError: away"
    eventually(lambda: line in caplog.messages, "telling has failed")

    assert add(1, 2).get(blocking=True, timeout=60) == 3
    assert consumer.stats.buried == 1


def test_a_burial_that_cannot_be_told_for_long_is_given_up_and_does_not_keep_the_others(
    invoker, crash, spend, run_consumer, monkeypatch, eventually, caplog
):
    monkeypatch.setattr(dead_letters, "PATIENCE", -1.0)
    find_really = invoker.queue.find

    def find(message_ids):
        if message_ids == [refused.task_id]:
            raise ConnectionError("never")
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    refused, told = crash(), crash()
    spend()
    run_consumer(invoker)

    with pytest.raises(CommandAbandoned):
        told.get(blocking=True, timeout=60)
    eventually(
        lambda: (
            f"dead letter {refused.task_id} was not reported: whoever waits for its result is not told"
            in caplog.messages
        )
    )


def test_a_burst_is_told_of_in_full(run_consumer, eventually, listener):
    clock, count = ManualClock(), 2500
    queue = MemoryQueue("q", max_deliveries=1, clock=clock)
    invoker = Invoker(queue, MemoryDataStore("q", clock=clock), registry=CommandRegistry(), plugins=[listener])
    queue.write_many([Message(b"", f"{number}") for number in range(count)])
    assert len(queue.claim(count, lease=1.0)) == count
    clock.advance(2.0)

    run_consumer(invoker)

    eventually(lambda: len(listener.heard) == count, "plugins hear of each")
    assert {message_id for _, message_id, _ in listener.heard} == {f"{number}" for number in range(count)}


def test_a_consumer_that_stops_tells_of_what_waits_first(invoker, crash, spend, eventually):
    results = [crash(), crash()]
    spend()
    eventually(lambda: not invoker.queue.claim(2, lease=60.0) and invoker.queue.counts().dead == 2)
    reporter = DeadLetterReporter(invoker, invoker.queue)
    reporter.add([result.task_id for result in results])

    reporter.stop()
    reporter.start()
    reporter.join()

    for result in results:
        with pytest.raises(CommandAbandoned):
            result.get()


def test_a_consumer_that_stops_says_how_many_it_has_not_told_of(invoker, monkeypatch, caplog):
    def fail(message_ids):
        raise ConnectionError("away")

    monkeypatch.setattr(invoker.queue, "find", fail)
    reporter = DeadLetterReporter(invoker, invoker.queue)
    reporter.add(["a", "b", "c"])

    reporter.stop()
    reporter.start()
    reporter.join_until(time.monotonic() + 60)

    assert caplog.messages == [
        "dead letter a cannot be reported yet, retrying: ConnectionError: away",
        "stopped with 2 dead letters not yet reported",
    ]
