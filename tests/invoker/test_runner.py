"""One run of a command: its context, its traceback, and its outcome whatever the command raises."""

from __future__ import annotations

import asyncio
import contextvars
from types import SimpleNamespace

import pytest

from huey_core import Invoker, QueueCommand, hookimpl, queue_command
from huey_core.backends.messages import Delivery, State
from huey_core.backends.outcomes import Retry
from huey_core.commands.execution import Execution
from huey_core.exceptions import CommandError
from huey_core.invoker.runner import CommandRunner
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from odd_errors import ODD

PATIENCE = 30.0

tenant: contextvars.ContextVar[str | None] = contextvars.ContextVar("tenant", default=None)


@pytest.fixture
def run():
    """Run a call in this thread and return its outcome."""

    def run(invoker, call):
        message = invoker.codec.encode(call)
        return CommandRunner(invoker).run(Delivery(message, call.task_id, "receipt", 1))[0]

    return run


@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_command_raises_its_caller_gets_an_error_and_there_is_a_dead_letter(invoker, run_consumer, odd):
    @queue_command(invoker, retries=1, retry_delay=0)
    def fail():
        raise ODD[odd]

    run_consumer(invoker, threads=1)

    with pytest.raises(CommandError):
        fail().get(blocking=True, timeout=PATIENCE)
    [dead] = invoker.queue.peek(State.DEAD)
    assert __file__ in dead.detail


def test_a_command_that_cannot_be_written_again_has_failed(invoker, run):
    class Fickle(QueueCommand, declare=False):
        def to_payload(self):
            if self.received is not None:
                raise ValueError("no payload")
            return self.data

        def execute(self):
            raise OSError("not yet")

    invoker.registry.register(Fickle)

    outcome = run(invoker, Fickle(overrides={"retries": 1}))

    assert outcome.reason == "OSError: not yet"


def test_a_run_sees_nothing_of_the_context_of_the_one_before(invoker, run):
    @queue_command(invoker)
    def bill(name):
        before = tenant.get()
        tenant.set(name)
        seen.append(before)

    seen = []
    run(invoker, bill.command("A"))
    run(invoker, bill.command("B"))

    assert seen == [None, None]
    assert tenant.get() is None


