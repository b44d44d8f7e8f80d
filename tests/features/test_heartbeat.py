"""Consumers write a heartbeat into the task store, and it never harms them."""

from __future__ import annotations

import itertools
import json
import threading

import pytest

from huey_core import __version__, queue_command
from huey_core.backends.base import EmptyData
from huey_core.exceptions import Unsupported
from huey_core.features.heartbeat import ConsumerRecord, consumers_alive
from huey_core.hookspecs import hookimpl
from huey_core.snapshot import HookFaults
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainStore


@pytest.fixture
def alive(invoker):
    return lambda: consumers_alive(invoker.task_store)


def test_a_running_consumer_is_seen_with_the_commands_it_knows(invoker, run_consumer, alive, eventually):
    @queue_command(invoker, name="mail.send")
    def send():
        pass

    consumer = run_consumer(invoker, threads=3)
    eventually(alive)

    (seen,) = alive()
    assert (seen.name, seen.version, seen.workers, seen.worker_type) == (consumer.name, __version__, 3, "thread")
    assert (seen.commands, seen.serializers) == (("mail.send",), ("json",))


def test_every_consumer_of_a_queue_is_seen(invoker, run_consumer, alive, eventually):
    consumers = [run_consumer(invoker, threads=1) for _ in range(5)]

    eventually(lambda: [each.name for each in alive()] == sorted(each.name for each in consumers))


def test_a_consumer_that_has_stopped_is_not_seen(invoker, run_consumer, alive, eventually):
    # No heartbeat ends by itself while the test runs.
    staying, leaving = run_consumer(invoker, heartbeat=3600.0), run_consumer(invoker, heartbeat=3600.0)
    eventually(lambda: len(alive()) == 2)

    leaving.stop()

    eventually(lambda: [each.name for each in alive()] == [staying.name])


def test_a_heartbeat_shows_what_runs_now(invoker, run_consumer, eventually):
    going_on = threading.Event()

    @queue_command(invoker)
    def wait():
        going_on.wait(60)

    run_consumer(invoker, heartbeat=0.1)
    handle = wait()

    eventually(
        lambda: (
            [(each.running, each.running_ids) for each in consumers_alive(invoker.task_store)]
            == [(1, (handle.task_id,))]
        )
    )
    going_on.set()


def test_a_record_names_a_hundred_messages_at_the_most_and_the_one_that_has_run_the_longest_first(
    invoker, run_consumer, eventually
):
    going_on = threading.Event()
    records = []

    @queue_command(invoker)
    def wait():
        going_on.wait(60)

    def so_many_run(number):
        records[:] = consumers_alive(invoker.task_store)
        return [each.running for each in records] == [number]

    run_consumer(invoker, threads=110, heartbeat=0.1)
    first = wait().task_id
    eventually(lambda: so_many_run(1))
    for _ in range(109):
        wait()
    eventually(lambda: so_many_run(110))
    going_on.set()

    named = records[0].running_ids
    assert (named[0], len(named), len(set(named))) == (first, 100, 100)


class Nuisance:
    @hookimpl
    def huey_worker_start(self):
        raise RuntimeError("I am a nuisance")


def test_a_heartbeat_shows_what_plugins_do_amiss(make_invoker, run_consumer, eventually):
    invoker = make_invoker(plugins=[Nuisance()])

    run_consumer(invoker, threads=2, heartbeat=0.1)

    eventually(
        lambda: (
            [
                faults.errors
                for each in consumers_alive(invoker.task_store)
                for faults in each.hook_faults
                if faults.hook == "huey_worker_start"
            ]
            == [2]
        )
    )


