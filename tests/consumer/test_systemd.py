"""A consumer tells systemd that it is ready, that it is healthy, and that it stops, over a datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import threading
import uuid

import pytest

from huey_core.consumer import Consumer, run_until_signalled
from huey_core.consumer.systemd import Notifier

PATIENCE = 30.0


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path, monkeypatch):
    """What systemd listens on, and names in the environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(PATIENCE)
        if request.param == "path":
            name = str(tmp_path / "notify")
            listener.bind(name)
        else:
            name = f"@huey-{uuid.uuid4()}"
            listener.bind(f"\0{name[1:]}")
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listener


@pytest.fixture
def told(listener):
    """The messages that have come until now, and then nothing."""

    def told():
        listener.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(listener.recv(1000).decode())
        except BlockingIOError:
            return messages

    return told


@pytest.fixture
def run_until_told(invoker, listener):
    """Run a consumer, and send this process a signal when systemd was told a message so many times."""

    def run_until_told(message, number, times=1, restart=None, consumer=None):
        def listen():
            left = times
            while left:
                left -= listener.recv(1000).decode() == message
            os.kill(os.getpid(), number)

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        code = run_until_signalled(consumer or Consumer(invoker, periodic=False), restart)
        listening.join(PATIENCE)
        return code

    return run_until_told


def test_it_is_told_when_the_consumer_is_ready_and_when_it_stops(run_until_told, told):
    assert run_until_told("READY=1", signal.SIGTERM) == 0
    assert told() == ["STOPPING=1"]


def test_a_restart_is_a_reload_and_no_stop(run_until_told, told):
    run_until_told("READY=1", signal.SIGHUP, restart=lambda: None)

    [message] = told()
    first, second = message.split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdecimal()


def test_a_burst_that_is_over_has_stopped(invoker, told):
    Consumer(invoker, burst=True).run()

    assert told() == ["READY=1", "STOPPING=1"]


def test_the_watchdog_is_told_again_and_again_that_the_consumer_is_healthy(run_until_told, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

    assert run_until_told("WATCHDOG=1", signal.SIGTERM, times=3) == 0


def test_the_watchdog_is_told_nothing_while_the_consumer_is_not_healthy(invoker, run_until_told, told, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    looks = threading.Semaphore(0)

    class Stuck(Consumer):
        def is_healthy(self):
            looks.release()
            return False

    def end():
        for _ in range(5):
            looks.acquire(timeout=PATIENCE)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    run_until_signalled(Stuck(invoker, periodic=False))

    # The last one is given when all is over, for what comes next.
    assert told() == ["READY=1", "STOPPING=1", "WATCHDOG=1"]


def test_the_watchdog_of_another_process_is_not_fed(invoker, told, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))

    Consumer(invoker, burst=True).run()

    assert told() == ["READY=1", "STOPPING=1"]


def test_a_consumer_runs_though_nobody_listens(invoker, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nowhere"))

    assert Consumer(invoker, burst=True).run() == 0
    assert caplog.text.count("systemd cannot be told READY=1: FileNotFoundError") == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "neither a path nor an abstract name"),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"}, "WATCHDOG_USEC is 'soon', which is no number"),
    ],
)
def test_what_cannot_be_obeyed_is_logged(environment, said, caplog):
    Notifier(environment)

    assert said in caplog.text


def test_without_systemd_nothing_is_told(invoker, caplog, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "2000")

    assert Consumer(invoker, burst=True).run() == 0
    assert "systemd" not in caplog.text