class Accountant:
    """Sets and reads the tenant around a run."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def huey_before_execute(self):
        tenant.set("before")

    @hookimpl(wrapper=True)
    def huey_execute(self):
        self.seen.append(tenant.get())
        tenant.set("around")
        try:
            return (yield)
        finally:
            self.seen.append(tenant.get())

    @hookimpl
    def huey_command_succeeded(self):
        self.seen.append(tenant.get())


def bill():
    seen_within.append(tenant.get())
    tenant.set("within")


async def bill_later():
    await asyncio.sleep(0)
    bill()


seen_within: list[str | None] = []


@pytest.mark.parametrize("function", [bill, bill_later])
def test_a_command_and_the_hooks_around_it_share_a_context(make_invoker, run, function):
    accountant = Accountant()
    invoker = make_invoker(plugins=[accountant])
    seen_within.clear()

    run(invoker, queue_command(invoker)(function).command())

    assert (accountant.seen, seen_within) == (["before", "within", "within"], ["around"])


class Around:
    """Surrounds runs by wrappers of every kind."""

    @hookimpl(wrapper=True)
    def huey_execute(self):
        return (yield from self._delegate())

    def _delegate(self):
        try:
            return (yield)
        except Exception:
            seen_within.append("failed")
            raise


class AroundInTheOldWay:
    @hookimpl(hookwrapper=True)
    def huey_execute(self):
        yield


class AroundHooksBefore:
    @hookimpl(wrapper=True)
    def huey_before_execute(self):
        return (yield)


class Refuses:
    @hookimpl
    def huey_before_execute(self):
        refuse()


def refuse():
    raise ValueError("refused")


def fail():
    raise ValueError("failed")


async def fail_later():
    await asyncio.sleep(0)
    fail()


def frames(text):
    return [line.rpartition(" in ")[2] for line in text.splitlines() if line.startswith("  File ")]


@pytest.mark.parametrize("function", [fail, fail_later])
@pytest.mark.parametrize("wrappers", [[], [Around()], [AroundInTheOldWay()], [Around(), AroundInTheOldWay(), Around()]])
def test_the_traceback_of_a_failure_begins_in_the_application_whatever_surrounds_the_run(
    make_invoker, run, wrappers, function
):
    invoker = make_invoker(plugins=wrappers)

    outcome = run(invoker, queue_command(invoker)(function).command())

    assert frames(outcome.detail)[0] == function.__name__


@pytest.mark.parametrize("wrappers", [[], [AroundHooksBefore()]])
def test_the_traceback_of_a_hook_that_fails_begins_in_its_plugin(make_invoker, run, wrappers):
    invoker = make_invoker(plugins=[Refuses(), *wrappers])

    outcome = run(invoker, queue_command(invoker)(bill).command())

    assert frames(outcome.detail) == ["huey_before_execute", "refuse"]


def test_an_error_of_core_within_a_command_keeps_the_frames_of_the_command(invoker, run):
    @queue_command(invoker)
    def ask():
        return invoker.registry.get("nothing of that name")

    outcome = run(invoker, ask.command())

    assert frames(outcome.detail)[0] == "ask"


def test_a_retry_has_a_traceback_of_its_own(invoker, run):
    @queue_command(invoker)
    def raise_the_same():
        raise ODD["what is no exception"]

    for _ in range(2):
        outcome = run(invoker, raise_the_same.command())

    assert frames(outcome.detail)[0] == "raise_the_same"


class FlakyStore(MemoryDataStore):
    """Cannot be read while ``down``."""

    down = True

    def peek(self, key):
        if self.down:
            raise ConnectionError("the store is out of reach")
        return super().peek(key)

    def peek_many(self, keys):
        return [self.peek(key) for key in keys]


@pytest.fixture
def flaky_store(request):
    return FlakyStore("q.state", space=request.node.name)


@pytest.fixture
def unsure(request, flaky_store):
    space = request.node.name
    return Invoker(MemoryQueue("q", space=space), MemoryDataStore("q", space=space), flaky_store)


def test_a_command_waits_until_it_is_known_that_it_may_run(unsure, flaky_store, run_consumer, eventually, caplog):
    @queue_command(unsure)
    def add(a, b):
        return a + b

    run_consumer(unsure, initial_delay=0.01)
    result = add(1, 2)
    eventually(lambda: "out of reach" in caplog.text)
    assert result.get() is None

    flaky_store.down = False

    assert result.get(blocking=True, timeout=30) == 3
    assert unsure.queue.counts().dead == 0


def test_the_outage_is_logged_once(unsure, flaky_store, run_consumer, eventually, caplog):
    @queue_command(unsure)
    def add(a, b):
        return a + b

    consumer = run_consumer(unsure, initial_delay=0.001)
    add(1, 2)

    eventually(lambda: consumer.stats.claimed > 3)

    assert caplog.text.count("is unavailable") == 1


def test_a_revocation_that_cannot_be_read_holds_up_its_own_command_only(unsure, flaky_store, run_consumer, eventually):
    @queue_command(unsure, name="tests.held")
    def held():
        return "ran"

    @queue_command(unsure, name="tests.free")
    def free():
        return "ran"

    flaky_store.down = False
    flaky_store.put("revoked-commands", b'{"tests.held": "in a way of next year"}')
    run_consumer(unsure, unreadable_delay=3600.0)

    waiting = held()
    assert free().get(blocking=True, timeout=30) == "ran"
    eventually(lambda: unsure.queue.counts().scheduled == 1)
    assert waiting.get() is None
    [scheduled] = unsure.queue.peek(State.SCHEDULED)
    assert scheduled.due > unsure.now() + 3000


def test_the_duration_of_a_run_is_that_of_the_command_without_the_hooks_around_it(make_invoker, run, monkeypatch):
    class Around:
        @hookimpl(wrapper=True)
        def huey_execute(self):
            clock.advance(10)
            return (yield)

        @hookimpl
        def huey_command_succeeded(self, execution):
            durations.append(execution.duration)

    clock, durations = ManualClock(), []
    monkeypatch.setattr("huey_core.features.execution.time", SimpleNamespace(perf_counter=clock))
    invoker = make_invoker(plugins=[Around()])

    run(invoker, queue_command(invoker)(lambda: clock.advance(2.5)).command())

    assert durations == [2.5]


class Forgetful:
    @hookimpl(wrapper=True)
    def huey_execute(self):
        yield


def test_a_wrapper_that_forgets_to_return_what_it_got_is_told_so(make_invoker, run):
    invoker = make_invoker(plugins=[Forgetful()])

    outcome = run(invoker, queue_command(invoker)(bill).command())

    assert outcome.reason.startswith("TypeError: a plugin's huey_execute returned None")
    assert "must return what it got from yield" in outcome.reason


class RunsElsewhere:
    @hookimpl
    def huey_execute(self):
        return Execution(error=OSError("the other process is gone"))


def test_an_error_that_a_plugin_returns_is_a_failure_like_one_that_is_raised(make_invoker, run):
    invoker = make_invoker(plugins=[RunsElsewhere()])

    outcome = run(invoker, queue_command(invoker, retries=1)(bill).command())

    assert isinstance(outcome, Retry)
