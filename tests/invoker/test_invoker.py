"""Enqueueing, in its variants; what goes wrong with it; and other parts in place of an invoker's own."""

from __future__ import annotations

import itertools
import time
from functools import cached_property

import pytest

from huey_core import AsyncData, CommandRegistry, Invoker, QueueCommand, hookimpl, queue_command
from huey_core.exceptions import (
    CommandError,
    CommandRejected,
    ConfigurationError,
    DecodeError,
    EncodeError,
    PluginNotFound,
    QueueReadException,
    QueueWriteException,
    Unsupported,
)
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore


class Echo(QueueCommand):
    def execute(self):
        return self.data


class BrokenQueue(MemoryQueue):
    def __init__(self, error):
        super().__init__("broken")
        self.error = error

    def write_many(self, messages):
        raise self.error

    def claim(self, limit, lease, wait=0.0):
        raise self.error


def test_a_queue_and_stores_can_be_built_without_a_url():
    invoker = Invoker(MemoryQueue("by-hand"), MemoryDataStore("by-hand"), registry=CommandRegistry())

    invoker.enqueue(Echo({"a": 1}))

    assert invoker.dequeue.__self__.queue.counts().ready == 1
    invoker.flush()


def test_a_url_opens_queue_and_stores_of_one_backend():
    invoker = Invoker.from_url(
        "memory://one-url/?queue=mail&results=answers&result_ttl=5m&lease=30s&max_body_size=1MiB"
    )

    assert (invoker.queue.name, invoker.results.name) == ("mail", "answers")
    assert (invoker.result_ttl, invoker.lease, invoker.max_body_size) == (300.0, 30.0, 2**20)
    assert len(invoker.backends) == 1


def test_three_equal_urls_share_one_backend():
    url = "memory://three-urls/"

    assert len(Invoker(url, url, url).backends) == 1


def test_settings_go_before_the_options_of_the_url():
    assert Invoker.from_url("memory://?lease=30s", lease=12.0).lease == 12.0


def test_the_environment_may_name_the_url(monkeypatch):
    monkeypatch.setenv("HUEY_URL", "memory://?queue=from-env")

    assert Invoker.from_env().queue.name == "from-env"


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("HUEY_URL", raising=False)

    with pytest.raises(ConfigurationError, match="HUEY_URL"):
        Invoker.from_env()


def test_a_scheme_that_nobody_serves_says_what_to_use():
    with pytest.raises(PluginNotFound, match="use the redis:// URL of"):
        Invoker.from_url("redis+cluster://localhost/")


def test_an_unknown_option_of_a_url_offers_the_closest():
    with pytest.raises(ConfigurationError, match="did you mean 'queue'"):
        Invoker.from_url("memory://?quue=mail")


def test_a_command_written_as_a_class_runs(result_of):
    invoker = Invoker.from_url("memory://class-command/")
    assert result_of(invoker.enqueue(Echo({"a": 1}))) == {"a": 1}


@pytest.mark.parametrize(
    "overrides", [{"unique_for": 60}, {"unique_key": "{user}"}, {"unique_key": lambda data: data["user"]}]
)
def test_a_command_written_as_a_class_can_be_unique(invoker, overrides):
    for user in ("ann", "ann", "bob"):
        invoker.enqueue(Echo({"user": user}, overrides=overrides))

    assert invoker.queue.counts().ready == 2


def test_many_commands_are_written_in_order(invoker):
    @queue_command(invoker)
    def count(num): ...

    results = invoker.enqueue_many([count.command(number) for number in range(50)])

    messages = invoker.queue.peek("ready", limit=50)
    assert [message.message_id for message in messages] == [result.task_id for result in results]


def test_many_is_nothing_when_one_cannot_be_encoded(invoker):
    @queue_command(invoker)
    def count(num): ...

    with pytest.raises(EncodeError):
        invoker.enqueue_many([count.command(1), count.command(object())])

    assert invoker.queue.counts().ready == 0


