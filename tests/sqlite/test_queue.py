"""What only this queue and this data store do, or do in their own way."""

from __future__ import annotations

import math
import sqlite3
import threading
import time

import pytest

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, Arrival, Bury, Release, ResultWrite, Retry, Wake
from huey_core.exceptions import ConfigurationError, MessageTooLarge, Unsupported
from huey_memory import MemoryDataStore
from huey_sqlite import SQLiteDataStore, SQLiteQueue, messages

MINUTE = 60.0


def rows(database, table):
    with database.read() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def plan(database, sql, parameters):
    with database.read() as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


class TestAtomicity:
    def test_a_result_for_another_file_is_refused_and_nothing_is_settled(self, make_queue, tmp_path):
        queue, elsewhere = make_queue(), SQLiteDataStore("r", path=tmp_path / "other.db")
        queue.write_many([Message(b"1"), Message(b"2")])
        first, second = queue.claim(2, MINUTE).deliveries

        for store in (elsewhere, MemoryDataStore("r")):
            assert not queue.settles_into(store)
            with pytest.raises(Unsupported, match="own file only"):
                queue.settle([Ack(first), Ack(second, ResultWrite(store, "k", b"v"))])

        assert queue.settle([Ack(first), Ack(second)]) == [True, True]

    def test_a_result_goes_into_any_store_of_the_file(self, make_queue, make_data_store):
        queue, store = make_queue(), make_data_store()
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries

        assert queue.settle([Bury(delivery, "bad", result=ResultWrite(store, "k", b"v"))]) == [True]
        assert store.get("k") == b"v"

    def test_an_error_in_the_middle_of_a_batch_settles_nothing_of_it(self, make_queue, make_data_store):
        queue, store = make_queue(), make_data_store()
        queue.write_many([Message(b"1"), Message(b"2")])
        first, second = queue.claim(2, MINUTE).deliveries

        with pytest.raises(TypeError):
            queue.settle([Ack(first), Ack(second, ResultWrite(store, "k", b"v", ttl="soon"))])

        assert queue.counts().running == 2
        assert queue.settle([Ack(first), Ack(second)]) == [True, True]


class TestSizes:
    def test_what_is_over_the_limit_is_refused_whole(self, make_queue):
        queue = make_queue(max_message_size=3)
        queue.write_many([Message(b"1"), Message(b"2")])
        first, second = queue.claim(2, MINUTE).deliveries

        for outcome in (Retry(second, b"four"), Ack(second, follow_ups=(Message(b"four"),))):
            with pytest.raises(MessageTooLarge, match="huey-sqlite accepts at most 3 bytes"):
                queue.settle([Ack(first), outcome])

        assert queue.counts().running == 2

    def test_a_limit_that_sqlite_could_not_keep_is_refused(self, path):
        with pytest.raises(ConfigurationError, match="900,000,000"):
            SQLiteQueue("q", path=path, max_message_size=2**30)


class TestIdleness:
    def test_who_finds_nothing_to_do_writes_nothing(self, make_queue, make_data_store, path):
        queue, store = make_queue(), make_data_store()
        queue.write(b"later", eta=queue.now() + MINUTE)
        log = path.with_name(f"{path.name}-wal")
        before = log.read_bytes()

        assert queue.claim(1, MINUTE).deliveries == []
        assert queue.claim(1, MINUTE, wait=0.05).deliveries == []
        assert queue.write_many([]) == []
        assert queue.settle([]) == queue.extend([], MINUTE) == []
        assert store.get("absent") is EmptyData
        assert not store.replace_if_equal("absent", b"old", b"new")

        assert log.read_bytes() == before

    def test_nobody_looks_at_the_file_when_nobody_waits(self, make_queue, eventually):
        queue = make_queue()
        queue.claim(1, MINUTE, wait=0.01)

        eventually(lambda: queue.database.changes._waiting().thread is None, "the thread that looks has ended")

    def test_nobody_looks_at_a_file_that_was_closed(self, make_data_store, eventually):
        store = make_data_store()
        store.watch("k", lambda: None)

        store.database.close()

        eventually(lambda: store.database.changes._waiting().thread is None, "the thread that looks has ended")
        with pytest.raises(sqlite3.ProgrammingError, match="closed by this program"):
            store.peek("k")


class TestPortions:
    def test_what_falls_due_by_the_thousand_comes_back_in_portions(self, make_queue, clock, monkeypatch):
        monkeypatch.setattr(messages, "PORTION", 3)
        queue = make_queue(clock=clock)
        queue.write_many([Message(b"", eta=clock() + 1) for _ in range(7)])
        clock.advance(2)

        assert len(queue.claim(1, MINUTE).deliveries) == 1
        assert (queue.counts().ready, queue.counts().scheduled) == (2, 4)
        assert [len(queue.claim(9, MINUTE).deliveries) for _ in range(3)] == [5, 1, 0]

    def test_a_claim_that_could_only_bury_comes_back_after_a_portion(self, make_queue, clock, monkeypatch):
        monkeypatch.setattr(messages, "PORTION", 2)
        queue = make_queue(max_deliveries=1, clock=clock)
        queue.write_many([Message(b"kills") for _ in range(5)])
        assert len(queue.claim(5, 1.0).deliveries) == 5
        clock.advance(2)
        queue.write(b"harmless", eta=clock() - 1)
        assert [delivery.data for delivery in queue.claim(1, MINUTE).deliveries] == [b"harmless"]

        dead = queue.counts().dead
        while dead < 5:
            assert queue.claim(1, MINUTE, wait=10 * MINUTE).deliveries == []
            assert dead < queue.counts().dead <= dead + 2
            dead = queue.counts().dead

    def test_expired_values_go_with_new_ones_and_do_not_pile_up(self, make_data_store, clock):
        store = make_data_store(clock=clock)
        for number in range(10):
            store.put(f"old {number}", b"", ttl=1.0)
        clock.advance(2)

        for number in range(5):
            store.put(f"new {number}", b"", ttl=1.0)

        assert rows(store.database, "value") == 5

    def test_expired_results_go_with_settled_ones(self, make_queue, make_data_store, clock):
        queue, store = make_queue(clock=clock), make_data_store(clock=clock)
        for number in range(2):
            store.put(f"old {number}", b"", ttl=1.0)
        clock.advance(2)
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries

        queue.settle([Ack(delivery, ResultWrite(store, "new", b"", ttl=1.0))])

        assert rows(store.database, "value") == 1

    def test_expired_keys_go_with_new_ones_and_do_not_pile_up(self, make_queue, clock):
        queue = make_queue(clock=clock)
        queue.write_many([Message(b"", unique_key=f"old {number}", unique_for=1.0) for number in range(10)])
        clock.advance(2)

        queue.write_many([Message(b"", unique_key=f"new {number}", unique_for=1.0) for number in range(5)])

        assert rows(queue.database, "unique_key") == 5


