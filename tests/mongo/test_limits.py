"""How long a call takes when the server does not answer, and what is said of a connection that breaks."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from bson import Int64
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from huey_core import CommandRegistry, Invoker
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack
from huey_core.exceptions import DataStoreTimeout
from huey_core.invoker.results import AsyncData
from huey_mongo.limits import raise_if_broken
from huey_mongo.testing import MongoServer

LIMIT = 3.0
"""Seconds: so many that a machine which stalls for as long again does not turn one limit into two."""


class BlackHole:
    """Runs calls while the server does not answer, and measures them."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.server.suspend()
        return self

    def __exit__(self, *_):
        self.server.resume()

    def seconds_of(self, call):
        started = time.monotonic()
        with pytest.raises(PyMongoError):
            call()
        return time.monotonic() - started


@pytest.fixture(scope="module")
def lone_server():
    with MongoServer() as server:
        yield server


def test_no_call_takes_longer_than_the_limit_of_the_url(lone_server, new_backend):
    url = lone_server.url(timeoutMS=str(int(LIMIT * 1000)))
    used, fresh = new_backend(url), new_backend(url)
    queue, store = used.queue("limits"), used.data_store("limits")
    queue.write(b"x")
    (delivery,) = queue.claim(1, 60.0).deliveries

    calls = {
        "a first write": lambda: fresh.queue("limits").write(b"x"),
        "a write": lambda: queue.write_many([Message(b"x"), Message(b"y", unique_key="k")]),
        "a settlement": lambda: queue.settle([Ack(delivery)]),
        "a claim": lambda: queue.claim(1, 60.0).deliveries,
        "a look": lambda: store.peek("k"),
    }

    with BlackHole(lone_server) as hole, ThreadPoolExecutor() as threads:
        taken = dict(zip(calls, threads.map(hole.seconds_of, calls.values()), strict=True))
        started = time.monotonic()
        used.close()
        taken["the close"] = time.monotonic() - started

    assert {what: seconds for what, seconds in taken.items() if seconds > 1.8 * LIMIT} == {}


def test_a_caller_who_waits_a_second_for_a_result_waits_no_longer_for_the_server(lone_server):
    url = lone_server.url()
    with closing(Invoker.from_url(url, registry=CommandRegistry())) as invoker:
        invoker.results.put("before", b"x")
        with BlackHole(lone_server):
            started = time.monotonic()
            with pytest.raises(DataStoreTimeout):
                AsyncData(invoker, "nobody").get(blocking=True, timeout=1.0)
            assert time.monotonic() - started < 10.0


def test_the_end_of_a_watch_does_not_wait_for_the_server(lone_server, new_backend, eventually):
    store = new_backend(lone_server.url()).data_store("limits")
    # Those of other tests may be about to end.
    before = threading.enumerate()
    end = store.watch("k", lambda: None)
    (looking,) = [one for one in threading.enumerate() if one.name == "huey-mongo-hints" and one not in before]

    def waits_for_the_server():
        frame = sys._current_frames().get(looking.ident)
        while frame is not None and frame.f_code.co_name != "receive_message":
            frame = frame.f_back
        return frame is not None

    with BlackHole(lone_server):
        eventually(waits_for_the_server)
        started = time.monotonic()
        end()
        assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("option", "limit"),
    [("", 20.0), ("?timeoutMS=4000", 4.0), ("?timeoutMS=0", None), ("?socketTimeoutMS=700", None)],
)
def test_a_whole_call_has_a_limit_unless_its_steps_have(option, limit, new_backend):
    assert new_backend(f"mongodb://localhost{option}").settings.time_limit == limit


def test_a_repetition_that_a_standalone_server_refuses_is_told_as_a_broken_connection(server):
    # The driver repeats a write so when it failed while it connected.
    repeated = {"insert": "limits", "documents": [{}], "txnNumber": Int64(1)}
    with server.connect() as client, client.start_session() as session, pytest.raises(OperationFailure) as refused:
        client["limits"].command(repeated, session=session)

    with pytest.raises(AutoReconnect, match="the connection to the server broke"):
        raise_if_broken(refused.value)


def test_another_refusal_stays_what_it_is(server):
    with server.connect() as client, pytest.raises(OperationFailure) as refused:
        client["limits"].command("nonsense")

    raise_if_broken(refused.value)