def test_a_write_that_fails_keeps_its_cause(make_invoker):
    invoker = make_invoker()
    invoker.queue = BrokenQueue(ConnectionError("the cable is out"))

    with pytest.raises(QueueWriteException, match="the cable is out") as caught:
        invoker.enqueue(Echo())

    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_read_that_fails_keeps_its_cause(make_invoker):
    invoker = make_invoker()
    invoker.queue = BrokenQueue(ConnectionError("the cable is out"))

    with pytest.raises(QueueReadException) as caught:
        invoker.dequeue()

    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_never_wrapped(make_invoker, interruption):
    invoker = make_invoker()
    invoker.queue = BrokenQueue(interruption())

    with pytest.raises(interruption):
        invoker.enqueue(Echo())


def test_a_command_can_be_read_by_hand(invoker):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    double(4)

    assert invoker.dequeue().execute() == 8
    assert invoker.dequeue() is None


def test_a_plugin_can_refuse_a_command(make_invoker):
    class Curfew:
        @hookimpl
        def huey_before_enqueue(self, command):
            raise CommandRejected("not at this hour")

    invoker = make_invoker(plugins=[Curfew()])

    with pytest.raises(CommandRejected, match="not at this hour"):
        invoker.enqueue(Echo())

    assert invoker.queue.counts().ready == 0


def test_a_plugin_can_add_headers_that_travel(make_invoker):
    class Tracing:
        @hookimpl
        def huey_before_enqueue(self, command):
            command.headers["trace"] = "abc"

    invoker = make_invoker(plugins=[Tracing()])
    invoker.registry.register(Echo)

    invoker.enqueue(Echo())

    assert invoker.dequeue().headers == {"trace": "abc"}


def test_a_plugin_is_told_of_what_was_written_and_not_of_duplicates(make_invoker):
    class Recorder:
        def __init__(self):
            self.seen = []

        @hookimpl
        def huey_after_enqueue(self, command):
            self.seen.append(command.task_id)

    recorder = Recorder()
    invoker = make_invoker(plugins=[recorder])

    @queue_command(invoker, unique_key="x")
    def once(): ...

    first, _ = once(), once()

    assert recorder.seen == [first.task_id]


def test_messages_may_be_signed_and_foreign_ones_are_refused(make_invoker, run_consumer, eventually, monkeypatch):
    monkeypatch.setenv("HUEY_SIGNING_KEYS", "a key of sufficient length")
    signing = make_invoker(serializer="json|signed")
    unsigned = make_invoker(registry=signing.registry)

    @queue_command(signing)
    def double(num):
        return 2 * num

    run_consumer(signing, unreadable_delay=0)

    assert double(4).get(blocking=True, timeout=10) == 8
    unsigned.enqueue(double.command(5))
    eventually(lambda: signing.queue.counts().dead == 1)
    assert "only json|signed is accepted" in signing.queue.peek("dead")[0].reason


def test_a_unique_key_that_cannot_be_made_is_no_trouble_with_the_queue(invoker):
    @queue_command(invoker, unique_key=lambda order: order["id"])
    def ship(order): ...

    with pytest.raises(KeyError):
        ship({})


def test_an_item_that_a_unique_key_names_and_the_data_lack_is_named():
    invoker = Invoker.from_url("memory://lacking/")

    with pytest.raises(ConfigurationError, match=r"unique_key='\{user\}' cannot be made .* KeyError: 'user'"):
        invoker.enqueue(Echo({"usr": "ann"}, overrides={"unique_key": "{user}"}))


def test_a_message_beyond_the_consumers_limit_is_buried_and_its_caller_told(make_invoker, run_consumer):
    consuming = make_invoker(max_body_size=1000)
    generous = make_invoker(registry=consuming.registry)

    @queue_command(consuming)
    def count(text): ...

    run_consumer(consuming, unreadable_delay=0)
    handle = generous.enqueue(count.command("x" * 1000))

    with pytest.raises(CommandError, match="max_body_size, of the invoker or its URL, allows 1,000"):
        handle.get(blocking=True, timeout=60)
    assert "max_body_size" in consuming.queue.peek("dead")[0].reason


