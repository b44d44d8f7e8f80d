"""Where a call is, and that it was deleted, as another process is told on every server."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.backends import State
from huey_core.exceptions import CommandDeleted
from huey_core.inspection import delete
from huey_core.inspection.actions import RECORDED
from huey_core.invoker import CallStatus
from huey_mongo.testing import MongoServer
from huey_redis.testing import RedisServer

LONG = 60.0
"""Seconds that a busy machine may take."""


@pytest.fixture(scope="module", params=["memory", "redis", "mongo", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of each kind."""
    match request.param:
        case "memory":
            yield "memory://states/"
        case "sqlite":
            yield f"sqlite:///{tmp_path_factory.mktemp('states')}/queue.sqlite3"
        case "redis":
            with RedisServer() as server:
                yield server.url()
        case _:
            with MongoServer() as server:
                yield server.url()


@pytest.fixture
def open_invoker(place: str) -> Iterator[Callable[[], Invoker[Any]]]:
    """Open the queue of this test with connections of its own, as another process would."""
    name, opened = uuid.uuid4().hex, []

    def open_invoker() -> Invoker[Any]:
        opened.append(Invoker.from_url(f"{place}?queue={name}&lease=60", registry=CommandRegistry()))
        return opened[-1]

    yield open_invoker
    for invoker in opened:
        invoker.close()


@pytest.fixture
def invoker(open_invoker) -> Invoker[Any]:
    return open_invoker()


@pytest.fixture
def elsewhere(open_invoker) -> Invoker[Any]:
    """The same queue, as another process has it."""
    return open_invoker()


def declare(invoker: Invoker[Any], **options: Any) -> Any:
    @queue_command(invoker, name="divide", **options)
    def divide(dividend, divisor):
        return dividend / divisor

    return divide


def test_another_process_follows_a_call_to_its_end(invoker, elsewhere, run_consumer):
    begun, may_end = threading.Event(), threading.Event()

    @queue_command(invoker, name="wait")
    def wait():
        begun.set()
        assert may_end.wait(LONG)
        return 5

    handle = wait()
    other = elsewhere.result(handle.task_id)
    seen = [other.status()]
    run_consumer(invoker)
    assert begun.wait(LONG)
    seen.append(other.status())
    may_end.set()
    handle.get(blocking=True, timeout=LONG)
    info = other.info()

    assert seen == [CallStatus.READY, CallStatus.RUNNING]
    assert (info.status, info.deliveries, info.error) == (CallStatus.SUCCEEDED, 1, None)
    assert info.enqueued_at - 0.01 <= info.began_at <= info.ended_at


def test_another_process_learns_why_a_call_has_failed(invoker, elsewhere, run_consumer, eventually):
    handle = declare(invoker)(1, 0)
    run_consumer(invoker)
    other = elsewhere.result(handle.task_id)
    eventually(lambda: other.status() is CallStatus.DEAD)

    assert other.info().error.message == "division by zero"
    invoker.queue.delete([handle.task_id])
    assert other.status() is CallStatus.FAILED


def test_a_call_that_ends_meanwhile_is_never_unknown(invoker, elsewhere, run_consumer):
    divide = declare(invoker)
    run_consumer(invoker)
    for _ in range(20):
        other = elsewhere.result(divide(6, 3).task_id)
        seen = [other.status()]
        while not seen[-1].has_ended:
            assert seen[-1] is not CallStatus.UNKNOWN
            seen.append(other.status())


def test_whoever_waits_in_another_process_is_told_that_a_call_was_deleted(invoker, elsewhere, eventually):
    handle = declare(invoker)(6, 3)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(elsewhere.result(handle.task_id).get, blocking=True, timeout=LONG)
        [part] = delete(invoker, [handle.task_id], State.READY)

        assert [message.message_id for message in part.done] == [handle.task_id]
        assert isinstance(waiting.exception(LONG), CommandDeleted)
    assert elsewhere.result(handle.task_id).status() is CallStatus.DELETED


def test_whoever_waits_in_another_process_is_told_of_a_purge(invoker, elsewhere, eventually):
    task_id = declare(invoker)(6, 3).task_id
    other = elsewhere.result(task_id)
    assert other.status() is CallStatus.READY

    async def wait() -> None:
        async with asyncio.timeout(LONG):
            await other

    with ThreadPoolExecutor(2) as threads:
        in_thread = threads.submit(other.get, blocking=True, timeout=LONG)
        in_loop = threads.submit(asyncio.run, wait())
        invoker.flush()

        assert isinstance(in_thread.exception(LONG), CommandDeleted)
        assert isinstance(in_loop.exception(LONG), CommandDeleted)


def test_a_purge_is_one_write(invoker, monkeypatch):
    divide = declare(invoker)
    handles = invoker.enqueue_many(divide.command(6, 3) for _ in range(RECORDED + 1))
    written = []
    put = type(invoker.results).put

    def note(store: Any, key: str, *arguments: Any) -> None:
        written.append(key)
        put(store, key, *arguments)

    monkeypatch.setattr(type(invoker.results), "put", note)
    for _ in delete(invoker, [handle.task_id for handle in handles], State.READY):
        pass

    assert len(written) == 1
    assert {handle.status() for handle in handles[:10]} == {CallStatus.DELETED}
