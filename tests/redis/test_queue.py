"""What is particular to a queue on Redis: its keys, its scripts, and how a consumer is woken."""

from __future__ import annotations

import threading
import time

import pytest

from huey_core.backends import EmptyData
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, Arrival, Bury, Release, Reported, ResultWrite, Retry, Wake
from huey_core.exceptions import ConfigurationError, MessageTooLarge, Unsupported
from huey_memory import MemoryDataStore
from huey_redis import RedisDataStore, RedisQueue
from huey_redis.connection import Connections

MINUTE = 60.0


def blocked_clients(admin):
    return int(admin("INFO", "clients").decode().split("blocked_clients:")[1].split()[0])


class TestFinding:
    @pytest.fixture
    def exchanges(self, monkeypatch):
        """How many commands went out in each round trip."""
        counted = []
        exchange = Connections.exchange

        def count(connections, *commands):
            counted.append(len(commands))
            return exchange(connections, *commands)

        monkeypatch.setattr(Connections, "exchange", count)
        return counted

    def test_a_message_and_its_result_are_found_in_one_round_trip(self, queue, store, exchanges):
        message_id = queue.write(b"x").message_id
        store.put(message_id, b"result")
        queue.find([message_id])
        exchanges.clear()

        message, value = queue.find_with_result(message_id, store, message_id)

        assert (message.state, value) == (State.READY, b"result")
        assert exchanges == [2]

    def test_a_server_that_was_restarted_is_given_the_script_anew(self, admin, queue, store):
        message_id = queue.write(b"x").message_id
        admin("SCRIPT", "FLUSH")

        assert queue.find_with_result(message_id, store, "key") == (queue.find([message_id])[0], EmptyData)

    def test_a_result_elsewhere_is_looked_at_there(self, queue):
        elsewhere = MemoryDataStore("elsewhere", space=queue.name)
        elsewhere.put("key", b"result")

        assert queue.find_with_result("no message", elsewhere, "key") == (None, b"result")


class TestKeys:
    def test_a_drained_queue_leaves_only_its_counter_behind(self, admin, queue, store):
        queue.write_many([Message(b"%d" % number, unique_key=str(number)) for number in range(5)])
        queue.write(b"later", eta=queue.now() + 0.05)
        while deliveries := queue.claim(10, MINUTE, wait=0.5).deliveries:
            queue.settle([Ack(delivery, ResultWrite(store, delivery.message_id, b"r")) for delivery in deliveries])
        store.flush()
        assert admin("KEYS", f"huey:{{{queue.name}}}:*") == [f"huey:{{{queue.name}}}:seq".encode()]

    def test_a_flush_leaves_no_key_behind(self, admin, queue):
        queue.write(b"ready", unique_key="k", unique_for=MINUTE)
        queue.write(b"later", eta=queue.now() + MINUTE)
        queue.flush()
        assert admin("KEYS", f"huey:{{{queue.name}}}:*") == []

    def test_an_expired_unique_key_is_forgotten_by_a_later_claim(self, admin, queue, eventually):
        queue.write(b"once", unique_key="k", unique_for=0.02)
        queue.read()
        eventually(
            lambda: queue.claim(1, MINUTE).deliveries == [] and not admin("EXISTS", f"huey:{{{queue.name}}}:unique")
        )
        assert not admin("EXISTS", f"huey:{{{queue.name}}}:until")


