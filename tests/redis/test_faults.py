"""What producers and consumers see when the server restarts, dies, hangs, fills up or loses a reply."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.backends.deadline import time_limit
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, Bury, Release, Reported, ResultWrite, Retry, Wake
from huey_redis import RedisDataStore, RedisQueue
from huey_redis.connection import Connections, Link
from huey_redis.settings import Settings
from killed_reporter import check_that_another_consumer_reports

MINUTE = 60.0


def at(port, **settings):
    return {"host": "127.0.0.1", "port": port, **settings}


def test_a_connection_that_the_server_closed_is_noticed_before_it_is_used(new_server):
    server = new_server()
    queue, store = RedisQueue("q", **at(server.port)), RedisDataStore("r", **at(server.port))
    admin = Connections(Settings(**at(server.port)))
    queue.write(b"x")
    store.put("k", b"value")
    admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert queue.read() == b"x"
    assert store.get("k") == b"value"


@pytest.mark.parametrize("connected", [True, False])
def test_a_call_ends_with_the_time_limit_of_its_caller_and_the_connections_stay_patient(new_server, connected):
    server = new_server()
    store = RedisDataStore("r", **at(server.port, socket_timeout=30.0, connect_timeout=30.0))
    if connected:
        store.put("k", b"value")
    server.suspend()
    started = time.monotonic()
    with time_limit(1.0), pytest.raises(RedisTimeout):
        store.peek("k")
    assert time.monotonic() - started < 15.0
    server.resume()
    with time_limit(60.0):
        store.put("k", b"value")
    (link,) = store._connections._idle()
    assert link._socket.gettimeout() == 30.0


def test_an_event_loop_goes_on_while_the_server_hangs(new_server):
    server = new_server()
    invoker = Invoker.from_url(server.url(), registry=CommandRegistry())

    @queue_command(invoker, name="add")
    def add(a): ...

    async def call():
        await add.acall(0)
        server.suspend()
        calls = [asyncio.create_task(add.acall(number)) for number in range(1, 101)]
        for _ in range(200):
            await asyncio.sleep(0.001)
        hung = not any(each.done() for each in calls)
        server.resume()
        return hung, await asyncio.gather(*calls)

    hung, handles = asyncio.run(call())

    assert hung
    assert [message.message_id for message in invoker.queue.peek("ready", 1)] == [each.task_id for each in handles]
    invoker.close()


def test_a_write_whose_reply_is_lost_is_written_once(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("lost replies", **at(tunnel.port))
    queue.flush()
    tunnel.lose_replies = 1
    assert queue.write(b"one").created
    tunnel.lose_replies = 1
    assert [written.created for written in queue.write_many([Message(b"two"), Message(b"three")])] == [True, True]
    assert len(queue) == 3


def test_a_large_batch_over_a_slow_line_may_take_longer_than_the_timeout(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    tunnel.bytes_per_second = 5 * 2**20
    queue = RedisQueue("slow line", **at(tunnel.port, socket_timeout=3.0))
    queue.flush()

    started = time.monotonic()
    queue.write_many([Message(bytes(1024)) for _ in range(16_000)])

    assert time.monotonic() - started > 3.0
    assert len(queue) == 16_000
    queue.flush()


def test_only_the_part_of_a_batch_whose_connection_broke_is_repeated(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("broken batch", **at(tunnel.port))
    queue.flush()
    # Written so that the server has the script of a batch: one that it lacks is sent twice.
    queue.write_many([Message(b"there already", "first")] * 2)
    messages = [Message(b"the same", "first"), *(Message(bytes(1024)) for _ in range(4000))]
    tunnel.lose_reply_after = 2 * 2**20

    written = queue.write_many(messages)

    assert tunnel.lose_reply_after is None
    # A repeated write cannot tell its own message from one that was there, and counts it as created.
    assert [message.created for message in written] == [False] + [True] * 4000
    assert len(queue) == 4001
    queue.flush()


def test_a_write_that_is_repeated_after_its_message_was_finished_is_delivered_again(server):
    queue = RedisQueue("finished in between", **at(server.port))
    queue.flush()
    for _ in range(2):
        assert queue.write(b"x", message_id="the same").created
        (delivery,) = queue.claim(1, MINUTE).deliveries
        queue.settle([Ack(delivery)])


def test_a_refused_client_id_is_asked_for_once(new_server):
    server = new_server()
    admin = Connections(Settings(**at(server.port)))
    admin.call("ACL", "SETUSER", "worker", "on", ">secret", "+@all", "-client")
    link = Link(Settings(**at(server.port, username="worker", password="secret")))
    assert link.client_id() is None
    admin.call("ACL", "SETUSER", "worker", "+client")
    assert link.client_id() is None
    link.close()
    admin.close()


@pytest.fixture
def silenced(new_server):
    """A queue, a store, and the same store for another user, where the first user may not publish."""
    server = new_server()
    admin = Connections(Settings(**at(server.port)))
    rules = ("reset", "resetchannels", "on", ">secret", "+@all", "-@dangerous", "~huey:*")
    admin.call("ACL", "SETUSER", "worker", *rules)
    admin.close()
    login = at(server.port, username="worker", password="secret")
    parts = RedisQueue("q", **login), RedisDataStore("s", **login), RedisDataStore("s", **at(server.port))
    yield parts
    for part in parts:
        part.close()


def test_a_batch_is_settled_whole_although_nobody_may_be_told(silenced):
    queue, store, _ = silenced
    queue.write_many([Message(b"%d" % number, str(number)) for number in range(4)])
    first, second, third, fourth = queue.claim(4, MINUTE).deliveries

    settled = queue.settle(
        [
            Ack(first, ResultWrite(store, "first", b"result", MINUTE), (Message(b"next", "next"),)),
            Retry(second, b"again"),
            Release(third),
            Bury(fourth, "bad", result=ResultWrite(store, "fourth", b"error")),
        ]
    )

    assert settled == [True] * 4
    assert [store.peek("first"), store.peek("fourth")] == [b"result", b"error"]
    assert [message.data for message in queue.peek(State.READY)] == [b"again", b"2", b"next"]
    assert queue.counts().dead == 1


def test_a_value_is_stored_although_nobody_may_be_told(silenced):
    _, store, other = silenced
    store.put("put", b"1")
    assert store.put_if_absent("absent", b"2")
    assert store.replace_if_equal("put", b"1", b"3")
    assert store.increment("counter", ttl=MINUTE) == 1
    assert other.peek_many(["put", "absent", "counter"]) == [b"3", b"2", b"1"]


def test_a_connection_that_breaks_twice_is_an_error(server, make_tunnel):
    tunnel = make_tunnel(server.port)
    queue = RedisQueue("lost replies", **at(tunnel.port))
    queue.flush()
    tunnel.lose_replies = 100
    with pytest.raises(BrokenConnection):
        queue.write(b"one")


def test_a_full_server_refuses_writes_and_lets_consumers_go_on(new_server):
    server = new_server()
    queue, store = RedisQueue("q", **at(server.port)), RedisDataStore("r", **at(server.port))
    queue.write_many(
        [Message(b"first"), Message(b"second"), Message(b"third"), Message(b"later", eta=queue.now() + 0.05)]
    )
    admin = Connections(Settings(**at(server.port)))
    admin.call("CONFIG", "SET", "maxmemory", "100kb")
    for write in (
        lambda: queue.write(b"too much"),
        lambda: queue.write_many([Message(b"too much", unique_key="k", unique_for=MINUTE)]),
    ):
        with pytest.raises(ResponseError):
            write()
    first, second, third = queue.claim(3, MINUTE).deliveries
    assert queue.extend([first, second, third], MINUTE) == [True] * 3
    assert (
        queue.settle([Ack(first, ResultWrite(store, "k", b"result")), Retry(second, b"again"), Bury(third, "bad")])
        == [True] * 3
    )
    assert store.get("k") == b"result"
    assert queue.read() == b"again"
    assert [delivery.data for delivery in queue.claim(1, MINUTE, wait=10.0).deliveries] == [b"later"]
    assert admin.call("EXISTS", "huey:{q}:unique") == 0


def test_a_full_server_lets_claims_name_dead_letters(new_server, eventually):
    server = new_server()
    queue = RedisQueue("q", max_deliveries=1, **at(server.port))
    queue.write(b"killer", message_id="killer")
    queue.claim(1, 0.001)
    eventually(lambda: queue.claim(1, 0.001).buried)

    Connections(Settings(**at(server.port))).call("CONFIG", "SET", "maxmemory", "100kb")

    assert eventually(lambda: queue.claim(1, MINUTE).buried) == ["killer"]


@pytest.fixture
def forgetful(new_server):
    """A queue whose server has thrown away what was kept about its messages, beside the messages themselves."""
    server = new_server()
    queue = RedisQueue("q", **at(server.port))
    admin = Connections(Settings(**at(server.port)))

    def forget():
        admin.call("DEL", "huey:{q}:run")

    yield queue, forget
    admin.close()
    queue.close()


def test_messages_that_fall_due_survive_the_loss_of_their_ranks(forgetful):
    queue, forget = forgetful
    queue.write_many([Message(b"later", str(number), eta=queue.now() + 0.05) for number in range(3)])
    forget()

    taken = queue.claim(3, MINUTE, wait=30.0).deliveries

    assert {(delivery.message_id, delivery.attempt) for delivery in taken} == {("0", 1), ("1", 1), ("2", 1)}


def test_an_ended_lease_brings_back_a_message_whose_receipt_is_lost(forgetful):
    queue, forget = forgetful
    queue.write(b"x")
    (lost,) = queue.claim(1, 0.001).deliveries
    forget()

    (again,) = queue.claim(1, MINUTE, wait=30.0).deliveries

    assert (again.data, again.attempt) == (b"x", 1)
    assert queue.settle([Ack(lost)]) == [False]


def test_messages_whose_ranks_are_lost_are_shown_and_requeued(forgetful):
    queue, forget = forgetful
    queue.write_many([Message(b"%d" % number, str(number)) for number in range(3)])
    queue.settle([Bury(delivery, "bad") for delivery in queue.claim(3, MINUTE).deliveries])
    forget()

    shown = queue.peek(State.DEAD)

    assert {(message.message_id, message.priority, message.attempt) for message in shown} == {
        ("0", 0, 0),
        ("1", 0, 0),
        ("2", 0, 0),
    }
    assert queue.requeue(["0", "1", "2"]) == ["0", "1", "2"]
    assert len(queue) == 3


def test_a_dead_letter_that_a_killed_consumer_did_not_report_is_reported_by_another(server):
    check_that_another_consumer_reports(server.url(queue="killed-reporter", max_deliveries="1"))


def test_a_full_server_lets_what_follows_a_dead_letter_be_written(new_server, eventually):
    server = new_server()
    queue = RedisQueue("q", max_deliveries=1, **at(server.port))
    queue.write(b"killer", message_id="killer")
    queue.claim(1, 0.001)
    eventually(lambda: queue.claim(1, 0.001).buried)
    Connections(Settings(**at(server.port))).call("CONFIG", "SET", "maxmemory", "100kb")

    queue.report_done([Reported("killer", (Message(b"follows"),))])

    assert [message.data for message in queue.peek(State.READY)] == [b"follows"]


def test_a_full_server_lets_keys_be_freed_and_messages_be_woken(new_server):
    server = new_server()
    queue, store = RedisQueue("q", **at(server.port)), RedisDataStore("r", **at(server.port))
    store.put("lock", b"one")
    queue.write(b"x")
    Connections(Settings(**at(server.port))).call("CONFIG", "SET", "maxmemory", "100kb")
    wake = Wake(store, "lock", b"one")

    assert queue.settle([Release(queue.claim(1, MINUTE).deliveries[0], MINUTE, wake)]) == [True]
    assert queue.free(wake, b"two") == 1

    assert store.peek("lock") == b"two"
    assert queue.read() == b"x"


def test_what_is_left_of_a_lost_wait_is_woken_by_its_delay_only(forgetful):
    queue, forget = forgetful
    store = RedisDataStore("r", **queue.connection)
    store.put("lock", b"held")
    wake = Wake(store, "lock", b"held")
    queue.write(b"x")
    queue.settle([Release(queue.claim(1, MINUTE).deliveries[0], 0.2, wake)])
    forget()

    assert queue.free(wake, b"held") == 0

    (taken,) = queue.claim(1, MINUTE, wait=30.0).deliveries
    assert taken.data == b"x"
