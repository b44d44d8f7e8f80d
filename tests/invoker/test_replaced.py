"""For tests, an invoker works with another queue, other stores and another clock, and gets its own back."""

from __future__ import annotations

import time
from functools import cached_property

import pytest

from huey_core import AsyncData, Invoker, queue_command
from huey_core.exceptions import ConfigurationError, DecodeError, Unsupported
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore


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
    assert (invoker.leased_queue is invoker.queue, invoker.results_expire, invoker.revokes) == (True, True, True)

    with invoker.replaced(PlainQueue("plain"), PlainStore("plain"), PlainStore("state")):
        assert (invoker.leased_queue, invoker.results_expire, invoker.revokes) == (None, False, False)

    assert (invoker.leased_queue is invoker.queue, invoker.results_expire, invoker.revokes) == (True, True, True)


def test_nothing_that_is_computed_once_is_left_over_but_the_plugins(invoker, parts):
    computed = {name for name, value in vars(Invoker).items() if isinstance(value, cached_property)}
    for name in computed:
        getattr(invoker, name)

    with invoker.replaced(*parts):
        assert computed & vars(invoker).keys() == {"plugins", "hook"}


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