class TestScripts:
    @pytest.fixture
    def restricted(self, admin, server, queue, store):
        """A queue and a store whose user may touch nothing but their keys, and may do nothing dangerous."""
        patterns = [f"{sign}huey:{{{name}}}:*" for name in (queue.name, store.name) for sign in "~&"]
        admin("ACL", "SETUSER", "worker", "reset", "resetchannels", "on", ">secret", "+@all", "-@dangerous", *patterns)
        login = {"host": "127.0.0.1", "port": server.port, "username": "worker", "password": "secret"}
        restricted = RedisQueue(queue.name, max_deliveries=1, **login), RedisDataStore(store.name, **login)
        yield restricted
        for part in restricted:
            part.close()
        admin("ACL", "DELUSER", "worker")

    def test_every_script_keeps_to_the_keys_of_its_queue(self, restricted):
        queue, store = restricted
        written = queue.write_many(
            [
                Message(b"ready", unique_key="k", unique_for=0.01),
                Message(b"later", eta=queue.now() + MINUTE, unique_key="l"),
            ]
        )
        queue.write(b"plain")
        first, second = queue.claim(2, MINUTE).deliveries
        queue.extend([first], 0.001)
        queue.settle(
            [
                Retry(first, b"again", 0.001),
                Bury(second, "bad", result=ResultWrite(store, "x", b"r", 1.0)),
            ]
        )
        queue.requeue([second.message_id])
        (again,) = queue.claim(1, MINUTE, wait=1.0).deliveries
        queue.settle([Ack(again, ResultWrite(store, "x", b"r"), (Message(b"more"),))])
        assert queue.delete([written[1].message_id]) == [written[1].message_id]
        assert queue.counts().dead == 0

    def test_the_scripts_of_groups_waits_and_records_keep_to_the_keys_of_their_queue(self, restricted, eventually):
        queue, store = restricted
        store.put("lock", b"held")
        wake = Wake(store, "lock", b"held")
        queue.write_many([Message(b"%d" % number, str(number)) for number in range(4)])
        first, second, third, fourth = queue.claim(4, 0.001).deliveries
        arrivals = tuple(Arrival("g", member, 2, Message(b"then"), MINUTE) for member in "ab")
        queue.settle([Ack(first, arrivals=arrivals), Release(second, MINUTE, wake), Release(third, 0.001, wake)])
        assert eventually(
            lambda: third.message_id in {taken.message_id for taken in queue.claim(10, MINUTE).deliveries}
        )
        queue.report_done([Reported(fourth.message_id, (Message(b"follows", "f"),), arrivals)])
        assert queue.groups().items[0].complete
        assert queue.delete_groups(["g"]) == ["g"]
        assert queue.free(wake, b"new") == 1
        assert queue.reschedule(["1", "f"], queue.now() + MINUTE) == ["1", "f"]
        assert [message.message_id for message in queue.pages(State.DEAD).items] == [fourth.message_id]
        assert third.message_id in {message.message_id for message in queue.pages(State.RUNNING).items}
        records = queue.export().items
        queue.flush()
        assert all(written.created for written in queue.import_many(records))

    def test_a_wait_ends_in_time_for_a_user_who_may_not_unblock_clients(self, restricted, monkeypatch):
        queue, _ = restricted
        monkeypatch.setattr("huey_redis.waiting.ORPHAN_TIMEOUT", 120.0)
        eta = queue.now() + 0.5
        queue.write(b"later", eta=eta)
        (delivery,) = queue.claim(1, MINUTE, wait=60.0).deliveries
        assert delivery.data == b"later"
        assert eta <= queue.now() < eta + 60

    def test_a_flush_of_the_servers_scripts_goes_unnoticed(self, admin, queue, store):
        admin("SCRIPT", "FLUSH")
        queue.write(b"plain")
        admin("SCRIPT", "FLUSH")
        assert all(written.created for written in queue.write_many([Message(b"%d" % number) for number in range(250)]))
        admin("SCRIPT", "FLUSH")
        deliveries = queue.claim(1000, MINUTE).deliveries
        assert [delivery.data for delivery in deliveries] == [b"plain", *(b"%d" % number for number in range(250))]
        admin("SCRIPT", "FLUSH")
        assert queue.extend(deliveries, MINUTE) == [True] * 251
        admin("SCRIPT", "FLUSH")
        assert queue.settle([Ack(delivery) for delivery in deliveries]) == [True] * 251
        store.put("k", b"1")
        admin("SCRIPT", "FLUSH")
        assert store.replace_if_equal("k", b"1", b"2")

    def test_a_flood_of_due_messages_comes_back_in_portions(self, queue, eventually):
        soon = queue.now() + 0.3
        queue.write_many([Message(b"%d" % number, eta=soon) for number in range(1000)])
        eventually(lambda: queue.now() > soon + 0.001)
        (first,) = queue.claim(1, MINUTE).deliveries
        assert 0 < queue.counts().ready < 1000
        queue.settle([Ack(first)])
        rest = []
        while deliveries := queue.claim(1000, MINUTE).deliveries:
            rest += deliveries
        assert len({delivery.data for delivery in rest} | {first.data}) == 1000


