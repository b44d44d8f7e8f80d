"""A plugin says "not now": the command's message is put back for later, whatever queue it is of."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, current_command, hookimpl, queue_command
from huey_core.backends import Capability, Wake
from huey_core.backends.messages import Delivery
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.exceptions import CommandPostponed
from huey_core.invoker import CommandRunner
from huey_core.invoker.endings import LEAST_POSTPONEMENT
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore

PATIENCE = 30.0


class Gate:
    """Postpones every command while it is closed, and notes what it is told."""

    def __init__(self, delay=0.01, wake=None):
        self.closed = True
        self.delay = delay
        self.wake = wake
        self.postponed = []

    @hookimpl
    def huey_before_execute(self):
        if self.closed:
            raise CommandPostponed(self.delay, self.wake)

    @hookimpl
    def huey_command_postponed(self, command, delay):
        self.postponed.append((command.task_id, delay))


def double(number):
    return 2 * number


@pytest.fixture
def gate():
    return Gate()


@pytest.mark.parametrize("kind", ["leased", "plain"])
def test_a_postponed_command_runs_when_it_is_let_through(make_invoker, run_consumer, eventually, gate, kind):
    settings = {"plugins": [gate], "registry": CommandRegistry()}
    plain = Invoker(PlainQueue(), PlainStore("results"), PlainStore("state"), **settings)
    invoker = make_invoker(plugins=[gate]) if kind == "leased" else plain
    handle = queue_command(invoker)(double)(21)
    run_consumer(invoker, initial_delay=0.01, max_delay=0.01)
    eventually(lambda: len(gate.postponed) > 1)

    gate.closed = False

    assert handle.get(blocking=True, timeout=PATIENCE) == 42
    assert set(gate.postponed) == {(handle.task_id, 0.01)}


def test_a_postponement_is_no_delivery_and_takes_no_retry(make_invoker, run_consumer, eventually, gate):
    attempts = []

    class Notes:
        @hookimpl(wrapper=True)
        def huey_execute(self, command):
            attempts.append(command.retries)
            return (yield)

    invoker = make_invoker(plugins=[gate, Notes()])
    invoker.queue.max_deliveries = 2
    handle = queue_command(invoker, retries=3)(double)(21)
    consumer = run_consumer(invoker)
    eventually(lambda: len(gate.postponed) > 3)

    gate.closed = False

    assert handle.get(blocking=True, timeout=PATIENCE) == 42
    assert attempts == [3]
    assert consumer.stats.retried == 0


def test_a_redelivered_command_is_logged_when_it_runs_and_not_each_time_that_it_is_postponed(
    make_invoker, run_consumer, eventually, gate, caplog
):
    invoker = make_invoker(plugins=[gate])
    handle = queue_command(invoker)(double)(21)
    eventually(lambda: invoker.queue.claim(1, lease=0.001).deliveries)
    run_consumer(invoker)
    eventually(lambda: len(gate.postponed) > 3)
    before = [line for line in caplog.messages if "is in delivery" in line]

    gate.closed = False

    assert handle.get(blocking=True, timeout=PATIENCE) == 42
    assert before == []
    assert len([line for line in caplog.messages if "is in delivery 2" in line]) == 1


def test_a_postponed_command_holds_no_worker(make_invoker, run_consumer, eventually):
    class GateOfOne(Gate):
        @hookimpl
        def huey_before_execute(self, command):
            if command.task_id == waiting.task_id:
                raise CommandPostponed(3600)

    gate = GateOfOne()
    invoker = make_invoker(plugins=[gate])
    command = queue_command(invoker)(double)
    waiting = command.command(1)
    invoker.enqueue(waiting)
    other = command(2)

    run_consumer(invoker, threads=1)

    assert other.get(blocking=True, timeout=PATIENCE) == 4
    eventually(lambda: invoker.queue.counts().scheduled == 1)


def outcome_of(invoker):
    command = queue_command(invoker)(double).command(21)
    return CommandRunner(invoker).run(Delivery(invoker.codec.encode(command), command.task_id, "receipt", 1))[0]


@pytest.mark.parametrize(
    ("asked", "delay"), [(0, LEAST_POSTPONEMENT), (1e-9, LEAST_POSTPONEMENT), (60, 60), (1e300, MAX_SECONDS)]
)
def test_a_delay_is_long_enough_for_others_to_have_a_turn_and_short_enough_for_every_server(make_invoker, asked, delay):
    assert outcome_of(make_invoker(plugins=[Gate(asked)])).delay == delay


@pytest.fixture
def space(request):
    return request.node.name


@pytest.fixture
def store(space):
    return MemoryDataStore("locks", space=space)


def test_a_command_that_waits_for_a_key_runs_when_the_key_is_freed(run_consumer, eventually, space, store):
    store.put("lock", b"taken")
    gate = Gate(3600, Wake(store, "lock", b"taken"))
    queue, results = MemoryQueue("q", space=space), MemoryDataStore("results", space=space)
    invoker = Invoker(queue, results, plugins=[gate], registry=CommandRegistry())
    handle = queue_command(invoker)(double)(21)
    run_consumer(invoker)
    eventually(lambda: queue.counts().scheduled == 1)
    gate.closed = False

    woken = queue.free(gate.wake)

    assert woken == 1
    assert handle.get(blocking=True, timeout=PATIENCE) == 42


class WithoutWake(MemoryQueue):
    capabilities = MemoryQueue.capabilities - {Capability.WAKE}


@pytest.mark.parametrize("queue", [WithoutWake("q"), MemoryQueue("q", space="another"), PlainQueue()])
def test_the_delay_alone_holds_where_the_queue_cannot_wake_a_message(store, queue):
    invoker = Invoker(queue, plugins=[Gate(60, Wake(store, "lock", b"taken"))], registry=CommandRegistry())

    outcome = outcome_of(invoker)

    assert (outcome.delay, outcome.wake) == (60, None)


def test_a_command_that_is_run_at_once_and_postponed_is_its_callers_to_repeat(make_invoker, gate):
    invoker = make_invoker(always_eager=True, plugins=[gate])

    with pytest.raises(CommandPostponed):
        queue_command(invoker)(double)(21)


def test_a_follow_up_that_is_postponed_at_once_does_not_keep_the_others(make_invoker):
    class PostponesOne:
        @hookimpl
        def huey_before_execute(self, command):
            if list(command.data[0]) == [1]:
                raise CommandPostponed(60)

    invoker = make_invoker(results=False, always_eager=True, plugins=[PostponesOne()])
    ran = []

    @queue_command(invoker)
    def follow(number):
        ran.append(number)
        if number == 2:
            current_command().then(follow.command(4))

    @queue_command(invoker)
    def lead():
        for number in (1, 2, 3):
            current_command().then(follow.command(number))

    with pytest.raises(CommandPostponed):
        lead()

    assert ran == [2, 3, 4]


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan")])
def test_a_delay_that_is_none_is_refused(delay):
    with pytest.raises(ValueError, match="number of seconds"):
        CommandPostponed(delay)