class TestClock:
    def test_a_clock_that_goes_back_loses_nothing_and_a_lease_lasts_longer(self, make_queue, clock):
        queue = make_queue(clock=clock)
        queue.write(b"x")
        queue.claim(1, 10.0)

        clock.advance(-MINUTE)
        assert queue.claim(1, 10.0).deliveries == []
        clock.advance(MINUTE + 11)

        assert queue.read() == b"x"

    def test_a_renewal_after_the_step_gives_the_lease_its_length(self, make_queue, clock):
        queue = make_queue(clock=clock)
        queue.write(b"x")
        deliveries = queue.claim(1, 10.0).deliveries
        clock.advance(-MINUTE)

        assert queue.extend(deliveries, 10.0) == [True]
        clock.advance(11)

        assert queue.read() == b"x"


class TestUniqueForATime:
    def test_a_dead_message_whose_time_is_over_is_requeued_without_its_key(self, make_queue, clock):
        queue = make_queue(clock=clock)
        queue.write(b"x", message_id="first", unique_key="k", unique_for=5.0)
        queue.settle([Bury(queue.claim(1, MINUTE).deliveries[0], "bad")])
        clock.advance(6)

        assert queue.requeue(["first"]) == ["first"]
        assert queue.write(b"y", unique_key="k").created

    def test_a_dead_message_whose_key_another_has_taken_since_stays_dead(self, make_queue, clock):
        queue = make_queue(clock=clock)
        queue.write(b"x", message_id="first", unique_key="k", unique_for=5.0)
        queue.settle([Bury(queue.claim(1, MINUTE).deliveries[0], "bad")])
        clock.advance(6)
        queue.write(b"y", message_id="second", unique_key="k")

        assert queue.requeue(["first"]) == []


def test_a_wake_ends_every_claim_that_waits_and_no_later_one(make_queue, eventually):
    queue = make_queue()
    waiters = [threading.Thread(target=queue.claim, args=(1, MINUTE, 5 * MINUTE)) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
    eventually(lambda: len(queue._waiters()) == 2, "both wait")

    queue.wake()
    for waiter in waiters:
        waiter.join(60)

    assert not any(waiter.is_alive() for waiter in waiters)
    started = time.monotonic()
    assert queue.claim(1, MINUTE, wait=0.05).deliveries == []
    assert time.monotonic() - started >= 0.05


def test_what_is_not_a_counter_is_not_counted(make_data_store):
    store = make_data_store()
    store.put("k", b"many")

    with pytest.raises(ValueError, match="many"):
        store.increment("k")

    assert store.peek("k") == b"many"


def test_no_call_walks_through_a_table(make_queue, make_data_store, traced):
    """Without this, every call would take longer the more messages there are."""
    queue, store = make_queue(), make_data_store()
    store.database = queue.database
    with traced(queue) as traced_sql:
        queue.write_many([Message(b"x", unique_key=f"k{number}", unique_for=1.0) for number in range(4)])
        first, second, third, fourth = queue.claim(4, MINUTE).deliveries
        queue.extend([first], MINUTE)
        store.put("lock", b"mine")
        wake = Wake(store, "lock", b"mine")
        arrivals = tuple(Arrival("g", member, 2, Message(b"then")) for member in "ab")
        queue.settle(
            [
                Ack(first, ResultWrite(store, "k", b"v", ttl=1.0), arrivals=arrivals),
                Retry(second, b"y", 1.0),
                Bury(third, "bad"),
                Release(fourth, MINUTE, wake),
            ]
        )
        queue.free(wake)
        for state in State:
            queue.peek(state)
            page = queue.pages(state, limit=1)
            queue.pages(state, page.cursor)
        queue.import_many(queue.export().items)
        queue.groups(queue.groups().cursor)
        queue.counts()
        queue.find([second.message_id])
        queue.requeue([second.message_id, third.message_id])
        queue.reschedule([second.message_id], queue.now() + MINUTE)
        queue.delete([second.message_id])
        queue.delete_groups(["g"])
        store.get("k")
        store.put_if_absent("k", b"v")
        store.replace_if_equal("k", b"v", b"w")
        store.increment("n")
        queue.flush()
        store.flush()

    statements = {sql for sql in traced_sql if sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))}
    walks = {step for sql in statements for step in plan(queue.database, sql, ()) if step.startswith("SCAN")}

    assert len(statements) > 40
    assert walks <= {"SCAN CONSTANT ROW"}


def test_a_time_that_is_no_number_is_not_waited_for(make_queue):
    queue = make_queue()
    queue.write(b"x", eta=math.nan)

    assert queue.read() == b"x"