class TestMessages:
    def test_a_detail_of_any_characters_is_kept(self, queue):
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        detail = "File '/srv/caf\N{LATIN SMALL LETTER E WITH ACUTE}.py', line 1 \N{PARTY POPPER}\0\n\"\\"
        queue.settle([Bury(delivery, "bad", detail)])
        assert queue.find([delivery.message_id])[0].detail == detail

    def test_nothing_of_a_batch_is_written_when_one_is_too_large(self, make_queue, queue):
        small = make_queue(queue.name, max_message_size=10)
        with pytest.raises(MessageTooLarge, match="11 bytes and huey-redis accepts at most 10 bytes"):
            small.write_many([Message(b"fits"), Message(b"x" * 11)])
        assert len(small) == 0

    def test_a_result_for_another_server_is_refused_before_anything_is_settled(self, queue, server):
        elsewhere = RedisDataStore("store", host="127.0.0.1", port=server.port, db=1)
        queue.write(b"x")
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert not queue.settles_into(elsewhere)
        with pytest.raises(Unsupported):
            queue.settle([Ack(delivery, ResultWrite(elsewhere, "k", b"r"))])
        assert queue.counts().running == 1

    def test_an_unknown_setting_is_named(self):
        with pytest.raises(ConfigurationError, match="'hostname'"):
            RedisQueue("q", hostname="localhost")


class TestWaiting:
    def test_every_waiting_consumer_is_woken_by_a_batch(self, admin, make_queue, queue, monkeypatch, eventually):
        # None of them looks by itself before its wait is over.
        monkeypatch.setattr("huey_redis.queue.LONGEST_WAIT", 3600.0)
        consumers = [make_queue(queue.name) for _ in range(3)]
        taken = []
        threads = [
            threading.Thread(target=lambda queue=queue: taken.extend(queue.claim(1, MINUTE, wait=60.0).deliveries))
            for queue in consumers
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: blocked_clients(admin) == 3)
        queue.write_many([Message(b"%d" % number) for number in range(3)])
        for thread in threads:
            thread.join()
        assert {delivery.data for delivery in taken} == {b"0", b"1", b"2"}

    def test_a_lease_that_became_shorter_is_noticed_during_the_wait(self, admin, make_queue, queue, eventually):
        queue.write(b"x")
        other = make_queue(queue.name)
        (delivery,) = other.claim(1, MINUTE).deliveries
        taken = []
        thread = threading.Thread(target=lambda: taken.extend(queue.claim(1, MINUTE, wait=50.0).deliveries))
        thread.start()
        eventually(lambda: blocked_clients(admin) == 1)
        other.extend([delivery], 0.05)
        started = time.monotonic()
        thread.join()
        assert [again.attempt for again in taken] == [2]
        assert time.monotonic() - started < 30

    def test_a_wait_leaves_no_command_behind_in_the_server(self, admin, queue):
        assert queue.claim(1, MINUTE, wait=0.01).deliveries == []
        assert blocked_clients(admin) == 0


class TestLargeMessages:
    def test_a_claim_is_bounded_in_bytes_and_leaves_the_rest_ready(self, queue):
        queue.write_many([Message(bytes([number]) * 2**20) for number in range(40)])

        first = queue.claim(40, 60).deliveries

        assert 1 <= len(first) <= 16
        assert queue.counts().ready == 40 - len(first)

    def test_the_order_is_kept_over_several_claims(self, queue):
        queue.write_many([Message(bytes([number]) * 2**20) for number in range(40)])

        order = []
        while claimed := queue.claim(40, 60).deliveries:
            order += [delivery.data[0] for delivery in claimed]

        assert order == list(range(40))

    def test_a_message_larger_than_the_bound_is_claimed_alone_or_with_few(self, queue):
        queue.write(b"x" * 16 * 2**20)

        [delivery] = queue.claim(250, 60).deliveries

        assert len(delivery.data) == 16 * 2**20