def test_a_result_has_the_limit_of_the_invoker(make_invoker):
    invoker = make_invoker(max_body_size=1000, always_eager=True)

    @queue_command(invoker)
    def repeat(count):
        return count * "x"

    assert repeat(900).get() == 900 * "x"
    with pytest.raises(CommandError, match="max_body_size allows 1,000"):
        repeat(1100).get()


@pytest.fixture
def parts():
    clock = ManualClock(1000.0)
    return MemoryQueue("test", clock=clock), MemoryDataStore("test", clock=clock), MemoryDataStore("state", clock=clock)


@pytest.fixture
def double(invoker):
    @queue_command(invoker)
    def double(number):
        return 2 * number

    return double


def test_a_decorated_function_writes_to_the_other_queue(invoker, double, parts):
    own = invoker.queue
    with invoker.replaced(*parts) as same:
        double(1)

    assert same is invoker
    assert (parts[0].counts().ready, own.counts().ready) == (1, 0)


def test_results_are_looked_for_in_the_other_store(invoker, parts):
    handle = AsyncData(invoker, "some-id")
    parts[1].put("some-id", b"not a result")

    assert handle.get() is None
    with invoker.replaced(*parts), pytest.raises(DecodeError):
        handle.get()


def test_what_was_computed_from_the_parts_is_computed_anew(invoker):
    assert (invoker.leased_queue is invoker.queue, invoker.results_expire) == (True, True)

    with invoker.replaced(PlainQueue("plain"), PlainStore("plain"), PlainStore("state")):
        assert (invoker.leased_queue, invoker.results_expire) == (None, False)

    assert (invoker.leased_queue is invoker.queue, invoker.results_expire) == (True, True)


def test_nothing_that_is_computed_once_is_left_over_but_the_plugins(invoker, parts):
    attributes = itertools.chain.from_iterable(vars(cls).items() for cls in Invoker.__mro__)
    computed = {name for name, value in attributes if isinstance(value, cached_property)}
    for name in computed:
        getattr(invoker, name)

    with invoker.replaced(*parts):
        assert computed & vars(invoker).keys() == {"plugins"}


def test_what_is_first_computed_meanwhile_does_not_stay(invoker, parts):
    with invoker.replaced(*parts):
        assert invoker.leased_queue is parts[0]

    assert invoker.leased_queue is invoker.queue


def test_revocations_are_kept_in_the_other_store(invoker, double, parts):
    double.revoke()
    with invoker.replaced(*parts):
        assert not double.is_revoked()

    assert double.is_revoked()


def test_there_are_no_stores_unless_they_are_given(invoker, double, parts):
    with invoker.replaced(parts[0]):
        assert double(1) is None
        with pytest.raises(ConfigurationError):
            _ = invoker.results
        with pytest.raises(Unsupported):
            double.revoke()


def test_the_time_is_that_of_the_clock_whatever_a_consumer_measures(invoker, double, parts):
    with invoker.replaced(*parts, clock=lambda: 1000.0):
        invoker.clock_offset = 50.0
        call = double.command(1)
        invoker.enqueue(call)

        assert invoker.now() == call.enqueued_at == 1000.0

    assert invoker.clock_offset == 0.0
    assert abs(invoker.now() - time.time()) < 60


def test_an_error_in_the_block_gives_the_own_parts_back_too(invoker, parts):
    own = invoker.queue
    with pytest.raises(ZeroDivisionError), invoker.replaced(*parts):
        raise ZeroDivisionError

    assert invoker.queue is own


def test_blocks_may_be_nested(invoker, parts):
    inner = MemoryQueue("inner")
    with invoker.replaced(*parts):
        with invoker.replaced(inner):
            assert invoker.queue is inner
        assert (invoker.queue, invoker.result_store, invoker.task_store) == parts


def test_an_invoker_may_be_made_with_a_clock(make_invoker):
    assert make_invoker(clock=lambda: 1000.0).now() == 1000.0


def test_commands_are_dated_by_the_clock_of_the_queue(invoker, double):
    invoker.clock_offset = 3600.0
    call = double.using(expires=60).command(1)

    invoker.enqueue(call)

    assert call.enqueued_at == pytest.approx(time.time() + 3600, abs=60)
    assert call.expires_at == call.enqueued_at + 60
