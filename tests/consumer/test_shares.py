"""Whose turn it is to claim, of several queues that share a worker pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from huey_core.consumer.policy import Policy
from huey_core.consumer.shares import Shares
from huey_core.workers import Run


@dataclass
class Workers:
    """A pool whose commands take a second each, by a clock that the test moves."""

    size: int
    now: float = 0.0
    runs: list[Run] = field(default_factory=list)

    def room(self):
        return self.size - len(self.runs)

    def running(self):
        return self.runs


class Queue:
    """A queue as its fetch loop sees it."""

    def __init__(self, shares, workers, name, weight=1.0):
        self.name, self.workers, self.woken = name, workers, 0
        self.share = shares.add(weight)
        self.seconds, self.guess = 0.0, 1e-3
        self.share.join(self.wake, self.used)

    def wake(self):
        self.woken += 1

    def used(self, running):
        started = [run.started for run in running if run.runner is self]
        return self.seconds + sum(self.workers.now - at for at in started), self.guess * len(started)

    def ask(self, target=0, cost=float("inf")):
        self.share.watch()
        return self.share.ask(250, target, 0, cost)

    def claim(self, brought, target=0):
        """Claim with so many messages for an answer, and return how many of them are let in."""
        self.share.claiming(waits=False)
        kept = self.share.keep(brought, target)
        self.workers.runs += [Run(None, self, self.workers.now)] * kept
        self.share.has_claimed()
        return kept


@pytest.fixture
def workers():
    return Workers(size=4)


@pytest.fixture
def serve(workers):
    """Make queues of these names and weights."""

    def serve(*, in_order=False, **weights):
        shares = Shares(workers, Policy(answers_within=0.5), in_order=in_order, clock=lambda: workers.now)
        return [Queue(shares, workers, name, weight) for name, weight in weights.items()]

    return serve


def empty(queue):
    """Have a queue know that it has no messages."""
    queue.ask()
    queue.claim(0)


def run_a_second(workers, queues):
    """Fill the pool as the queues may, all of which have messages, let a second pass, and tell whose commands ran."""
    before = None
    while before != len(workers.runs):
        before = len(workers.runs)
        for queue in queues:
            if (turn := queue.ask()).limit > 0:
                queue.claim(min(turn.limit, 1))
    ran = Counter(run.runner.name for run in workers.runs)
    workers.now += 1.0
    for run in workers.runs:
        run.runner.seconds += 1.0
    workers.runs.clear()
    return ran


@pytest.mark.parametrize("size", [1, 4])
def test_workers_are_divided_by_weight(workers, serve, size):
    workers.size = size
    queues = serve(mail=3, reports=1)

    ran = sum((run_a_second(workers, queues) for _ in range(100)), Counter())

    assert ran["mail"] / ran["reports"] == pytest.approx(3.0, rel=0.1)


def test_no_queue_starves_beside_one_of_much_greater_weight(workers, serve):
    workers.size = 1
    queues = serve(mail=50, reports=1)

    ran = sum((run_a_second(workers, queues) for _ in range(200)), Counter())

    assert ran["reports"] >= 3


def test_what_an_idle_queue_leaves_goes_to_the_others(workers, serve):
    mail, reports = serve(mail=1, reports=3)
    empty(reports)

    assert run_a_second(workers, [mail]) == {"mail": 4}


def test_idle_time_is_not_saved_up(workers, serve):
    mail, reports = serve(mail=1, reports=1)
    empty(reports)
    for _ in range(10):
        run_a_second(workers, [mail])
    mail.ask()
    reports.ask()
    reports.claim(1, target=1)

    ran = sum((run_a_second(workers, [mail, reports]) for _ in range(10)), Counter())

    assert ran["mail"] >= 18


def test_a_wrong_guess_at_what_another_queue_has_in_flight_keeps_nobody_waiting(workers, serve):
    mail, reports = serve(mail=1, reports=1)
    empty(reports)
    mail.guess = 100.0
    mail.ask()
    mail.claim(1)
    reports.ask()
    reports.claim(1)
    workers.runs.clear()

    assert reports.ask().limit == 1


def test_quick_commands_are_claimed_in_portions(serve):
    mail, _ = serve(mail=1, reports=1)

    assert mail.ask(target=1000, cost=1e-5).limit == 250


def test_two_that_ask_at_once_do_not_claim_for_the_same_worker(workers, serve):
    workers.size = 1
    mail, reports = serve(mail=1, reports=1)

    assert [mail.ask().limit, reports.ask().limit] == [1, 0]


def test_a_queue_with_messages_does_not_wait_in_the_server_while_another_has_some(serve):
    mail, reports = serve(mail=1, reports=1)
    both = mail.ask().in_server
    empty(reports)

    assert (both, mail.ask().in_server) == (False, True)


def test_an_idle_queue_waits_in_the_server_while_another_keeps_the_workers_busy(workers, serve):
    mail, reports = serve(mail=3, reports=1)
    empty(reports)
    mail.ask()
    mail.claim(4)

    turn = reports.ask()

    assert (turn.limit, turn.in_server, turn.is_beside) == (1, True, True)


def test_what_an_idle_queue_brings_is_let_in_where_commands_are_quick(workers, serve):
    mail, reports = serve(mail=1, reports=1)
    empty(reports)
    mail.ask()
    mail.claim(4)
    reports.ask(target=100)

    assert reports.claim(3, target=100) == 3


def test_what_an_idle_queue_brings_is_given_back_where_all_workers_are_busy_with_slow_commands(workers, serve):
    mail, reports = serve(mail=1, reports=1)
    empty(reports)
    mail.ask()
    mail.claim(3)
    reports.ask()

    assert reports.claim(3) == 1


class TestStrictOrder:
    def test_the_first_queue_goes_first(self, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)

        assert (other.ask().limit, urgent.ask().limit) == (0, 4)

    def test_the_next_queue_goes_when_the_one_before_is_empty(self, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        other.ask()
        empty(urgent)

        assert other.woken > 0
        assert other.ask().limit == 4

    def test_what_comes_meanwhile_is_given_back_while_one_before_has_messages(self, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        empty(urgent)
        empty(other)
        other.ask()
        urgent.ask()
        urgent.claim(1)

        assert other.claim(1) == 0

    def test_a_queue_with_messages_never_waits_in_the_server_so_that_the_others_know(self, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        empty(other)

        assert not urgent.ask().in_server


class TestQueuesThatDoNotClaim:
    def test_one_whose_server_does_not_answer_is_not_waited_for(self, workers, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        urgent.ask()
        urgent.share.claiming(waits=False)
        at_once = other.ask().limit
        workers.now += 1.0

        assert (at_once, other.ask().limit) == (0, 4)

    def test_one_whose_server_does_not_take_outcomes_is_not_waited_for(self, workers, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        urgent.ask()
        workers.now += 60.0
        urgent.share.settling()
        at_once = other.ask().limit
        workers.now += 1.0

        assert (at_once, other.ask().limit) == (0, 4)

    def test_one_that_has_failed_is_not_waited_for(self, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        urgent.ask()
        other.ask()
        urgent.share.rest()

        assert other.woken == 1
        assert other.ask().limit == 4

    def test_one_that_waits_for_workers_is_waited_for_however_long(self, workers, serve):
        urgent, other = serve(urgent=1, other=1, in_order=True)
        urgent.ask()
        workers.now += 60.0

        assert other.ask().limit == 0


def test_an_idle_worker_wakes_those_alone_that_look_at_the_pool(workers):
    shares = Shares(workers, Policy())
    looking, waiting = (Queue(shares, workers, name) for name in ("looking", "waiting"))
    looking.ask()
    waiting.ask()
    waiting.share.claiming(waits=True)

    shares.note_idle_worker()

    assert (looking.woken, waiting.woken) == (1, 0)