def test_a_consumer_that_stops_logs_what_plugins_did_amiss(make_invoker, run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(make_invoker(plugins=[Nuisance()]), threads=2).stop(timeout=30)

    assert f"plugin {__name__}.Nuisance in huey_worker_start raised 2 times" in caplog.text


def test_a_consumer_that_was_killed_is_not_seen_after_three_beats(make_invoker, run_consumer, eventually):
    clock = ManualClock()
    store = MemoryDataStore("state", space="killed", clock=clock)
    invoker = make_invoker()
    invoker.task_store = store
    run_consumer(invoker, heartbeat=1000)
    eventually(lambda: consumers_alive(store))
    clock.advance(2999)
    assert consumers_alive(store)

    clock.advance(2)

    assert consumers_alive(store) == []
    assert store.peek("consumers") is EmptyData


def test_the_next_heartbeat_brings_back_what_an_operator_flushed(invoker, run_consumer, eventually):
    run_consumer(invoker, heartbeat=0.1)
    eventually(lambda: consumers_alive(invoker.task_store))

    invoker.task_store.flush()

    eventually(lambda: consumers_alive(invoker.task_store))


@pytest.mark.parametrize("index", [b"garbage", b"[]", b'{"host:1:a": "soon"}'])
def test_an_index_that_cannot_be_read_is_written_afresh(invoker, run_consumer, alive, eventually, index):
    invoker.task_store.put("consumers", index)

    consumer = run_consumer(invoker)

    eventually(lambda: [each.name for each in alive()] == [consumer.name])


@pytest.mark.parametrize("record", [b"garbage", b"[]", b"5", b'{"version": "1"}', b'{"name": "a", "commands": 5}'])
def test_a_record_that_cannot_be_read_hides_no_other(invoker, alive, record):
    invoker.task_store.put("consumers", b'{"a": 9e15, "b": 9e15}')
    invoker.task_store.put("consumer:a", record)
    invoker.task_store.put("consumer:b", ConsumerRecord(name="b").encode())

    assert [each.name for each in alive()] == ["b"]


def test_a_store_that_cannot_forget_is_left_alone_and_says_so(make_invoker, run_consumer):
    store = PlainStore("state")
    invoker = make_invoker()
    invoker.task_store = store

    run_consumer(invoker).stop()

    assert store.get("consumers") is EmptyData
    with pytest.raises(Unsupported, match="lacks 'ttl' or 'locks'"):
        consumers_alive(store)


class FailingStore(MemoryDataStore):
    fails = True
    failures = 0

    def put(self, key, value, ttl=None):
        if self.fails:
            self.failures += 1
            raise OSError("no route to host")
        super().put(key, value, ttl)


def test_a_store_that_fails_does_not_keep_the_consumer_from_working(make_invoker, result_of, caplog, eventually):
    caplog.set_level("INFO")
    invoker = make_invoker()
    invoker.task_store = FailingStore("state", space="failing")

    @queue_command(invoker)
    def double(number):
        return 2 * number

    assert result_of(double(21)) == 42
    eventually(lambda: "the heartbeat cannot be written" in caplog.text)


def test_a_heartbeat_that_cannot_be_written_is_logged_once_until_it_is_written_again(
    make_invoker, run_consumer, caplog, eventually
):
    caplog.set_level("INFO")
    invoker = make_invoker()
    invoker.task_store = store = FailingStore("state", space="failing for a while")
    consumer = run_consumer(invoker, heartbeat=3600.0)
    eventually(lambda: store.failures == 1)
    consumer.send_heartbeat()
    eventually(lambda: store.failures == 2)

    store.fails = False
    consumer.send_heartbeat()

    eventually(lambda: "the heartbeat is written again" in caplog.messages)
    assert caplog.text.count("the heartbeat cannot be written") == 1
    lines = [record for record in caplog.records if "the heartbeat" in record.getMessage()]
    assert {record.queue for record in lines} == {invoker.queue.name}


class RefusesBelatedly:
    """Lets a consumer begin to start, and refuses it when all others have agreed."""

    @hookimpl(wrapper=True)
    def huey_consumer_start(self):
        yield
        raise RuntimeError("not this one")


def test_a_consumer_that_does_not_start_after_all_is_not_seen(make_invoker, run_consumer, eventually):
    invoker = make_invoker(plugins=[RefusesBelatedly()])

    with pytest.raises(RuntimeError, match="not this one"):
        run_consumer(invoker)

    eventually(lambda: consumers_alive(invoker.task_store) == [])
    assert "huey-heartbeat" not in {thread.name for thread in threading.enumerate()}


class SlowStore(MemoryDataStore):
    answers = threading.Event()

    def put(self, key, value, ttl=None):
        self.answers.wait(60)
        super().put(key, value, ttl)


def test_a_store_that_exits_does_not_end_the_heartbeat(invoker, run_consumer, alive, eventually, monkeypatch):
    put, tries = invoker.task_store.put, itertools.count()

    def exit_at_first(*arguments):
        if next(tries) == 0:
            raise SystemExit
        put(*arguments)

    monkeypatch.setattr(invoker.task_store, "put", exit_at_first)
    consumer = run_consumer(invoker, threads=1)
    eventually(lambda: next(tries))

    consumer.send_heartbeat()

    eventually(alive)


def test_a_store_that_does_not_answer_holds_up_neither_leases_nor_the_end(
    make_invoker, run_consumer, eventually, pass_two_leases
):
    clock = ManualClock()
    invoker = make_invoker(lease=1)
    invoker.queue, invoker.result_store = MemoryQueue("q", clock=clock), MemoryDataStore("q", clock=clock)
    invoker.task_store = SlowStore("state", space="slow")
    going_on = threading.Event()

    @queue_command(invoker)
    def wait():
        return going_on.wait(60)

    consumer = run_consumer(invoker)
    handle = wait()
    eventually(lambda: consumer.snapshot().running)
    pass_two_leases(consumer, clock)
    going_on.set()

    assert handle.get(blocking=True, timeout=30) is True
    assert (consumer.stop(timeout=30), consumer.stats.lost) == (True, 0)
    SlowStore.answers.set()


def test_a_record_of_a_later_version_can_be_read():
    record = ConsumerRecord(
        name="host:1:a", commands=("mail.send",), running_ids=("1",), hook_faults=(HookFaults("p", "h", 1),)
    )
    found = json.loads(record.encode())
    later = json.dumps({**found, "mood": "good", "hook_faults": [{**found["hook_faults"][0], "blame": 1}]}).encode()

    assert ConsumerRecord.decode(later) == record


def test_a_record_of_an_earlier_version_can_be_read():
    assert ConsumerRecord.decode(b'{"name": "host:1:a"}') == ConsumerRecord(name="host:1:a")


def test_a_consumer_starts_whose_queue_has_no_task_store(run_consumer, make_invoker):
    invoker = make_invoker()
    invoker.task_store = None

    assert run_consumer(invoker).stop() is True


def test_a_heartbeat_has_a_beat_of_its_own_apart_from_the_lease(make_invoker, run_consumer, eventually):
    beats = []

    class Counting:
        @hookimpl
        def huey_consumer_heartbeat(self, snapshot):
            beats.append(snapshot)

    run_consumer(make_invoker(plugins=[Counting()]), lease=3600.0, heartbeat=0.1)

    eventually(lambda: len(beats) > 2)


def test_a_record_says_how_often_it_is_renewed_and_for_how_long_it_is_good(invoker, run_consumer, alive, eventually):
    run_consumer(invoker, heartbeat=7.0)
    eventually(alive)

    assert [(each.heartbeat, each.lifetime) for each in alive()] == [(7.0, 21.0)]


def test_the_record_of_a_version_that_had_no_beat_is_good_for_a_lease():
    assert ConsumerRecord(name="host:1:a", lease=60.0).lifetime == 60.0


def test_a_record_says_what_keeps_the_consumer_from_running_commands(invoker, run_consumer, alive, eventually):
    consumer = run_consumer(invoker, heartbeat=0.1)
    eventually(alive)

    consumer.queues[0].lease_renewal.stop()
    consumer.queues[0].lease_renewal.join()
    consumer.queues[0].lease_renewal._stopping.clear()

    eventually(lambda: [each.problems for each in alive()] == [("the renewal of leases has ended",)])
    consumer.queues[0].lease_renewal.stop()
