"""Who is told of a command that has killed its consumers so often that a claim buried it."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, QueueCommand, hookimpl, queue_command
from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Delivery, Message, State
from huey_core.backends.outcomes import Ack, ResultWrite
from huey_core.commands.stored_result import encode_value
from huey_core.consumer.dead_letters import MOST, DeadLetterReporter
from huey_core.consumer.policy import POLICY
from huey_core.consumer.retry import BackOff, Outage, Pauses
from huey_core.consumer.source import source_of
from huey_core.exceptions import CommandAbandoned, MessageTooLarge
from huey_core.features.results import find_result, write_result
from huey_core.invoker.abandoned import report_abandoned
from huey_core.invoker.runner import CommandRunner
from huey_core.message import encode_header
from huey_core.safe_logging import get_logger
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainStore

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
            eventually(lambda: invoker.queue.claim(count, lease=0.001).deliveries)

    return spend


@pytest.fixture
def bury(invoker, spend, eventually):
    """Let a claim bury what is in the queue, when its deliveries are spent."""

    def bury():
        spend()
        eventually(lambda: not invoker.queue.claim(1, lease=60.0).deliveries and invoker.queue.counts().dead)

    return bury


def report(invoker):
    """Report the only dead letter."""
    [dead_letter] = invoker.queue.peek(State.DEAD)
    report_abandoned(invoker, invoker.queue.settles_into, dead_letter, find_result(invoker, dead_letter.message_id))


@pytest.fixture
def crash(invoker):
    @queue_command(invoker, name="shop.crash")
    def crash():
        raise AssertionError("nobody runs it here")

    return crash


def test_a_consumer_whose_claim_buries_it_reports_it_to_who_waits_for_it(invoker, crash, spend, run_consumer):
    result = crash()
    spend()

    run_consumer(invoker)

    with pytest.raises(CommandAbandoned, match=ABANDONED):
        result.get(blocking=True, timeout=60)


def test_the_log_names_the_command(invoker, crash, bury, caplog):
    result = crash()
    bury()

    report(invoker)

    assert caplog.messages == [
        f"message {result.task_id} of the command 'shop.crash' becomes a dead letter: {ABANDONED}"
    ]
    [record] = caplog.records
    assert (record.task_id, record.command, record.queue) == (result.task_id, "shop.crash", invoker.queue.name)
    assert record.delivery_count == 5


def test_plugins_are_told(invoker, crash, bury, listener):
    result = crash()
    bury()

    report(invoker)

    assert listener.heard == [(None, result.task_id, ABANDONED)]


def test_nothing_of_it_is_read_but_the_header(invoker, bury):
    read = []

    class Deadly(QueueCommand, declare=False):
        command_name = "shop.deadly"

        @classmethod
        def from_payload(cls, payload):
            read.append(payload)

    invoker.registry.register(Deadly)
    result = invoker.enqueue(Deadly(1))
    bury()

    report(invoker)

    with pytest.raises(CommandAbandoned):
        result.get()
    assert read == []


def test_who_waits_for_a_command_that_is_unknown_here_gets_an_error(make_invoker, invoker, crash, bury):
    result = crash()
    bury()

    report(make_invoker())

    with pytest.raises(CommandAbandoned):
        result.get()


def test_bytes_that_are_no_message_are_reported_all_the_same(invoker, bury, listener):
    written = invoker.queue.write(b"\xff no message")
    bury()

    report(invoker)

    assert listener.heard == [(None, written.message_id, ABANDONED)]


@pytest.mark.parametrize("where", ["command", "call"])
def test_a_command_without_results_is_known_to_be_abandoned(invoker, bury, where):
    @queue_command(invoker, store_result=None if where == "call" else False)
    def crash():
        raise AssertionError("nobody runs it here")

    result = (crash.using(store_result=False) if where == "call" else crash)()
    bury()

    report(invoker)

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
        assert invoker.queue.claim(1, lease=1.0).deliveries == []
        return invoker, result

    return abandon


def test_a_result_of_a_run_whose_consumer_was_killed_before_the_ack_stays(abandon, elsewhere):
    invoker, result = abandon()
    write_result(ResultWrite(elsewhere, result.task_id, encode_value(invoker.serializer, result.task_id, 3)))

    report(invoker)

    assert result.get() == 3


def test_the_error_is_stored_where_results_are_not_settled_together_with_acks(abandon):
    invoker, result = abandon()

    report(invoker)

    with pytest.raises(CommandAbandoned):
        result.get()


def test_the_error_is_kept_as_long_as_a_result_would_be(abandon, elsewhere):
    invoker, result = abandon(result_ttl=10)
    report(invoker)

    elsewhere.space.clock.advance(11.0)

    assert result.get() is None


def test_what_a_header_says_makes_no_lines_in_the_log_and_no_error(invoker, bury, caplog):
    header = {"id": "x", "cmd": "shop.crash\nall is lost" * 100, "ser": "json", "opts": ["store_result"]}
    invoker.queue.max_deliveries = 1
    invoker.queue.write(encode_header(header), message_id="x")
    bury()

    report(invoker)

    (line,) = caplog.messages
    assert "\n" not in line
    assert len(line) < 400
    with pytest.raises(CommandAbandoned):
        invoker.result("x").get()


def test_what_is_reported_leaves_the_servers_list(run_consumer, eventually, listener):
    clock = ManualClock()
    queue = MemoryQueue("q", max_deliveries=1, clock=clock)
    invoker = Invoker(queue, registry=CommandRegistry(), plugins=[listener])
    queue.write(b"", message_id="killer")
    queue.claim(1, lease=1.0)
    clock.advance(2.0)
    consumer = run_consumer(invoker, lease=10.0)
    eventually(lambda: listener.heard, "it is reported")

    consumer.stop()

    clock.advance(11.0)
    assert queue.claim(1, lease=1.0).buried == []
    assert [message_id for _, message_id, _ in listener.heard] == ["killer"]
    assert consumer.stats.buried == 1


def test_another_consumer_reports_what_the_one_that_buried_it_did_not_live_to_report(
    invoker, crash, spend, run_consumer, eventually
):
    result = crash()
    spend()
    eventually(lambda: invoker.queue.claim(1, lease=0.001).buried, "a consumer that is killed then buries it")

    run_consumer(invoker)

    with pytest.raises(CommandAbandoned):
        result.get(blocking=True, timeout=60)


def test_commands_run_while_nothing_can_be_reported_and_it_is_reported_afterwards(
    invoker, add, crash, spend, run_consumer, monkeypatch, eventually, caplog
):
    away = True
    find_really = invoker.queue.find

    def find(message_ids):
        if away:
            raise ConnectionError("away")
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    abandoned = crash()
    spend()
    run_consumer(invoker, initial_delay=0.001, max_delay=0.01)
    line = (
        f"the reporting of dead letters is unavailable (queue {invoker.queue.name!r}), retrying: ConnectionError: away"
    )
    eventually(lambda: line in caplog.messages, "a report has failed")

    assert add(1, 2).get(blocking=True, timeout=60) == 3
    away = False
    with pytest.raises(CommandAbandoned):
        abandoned.get(blocking=True, timeout=60)


def test_one_that_cannot_be_reported_does_not_keep_the_others(
    invoker, crash, spend, run_consumer, monkeypatch, eventually
):
    find_really = invoker.queue.find

    def find(message_ids):
        if message_ids == [refused.task_id]:
            raise ConnectionError("never")
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    refused, reported = crash(), crash()
    spend()
    run_consumer(invoker, initial_delay=0.001, max_delay=0.01)

    with pytest.raises(CommandAbandoned):
        reported.get(blocking=True, timeout=60)


def test_a_plugin_that_exits_instead_of_saying_what_follows_is_asked_once(make_invoker, eventually, run_consumer):
    class Exits:
        asked = 0

        @hookimpl
        def huey_follow_ups(self):
            self.asked += 1
            sys.exit("I do not know")

    plugin = Exits()
    invoker = make_invoker(plugins=[plugin])
    queue = invoker.queue
    queue.max_deliveries = 1
    queue.write(b"", message_id="killer")
    eventually(lambda: queue.claim(1, lease=0.001).deliveries)

    consumer = run_consumer(invoker)

    eventually(lambda: consumer.stats.buried == 1, "it is reported")
    assert plugin.asked == 1


class TooMuchFollows:
    @hookimpl
    def huey_follow_ups(self):
        return [QueueCommand("after")]


def test_one_whose_follow_ups_the_server_does_not_take_is_reported_all_the_same(
    make_invoker, eventually, run_consumer, monkeypatch, caplog
):
    invoker = make_invoker(plugins=[TooMuchFollows()])
    report_really = invoker.queue.report_done

    def report_done(reports):
        if any(report.follow_ups for report in reports):
            raise MessageTooLarge(2000, 1000, "this server")
        report_really(reports)
        reported.extend(reports)

    reported = []
    monkeypatch.setattr(invoker.queue, "report_done", report_done)
    invoker.queue.max_deliveries = 1
    invoker.queue.write(b"no message", message_id="a")
    eventually(lambda: invoker.queue.claim(1, lease=0.001).deliveries)

    run_consumer(invoker)

    said = "what follows the dead letter a cannot be written, so nothing does: MessageTooLarge: the message is"
    eventually(lambda: said in caplog.text)
    assert [report.message_id for report in reported] == ["a"]


class PickyQueue(MemoryQueue):
    """Does not take what follows a dead letter, and nothing at all while it is read-only; a refusal takes a second."""

    def __init__(self, clock, read_only=0):
        super().__init__("q", max_deliveries=1, clock=clock)
        self.read_only = read_only
        self.refusals = 0
        self.reported = []

    def report_done(self, reports):
        if self.read_only or any(report.follow_ups for report in reports):
            self.read_only = max(self.read_only - 1, 0)
            self.refusals += 1
            self.space.clock.advance(1.0)
            raise ValueError("never that")
        super().report_done(reports)
        self.reported += reports


@pytest.fixture
def report_to(clock, eventually):
    """Have a dead letter reported, which something follows, until a queue has taken that."""

    def report_to(queue):
        invoker = Invoker(queue, registry=CommandRegistry(), plugins=[TooMuchFollows()])
        queue.write(b"no message", message_id="a")
        queue.claim(1, lease=1.0)
        clock.advance(2.0)
        reporter = reporter_of(invoker, clock)
        reporter.add(queue.claim(1, lease=1000.0).buried, clock() + LEASE)
        reporter.start()
        eventually(lambda: queue.reported, "it is reported")
        reporter.stop()
        reporter.join()

    return report_to


def test_one_whose_follow_ups_the_server_refuses_while_it_takes_other_writes_is_reported_without(
    report_to, clock, caplog
):
    queue = PickyQueue(clock)

    report_to(queue)

    assert [(report.message_id, report.follow_ups) for report in queue.reported] == [("a", ())]
    assert queue.refusals == 2
    assert "what follows the dead letter a cannot be written, so nothing does: ValueError: never that" in caplog.text


def test_what_follows_is_kept_while_the_server_refuses_every_write(report_to, clock):
    class ReadOnly(PickyQueue):
        def report_done(self, reports):
            if not self.read_only:
                self.reported += reports
                return
            super().report_done(reports)

    queue = ReadOnly(clock, read_only=7)

    report_to(queue)

    assert [len(report.follow_ups) for report in queue.reported] == [1]


def test_what_follows_is_kept_while_the_server_does_not_answer(report_to, clock):
    class Away(PickyQueue):
        def now(self):
            if threading.current_thread().name == "huey-dead-letters" and self.read_only:
                raise ConnectionError("away")
            return super().now()

        def report_done(self, reports):
            if self.read_only == 1:
                # It is back between the two.
                self.read_only = 0
                raise ConnectionError("away")
            if not self.read_only:
                self.reported += reports
                return
            super().report_done(reports)

    queue = Away(clock, read_only=6)

    report_to(queue)

    assert [len(report.follow_ups) for report in queue.reported] == [1]


def test_plugins_are_told_once_though_the_result_store_fails_at_first(
    invoker, crash, spend, run_consumer, monkeypatch, listener
):
    errors = [ConnectionError("away"), ConnectionError("away")]
    put_really = invoker.results.put_if_absent

    def put(*args):
        if errors:
            raise errors.pop()
        return put_really(*args)

    monkeypatch.setattr(invoker.results, "put_if_absent", put)
    result = crash()
    spend()
    consumer = run_consumer(invoker, initial_delay=0.001, max_delay=0.01)

    with pytest.raises(CommandAbandoned):
        result.get(blocking=True, timeout=60)
    consumer.stop()
    assert errors == []
    assert [message_id for _, message_id, _ in listener.heard] == [result.task_id]


def test_a_burst_is_reported_in_full(run_consumer, eventually, listener):
    clock, count = ManualClock(), 2500
    queue = MemoryQueue("q", max_deliveries=1, clock=clock)
    invoker = Invoker(queue, MemoryDataStore("q", clock=clock), registry=CommandRegistry(), plugins=[listener])
    queue.write_many([Message(b"", f"{number}") for number in range(count)])
    assert len(queue.claim(count, lease=1.0).deliveries) == count
    clock.advance(2.0)

    run_consumer(invoker)

    eventually(lambda: len(listener.heard) == count, "plugins hear of each")
    assert {message_id for _, message_id, _ in listener.heard} == {f"{number}" for number in range(count)}


LEASE = 60.0


@pytest.fixture
def reporter(invoker, clock):
    """A reporter that does not run yet, with a clock that stands still."""
    return reporter_of(invoker, clock)


def reporter_of(invoker, clock):
    pauses = Pauses(0.001, 1.0, 0.001)
    back_off = BackOff(Outage("the reporting of dead letters", get_logger("huey_core")), "q", pauses)
    return DeadLetterReporter(
        invoker,
        source_of(invoker, pauses),
        what_follows=CommandRunner(invoker).what_follows_unread,
        has_reported=lambda: None,
        policy=POLICY,
        back_off=back_off,
        clock=clock,
    )


@pytest.fixture
def abandoned(invoker, crash, spend, eventually):
    """Results of two commands that a claim has buried."""
    results = [crash(), crash()]
    spend()
    eventually(lambda: not invoker.queue.claim(2, lease=60.0).deliveries and invoker.queue.counts().dead == 2)
    return results


def run_to_the_end(reporter):
    reporter.stop()
    reporter.start()
    reporter.join()


def test_a_consumer_that_stops_reports_what_waits_first(reporter, abandoned, clock):
    reporter.add([result.task_id for result in abandoned], clock() + LEASE)

    run_to_the_end(reporter)

    for result in abandoned:
        with pytest.raises(CommandAbandoned):
            result.get()


def test_what_an_operator_has_requeued_since_is_not_reported(invoker, reporter, abandoned, listener, clock):
    requeued, dead = abandoned
    reporter.add([requeued.task_id, dead.task_id], clock() + LEASE)
    invoker.queue.requeue([requeued.task_id])

    run_to_the_end(reporter)

    assert [message_id for _, message_id, _ in listener.heard] == [dead.task_id]


def test_the_result_of_a_command_that_is_requeued_during_its_report_stays(
    invoker, reporter, abandoned, clock, monkeypatch
):
    result, _ = abandoned
    find_really = invoker.queue.find

    def find_and_run_again(message_ids):
        found = find_really(message_ids)
        monkeypatch.undo()
        invoker.queue.requeue(message_ids)
        [delivery] = invoker.queue.claim(1, lease=60.0).deliveries
        value = encode_value(invoker.serializer, result.task_id, 3)
        invoker.queue.settle([Ack(delivery, ResultWrite(invoker.results, result.task_id, value))])
        return found

    monkeypatch.setattr(invoker.queue, "find", find_and_run_again)
    reporter.add([result.task_id], clock() + LEASE)
    run_to_the_end(reporter)

    assert result.get() == 3


def test_a_command_is_known_to_be_abandoned_where_no_result_can_be_looked_for(invoker, reporter, abandoned, clock):
    invoker.result_store = PlainStore("results")
    reporter.add([abandoned[0].task_id], clock() + LEASE)

    run_to_the_end(reporter)

    with pytest.raises(CommandAbandoned):
        abandoned[0].get()


def test_what_could_not_be_reported_in_time_is_left_to_others(reporter, abandoned, clock, listener):
    late, in_time = abandoned
    reporter.add([late.task_id], clock() + LEASE)
    clock.advance(LEASE)
    reporter.add([in_time.task_id], clock() + LEASE)

    run_to_the_end(reporter)

    assert [message_id for _, message_id, _ in listener.heard] == [in_time.task_id]


def test_what_is_left_to_others_is_not_looked_for(invoker, reporter, abandoned, clock, monkeypatch):
    asked = []
    monkeypatch.setattr(invoker.queue, "find", asked.append)
    monkeypatch.setattr(invoker.results, "peek", asked.append)
    reporter.add([result.task_id for result in abandoned], clock() + LEASE)
    clock.advance(LEASE)

    run_to_the_end(reporter)

    assert asked == []


def test_what_was_looked_for_too_long_is_left_to_others(invoker, reporter, abandoned, clock, monkeypatch, listener):
    find_really = invoker.queue.find

    def find(message_ids):
        clock.advance(LEASE)
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    reporter.add([abandoned[0].task_id], clock() + LEASE)

    run_to_the_end(reporter)

    assert listener.heard == []


def test_a_consumer_that_stops_says_how_many_it_has_not_reported_of_those_that_it_takes(
    invoker, reporter, clock, monkeypatch, caplog
):
    def fail(message_ids):
        raise ConnectionError("away")

    monkeypatch.setattr(invoker.queue, "find", fail)
    reporter.add([f"{number}" for number in range(MOST)], clock() + LEASE)
    reporter.add(["one too many"], clock() + LEASE)

    reporter.stop()
    reporter.start()
    reporter.join_until(time.monotonic() + 60)

    assert caplog.messages[-1] == f"stopped with {MOST} dead letters not yet reported"


def test_no_report_begins_after_the_consumer_has_stopped_waiting_for_it(
    invoker, reporter, abandoned, clock, monkeypatch
):
    begun, may_end, heard = threading.Event(), threading.Event(), []

    class Slow:
        @hookimpl
        def huey_command_buried(self, message_id):
            heard.append(message_id)
            begun.set()
            may_end.wait(60)

    told = []
    monkeypatch.setattr(invoker.queue, "report_done", lambda reports: told.extend(each.message_id for each in reports))
    invoker.plugins.register(Slow())
    reporter.add([result.task_id for result in abandoned], clock() + LEASE)
    reporter.start()
    assert begun.wait(60)

    reporter.stop()
    reporter.join_until(time.monotonic())
    may_end.set()
    reporter.join(60)

    assert not reporter.is_alive()
    assert heard == told == [abandoned[0].task_id]


def test_no_report_begins_when_the_server_answers_after_the_consumer_has_stopped_waiting(
    invoker, reporter, abandoned, clock, monkeypatch, listener
):
    asked, may_answer, find_really = threading.Event(), threading.Event(), invoker.queue.find

    def find(message_ids):
        asked.set()
        may_answer.wait(60)
        return find_really(message_ids)

    monkeypatch.setattr(invoker.queue, "find", find)
    reporter.add([result.task_id for result in abandoned], clock() + LEASE)
    reporter.start()
    assert asked.wait(60)

    reporter.stop()
    reporter.join_until(time.monotonic())
    may_answer.set()
    reporter.join(60)

    assert not reporter.is_alive()
    assert listener.heard == []


def test_a_lease_counts_from_the_question(invoker, crash, spend, run_consumer, monkeypatch, eventually):
    crash()
    spend()
    asked, added = [], []
    claim_really = invoker.queue.claim

    def claim(*args):
        asked.append(time.monotonic())
        return claim_really(*args)

    monkeypatch.setattr(invoker.queue, "claim", claim)
    monkeypatch.setattr(DeadLetterReporter, "add", lambda reporter, ids, until: added.append((until, len(asked))))
    run_consumer(invoker, lease=LEASE)

    eventually(lambda: added, "dead letters are named")

    until, claims = added[0]
    assert until <= asked[claims - 1] + LEASE


def test_the_dead_letter_of_a_tick_takes_its_place_however_long_the_servers_are_away(reporter, clock, monkeypatch):
    replaced = []
    monkeypatch.setattr(reporter.source, "replace_dead_letter", lambda *arguments: replaced.append(arguments))
    tick = encode_header({"id": "tick", "cmd": "shop.close", "ser": "json", "tick": 60})
    reporter.has_buried(Delivery(tick, "tick", "receipt", 1))
    clock.advance(100 * LEASE)

    run_to_the_end(reporter)

    assert replaced == [("shop.close", "tick")]


def test_the_dead_letter_of_a_tick_that_is_buried_again_meanwhile_takes_its_place_too(reporter, monkeypatch):
    tick = encode_header({"id": "tick", "cmd": "shop.close", "ser": "json", "tick": 60})
    delivery = Delivery(tick, "tick", "receipt", 1)
    replaced = []

    def replace(*arguments):
        replaced.append(arguments)
        if len(replaced) == 1:
            reporter.has_buried(delivery)

    monkeypatch.setattr(reporter.source, "replace_dead_letter", replace)
    reporter.has_buried(delivery)

    run_to_the_end(reporter)

    assert replaced == [("shop.close", "tick")] * 2


@pytest.fixture
def slow_report(clock):
    """Three dead letters to be reported on a queue, and what happens in each report: by its end two leases are over.

    As the fetch loop does, a claim then hands on what it names.
    """

    class Slow(Listener):
        then = staticmethod(lambda message_id: None)

        @hookimpl
        def huey_command_buried(self, command, message_id, reason):
            super().huey_command_buried(command, message_id, reason)
            clock.advance(2 * LEASE)
            self.then(message_id)
            self.claim()

        def claim(self):
            reporter.add(queue.claim(1, LEASE).buried, clock() + LEASE)

        def names(self):
            return [message_id for _, message_id, _ in self.heard]

    listener = Slow()
    queue = MemoryQueue("q", max_deliveries=1, clock=clock)
    listener.queue = queue
    reporter = reporter_of(Invoker(queue, registry=CommandRegistry(), plugins=[listener]), clock)
    queue.write_many([Message(b"", name) for name in "abc"])
    queue.claim(3, LEASE)
    clock.advance(LEASE)
    listener.claim()
    return listener, reporter


def test_a_report_that_takes_longer_than_the_lease_is_made_once(slow_report, clock):
    listener, reporter = slow_report

    run_to_the_end(reporter)

    clock.advance(2 * LEASE)
    assert listener.queue.claim(1, LEASE).buried == []
    assert listener.names() == ["a", "b", "c"]


def test_one_that_is_buried_again_while_it_is_reported_is_reported_again(slow_report, clock):
    listener, reporter = slow_report

    def bury_again(message_id):
        if len(listener.heard) == 1:
            listener.queue.requeue([message_id])
            listener.queue.claim(1, LEASE)
            clock.advance(LEASE)

    listener.then = bury_again

    run_to_the_end(reporter)

    assert listener.names() == ["a", "a", "b", "c"]


def test_what_was_reported_is_not_reported_again_because_the_server_could_not_be_told(
    slow_report, clock, monkeypatch, eventually
):
    listener, reporter = slow_report
    errors = [ConnectionError("away"), ConnectionError("away")]
    told = []
    report_done_really = listener.queue.report_done

    def report_done(reports):
        if errors:
            clock.advance(2 * LEASE)
            listener.claim()
            raise errors.pop()
        report_done_really(reports)
        told.extend(report.message_id for report in reports)

    monkeypatch.setattr(listener.queue, "report_done", report_done)
    reporter.start()

    eventually(lambda: not errors and sorted(told) == ["a", "b", "c"], "the server is told")

    reporter.stop()
    reporter.join()
    clock.advance(2 * LEASE)
    assert listener.queue.claim(1, LEASE).buried == []
    assert sorted(listener.names()) == ["a", "b", "c"]
