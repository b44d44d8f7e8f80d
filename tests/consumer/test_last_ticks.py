"""What is remembered of each periodic command, so that a restart makes up for what nobody could enqueue meanwhile."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, Invoker, crontab, periodic_command
from huey_core.backends.base import EmptyData
from huey_core.consumer.periodic import TickWriter
from huey_memory import MemoryDataStore

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()

_spaces = itertools.count(1)


@pytest.fixture
def two_services(make_invoker):
    """Make two consumers' invokers of one queue, of which only the first knows the command that is made up for."""
    one, other = make_invoker(), make_invoker()

    @periodic_command(one, crontab(minute="0"), missed="all")
    def report(): ...

    @periodic_command(other, crontab())
    def heartbeat(): ...

    return one, other


@pytest.mark.parametrize("policy", ["skip", "all"])
def test_minutes_are_missed_although_consumers_run_that_do_not_know_the_command(two_services, policy):
    one, other = two_services
    periodic_command(other, crontab(minute="30"), name="half_past", missed=policy)(lambda: None)
    TickWriter(one).write(NOON - 120)

    writer = TickWriter(other)
    for minute in range(-2, 181):
        writer.write(NOON + minute * 60)

    assert TickWriter(one).write(NOON + 181 * 60) == 4


def test_what_is_remembered_of_one_command_is_kept_when_another_consumer_remembers_its_own(two_services):
    one, other = two_services
    periodic_command(other, crontab(minute="0"), name="elsewhere", missed="all")(lambda: None)
    TickWriter(one).write(NOON), TickWriter(other).write(NOON)

    later = NOON + 3600 + 60

    assert (TickWriter(one).write(later), TickWriter(other).write(later)) == (1, 2)


def test_consumers_that_remember_at_the_same_time_lose_nothing_of_each_other(make_invoker):
    registries = [CommandRegistry() for _ in range(8)]
    invokers = [make_invoker(registry=registry) for registry in registries]
    for number, invoker in enumerate(invokers):
        periodic_command(invoker, crontab(), name=f"command-{number}", missed="all")(lambda: None)
    barrier = threading.Barrier(len(invokers))

    def write(invoker) -> None:
        barrier.wait()
        TickWriter(invoker).write(NOON)

    threads = [threading.Thread(target=write, args=(invoker,)) for invoker in invokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [TickWriter(invoker).write(NOON + 180) for invoker in invokers] == [3] * len(invokers)


def test_a_command_that_nobody_knows_any_more_is_forgotten_in_the_end(make_invoker):
    for month, name in enumerate(["former", "present"]):
        invoker = make_invoker()
        periodic_command(invoker, crontab(), name=name, missed="once")(lambda: None)
        TickWriter(invoker).write(NOON + month * 31 * 86400)

    assert list(json.loads(invoker.task_store.peek("last-tick"))) == ["present"]


def test_nothing_is_remembered_of_commands_that_are_not_made_up_for(invoker):
    periodic_command(invoker, crontab(), name="tick")(lambda: None)

    TickWriter(invoker).write(NOON)

    assert invoker.task_store.peek("last-tick") is EmptyData


def test_one_consumer_remembers_for_all_that_know_the_same_commands(invoker, monkeypatch):
    periodic_command(invoker, crontab(), name="tick", missed="all")(lambda: None)
    TickWriter(invoker).write(NOON)
    store, writes = invoker.task_store, []
    for method in ("put", "put_if_absent", "replace_if_equal"):
        monkeypatch.setattr(store, method, lambda *arguments, **_: writes.append(arguments))

    TickWriter(invoker).write(NOON + 1)

    assert writes == []


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
    | st.dictionaries(st.sampled_from(["tick", "other"]), st.none() | st.text() | st.floats() | st.lists(st.none()))
    .map(json.dumps)
    .map(str.encode)
)
def test_whatever_is_found_as_the_last_tick_does_not_keep_commands_from_running(found):
    store = MemoryDataStore("found", space=f"found{next(_spaces)}")
    invoker = Invoker("memory://found/", None, store, registry=CommandRegistry())
    periodic_command(invoker, crontab(), name="tick", missed="all")(lambda: None)
    store.put("last-tick", found)

    TickWriter(invoker).write(NOON)

    assert json.loads(store.peek("last-tick"))["tick"] == NOON // 60
