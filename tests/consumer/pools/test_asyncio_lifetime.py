"""The event loop of a consumer: how it begins and ends, of which kind it is, and that no command ends it."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from huey_core import hookimpl, queue_command
from huey_core.backends.messages import State
from huey_core.consumer import Consumer
from huey_core.exceptions import ConfigurationError

PATIENCE = 30.0


class Session:
    """Stands for the session of a client: it belongs to the event loop in which it is made."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.is_closed = False

    async def ask(self):
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0)
        return not self.is_closed


class SharesSession:
    """Makes a session for all commands, and closes it behind the last."""

    @hookimpl
    async def huey_loop_start(self):
        await asyncio.sleep(0)
        self.session = Session()

    @hookimpl
    async def huey_loop_stop(self):
        await asyncio.sleep(0)
        self.session.is_closed = True


def test_what_a_command_leaves_behind_cannot_end_the_loop(invoker, in_a_loop, get):
    async def leave():
        raise SystemExit(3)

    @queue_command(invoker)
    async def fork():
        left.append(asyncio.create_task(leave()))

    @queue_command(invoker)
    async def add(a, b):
        await asyncio.sleep(0.01)
        return a + b

    left = []
    in_a_loop()
    get(fork())

    assert get(add(1, 2)) == 3


def test_a_command_cannot_stop_the_loop(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def stop():
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        return "went on"

    in_a_loop()

    assert get(stop()) == "went on"


def test_what_a_plugin_makes_for_the_loop_is_shared_by_commands_and_lives_until_the_last_has_ended(
    make_invoker, run_consumer, get
):
    plugin = SharesSession()
    invoker = make_invoker(plugins=[plugin])

    @queue_command(invoker)
    async def ask():
        return await plugin.session.ask()

    @queue_command(invoker)
    async def ask_late():
        began.set()
        while not stopping.is_set():
            await asyncio.sleep(0.001)
        return await plugin.session.ask()

    began, stopping = threading.Event(), threading.Event()
    consumer = run_consumer(invoker, worker_type="asyncio")
    assert get(ask())
    late = ask_late()
    assert began.wait(PATIENCE)
    threading.Timer(0.01, stopping.set).start()
    consumer.stop()

    assert get(late)
    assert plugin.session.is_closed


def test_a_consumer_does_not_start_when_a_plugin_raises_in_its_loop(make_invoker):
    class Refuses:
        @hookimpl
        async def huey_loop_start(self):
            raise LookupError("no such host")

        @hookimpl
        def huey_loop_stop(self):
            stopped.append(True)

    stopped = []
    consumer = Consumer(make_invoker(plugins=[Refuses()]), worker_type="asyncio")

    with pytest.raises(LookupError, match="no such host"):
        consumer.start()
    assert stopped == [True]


def test_a_stop_lets_running_coroutines_finish(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def work():
        began.set()
        while not released.is_set():
            await asyncio.sleep(0.001)
        return "finished"

    began, released = threading.Event(), threading.Event()
    consumer = in_a_loop()
    handle = work()
    assert began.wait(PATIENCE)
    threading.Timer(0.05, released.set).start()

    assert consumer.stop()
    assert get(handle) == "finished"


def test_what_does_not_finish_in_time_is_given_back(invoker, in_a_loop):
    @queue_command(invoker)
    async def hang():
        began.set()
        while not released.is_set():
            await asyncio.sleep(0.001)

    began, released = threading.Event(), threading.Event()
    consumer = in_a_loop()
    hang()
    assert began.wait(PATIENCE)

    finished = consumer.stop(timeout=0.1)
    released.set()

    assert not finished
    assert len(invoker.queue.peek(State.READY)) == 1


def test_a_coroutine_may_stop_its_consumer(invoker, in_a_loop, get, eventually):
    @queue_command(invoker)
    async def stop():
        return consumer.stop()

    consumer = in_a_loop()

    assert get(stop()) is False
    eventually(lambda: consumer.pool.wait(0.01))


def test_a_kind_of_event_loop_that_is_not_installed_is_refused_with_what_to_install(invoker, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'huey-core\[uvloop\]'"):
        Consumer(invoker, worker_type="asyncio", event_loop="uvloop")


def test_a_kind_of_event_loop_is_refused_for_a_pool_without_one(invoker):
    with pytest.raises(ConfigurationError, match="the worker pool 'thread' has none"):
        Consumer(invoker, event_loop="uvloop")


def test_an_event_loop_of_another_kind_runs_commands(invoker, in_a_loop, get):
    @queue_command(invoker)
    async def which():
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__module__

    in_a_loop(event_loop="uvloop")

    assert get(which()) == "uvloop"
