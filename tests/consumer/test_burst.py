"""A burst ends when nothing is ready any more, and no sooner."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest

from huey_core import CommandRegistry, Invoker, crontab, current_command, periodic_command, queue_command
from huey_core.consumer import BaseConfiguration, Consumer, ConsumerGroup, run_until_signalled
from huey_core.consumer.burst import Backlog
from huey_core.exceptions import Unsupported
from plain_backend import PlainQueue, PlainStore

PATIENCE = 60.0
A_LONG_TIME = 3600.0


@pytest.fixture
def ran():
    """What has run, in order."""
    return []


@pytest.fixture
def note(invoker, ran):
    @queue_command(invoker)
    def note(word):
        ran.append(word)

    return note


@pytest.mark.parametrize("worker_type", ["thread", "asyncio"])
def test_what_is_ready_is_run_and_the_exit_code_is_0(invoker, note, ran, worker_type):
    for number in range(100):
        note(number)

    assert Consumer(invoker, burst=True, worker_type=worker_type).run() == 0
    assert sorted(ran) == list(range(100))


def test_a_burst_with_nothing_to_do_ends_at_once(invoker):
    assert Consumer(invoker, burst=True).run() == 0


def test_what_commands_enqueue_is_run_too(invoker, ran):
    @queue_command(invoker)
    def count_down(number):
        ran.append(number)
        if number:
            count_down(number - 1)

    count_down(5)
    Consumer(invoker, burst=True, threads=1).run()

    assert ran == [5, 4, 3, 2, 1, 0]


def test_what_follows_a_command_is_run_too(invoker, note, ran):
    @queue_command(invoker)
    def begin():
        current_command().then(note.command("followed"))

    begin()
    Consumer(invoker, burst=True).run()

    assert ran == ["followed"]


def test_a_retry_that_is_ready_at_once_is_run_too(invoker, ran):
    @queue_command(invoker, retries=2)
    def fail():
        ran.append("failed")
        raise ValueError

    fail()

    assert Consumer(invoker, burst=True).run() == 0
    assert ran == ["failed"] * 3


def test_what_runs_is_finished_first(invoker, ran, eventually):
    begun, going_on = threading.Event(), threading.Event()

    @queue_command(invoker)
    def work():
        begun.set()
        ran.append(going_on.wait(PATIENCE))

    work()
    consumer = Consumer(invoker, burst=True, threads=2)
    consumer.start()
    begun.wait(PATIENCE)
    claimed_nothing = consumer.queues[0].fetcher.found_nothing_at
    # The other worker has looked for more, and there was nothing.
    eventually(lambda: consumer.queues[0].fetcher.found_nothing_at > claimed_nothing)
    has_stopped_early = consumer.wait(0)
    going_on.set()

    assert consumer.wait(PATIENCE)
    assert (has_stopped_early, ran) == (False, [True])


def test_what_is_due_later_is_left_alone(invoker, note, ran):
    note.schedule(args=("later",), delay=A_LONG_TIME)

    Consumer(invoker, burst=True).run()

    assert ran == []
    assert invoker.queue.counts().scheduled == 1


def test_what_is_due_soon_is_waited_for_when_that_is_asked_for(invoker, note, ran):
    note.schedule(args=("soon",), delay=0.2)
    note.schedule(args=("later",), delay=A_LONG_TIME)

    Consumer(invoker, burst=True, burst_wait=60).run()

    assert ran == ["soon"]


def test_a_command_for_another_queue_of_the_consumer_is_run_whichever_is_empty_first(invoker, ran):
    @queue_command(invoker, queue="mail")
    def send(number):
        ran.append(("mail", number))
        if number:
            report(number - 1)

    @queue_command(invoker, queue="reports")
    def report(number):
        ran.append(("reports", number))
        if number:
            send(number - 1)

    send(3)
    Consumer(invoker, burst=True, serve_queues=["mail", "reports"]).run()

    assert ran == [("mail", 3), ("reports", 2), ("mail", 1), ("reports", 0)]


def test_a_paused_queue_ends_a_burst_at_once_with_a_note(invoker, note, ran, caplog):
    note("ready")
    invoker.leased_queue.pause()

    assert Consumer(invoker, burst=True, burst_wait=A_LONG_TIME).run() == 0
    assert ran == []
    assert "is paused, so nothing more of it was run; 'huey resume' lets it go on" in caplog.text


def test_periodic_commands_are_left_out(invoker, ran):
    periodic_command(invoker, crontab())(lambda: ran.append("tick"))

    Consumer(invoker, burst=True).run()

    assert ran == []


def test_periodic_commands_that_are_due_are_run_once_when_that_is_asked_for(invoker, ran):
    periodic_command(invoker, lambda at: True)(lambda: ran.append("tick"))

    Consumer(invoker, burst=True, periodic=True).run()

    assert ran == ["tick"]


def test_a_queue_without_leases_is_emptied_too(ran):
    plain = Invoker(PlainQueue(), PlainStore("results"), PlainStore("state"), registry=CommandRegistry())

    @queue_command(plain)
    def note(word):
        ran.append(word)

    note("now")
    note.schedule(args=("soon",), delay=0.2)
    Consumer(plain, burst=True, burst_wait=60, initial_delay=0.005, max_delay=0.02).run()

    assert ran == ["now", "soon"]


def test_a_queue_that_cannot_say_what_is_due_is_not_waited_for(invoker, monkeypatch):
    declared = {each for each in invoker.queue.capabilities if each.value != "inspect"}
    monkeypatch.setattr(type(invoker.queue), "capabilities", frozenset(declared))

    with pytest.raises(Unsupported, match="BURST_WAIT needs to know when the next message is due"):
        Consumer(invoker, burst=True, burst_wait=60).start()


def test_a_burst_goes_on_after_an_outage_of_the_server(invoker, note, ran, monkeypatch):
    note("ready")
    claim, failures = invoker.queue.claim, itertools.count()

    def fail_at_first(*arguments):
        if next(failures) < 3:
            raise OSError("no route to host")
        return claim(*arguments)

    monkeypatch.setattr(invoker.queue, "claim", fail_at_first)

    assert Consumer(invoker, burst=True, initial_delay=0.01).run() == 0
    assert ran == ["ready"]


def test_a_burst_in_another_thread_is_waited_for(invoker, note, ran):
    note("ready")
    consumer = Consumer(invoker, burst=True)
    thread = threading.Thread(target=consumer.start)
    thread.start()
    thread.join(PATIENCE)

    assert consumer.wait(PATIENCE)
    assert ran == ["ready"]


def test_consumers_of_several_servers_end_together(make_invoker, ran):
    one = make_invoker()
    other = Invoker.from_url("memory://another_place", registry=CommandRegistry())

    @queue_command(one)
    def there(number):
        ran.append(("one", number))
        if number:
            back(number - 1)

    @queue_command(other)
    def back(number):
        ran.append(("other", number))
        if number:
            there(number - 1)

    there(3)
    group = ConsumerGroup([Consumer(one, burst=True), Consumer(other, burst=True)])

    assert run_until_signalled(group) == 0
    assert ran == [("one", 3), ("other", 2), ("one", 1), ("other", 0)]


def test_a_consumer_that_a_command_stops_runs_no_longer(invoker):
    consumer = Consumer(invoker)
    queue_command(invoker)(lambda: consumer.stop("enough"))()

    assert consumer.run() == 0


def test_a_burst_whose_end_crashes_is_an_error_and_gives_everything_back(invoker, monkeypatch, caplog):
    consumer = Consumer(invoker, burst=True)

    def crash(*arguments):
        raise OverflowError("a defect")

    monkeypatch.setattr(consumer._shutdown, "run", crash)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)

    assert consumer.run() == 1
    assert "OverflowError: a defect" in caplog.text
    monkeypatch.undo()
    consumer.stop(timeout=0)


def test_a_burst_is_a_setting_of_a_class_too(invoker, note, ran):
    class Configuration(BaseConfiguration):
        BURST = True

    note("ready")

    assert Consumer(invoker, Configuration).run() == 0
    assert ran == ["ready"]


class FakeQueue:
    """A queue of which a test says what its claims have found, and what is in flight."""

    name = "fake"

    def __init__(self):
        self.fetcher = SimpleNamespace(found_nothing_at=float("-inf"))
        self.dead_letters = SimpleNamespace(is_busy=False)
        self.source = SimpleNamespace(is_paused=lambda: False, next_due=lambda: None, now=lambda: 0.0)
        self.in_flight = FakeInFlight()


class FakeInFlight:
    claimed, held = 0, 0

    def __len__(self):
        return self.held

    def stats(self):
        return SimpleNamespace(claimed=self.claimed)


def test_a_claim_that_began_before_the_last_command_ended_proves_nothing():
    queue, now = FakeQueue(), [10.0]
    backlog = Backlog([queue], clock=lambda: now[0])
    queue.fetcher.found_nothing_at = 9.0

    looks = [backlog.is_over(), backlog.is_over()]
    now[0], queue.fetcher.found_nothing_at = 11.0, 10.5

    assert (looks, backlog.is_over()) == ([False, False], True)


def test_what_was_claimed_and_settled_between_two_looks_begins_the_wait_anew():
    queue, now = FakeQueue(), [10.0]
    backlog = Backlog([queue], clock=lambda: now[0])
    backlog.is_over()
    backlog.is_over()

    now[0], queue.in_flight.claimed, queue.fetcher.found_nothing_at = 12.0, 1, 11.0
    looks = [backlog.is_over(), backlog.is_over()]
    queue.fetcher.found_nothing_at = 12.5

    assert (looks, backlog.is_over()) == ([False, False], True)


def test_a_dead_letter_that_is_still_to_be_reported_keeps_a_burst_going():
    queue = FakeQueue()
    backlog = Backlog([queue], clock=lambda: 10.0)
    queue.fetcher.found_nothing_at, queue.dead_letters.is_busy = 20.0, True

    looks = [backlog.is_over() for _ in range(3)]
    queue.dead_letters.is_busy = False

    assert (looks, backlog.is_over(), backlog.is_over()) == ([False] * 3, True, True)
