"""A signal to end is obeyed at whatever moment of a restart it comes, and by what a command forks too."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from huey_core.consumer import Consumer, signals
from huey_core.consumer.signals import _Received, end_soon, run_until_signalled
from huey_core.exceptions import ConfigurationError

PATIENCE = 30.0


@pytest.fixture
def signal_at(caplog):
    """Send this process a signal at the moment at which the consumer logs a text, be it of its queue."""
    caplog.set_level(logging.INFO, "huey_core.consumer")
    logger = logging.getLogger("huey_core.consumer")
    at: dict[str, int] = {}

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            number = at.pop(record.getMessage().rpartition(": ")[2], None)
            if number is not None:
                os.kill(os.getpid(), number)

    sender = Sender()
    logger.addHandler(sender)
    yield at.__setitem__
    logger.removeHandler(sender)


def test_a_hangup_starts_the_program_again(invoker, signal_at):
    signal_at("ready", signal.SIGHUP)
    restarts = []

    code = run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert (code, restarts) == (0, ["once"])


def test_a_consumer_runs_until_a_signal(invoker, signal_at):
    signal_at("ready", signal.SIGTERM)

    assert Consumer(invoker, periodic=False).run() == 0


def test_a_thread_that_gets_no_signals_is_told_how_to_run_a_consumer(invoker):
    with ThreadPoolExecutor(1) as thread, pytest.raises(ConfigurationError, match=r"use start\(\) and stop\(\)"):
        thread.submit(Consumer(invoker, periodic=False).run).result()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_just_before_the_restart_is_obeyed(invoker, signal_at, number):
    signal_at("ready", signal.SIGHUP)
    signal_at("starting again", number)
    restarts = []

    code = run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert (code, restarts) == (0, [])


def test_a_second_hangup_just_before_the_restart_changes_nothing(invoker, signal_at):
    signal_at("ready", signal.SIGHUP)
    signal_at("starting again", signal.SIGHUP)
    restarts = []

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert restarts == ["once"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_swallows_a_signal_to_end_while_the_program_is_replaced(invoker, signal_at, number):
    signal_at("ready", signal.SIGHUP)
    handlers = []

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: handlers.append(signal.getsignal(number)))

    assert handlers == [signal.SIG_DFL]


def test_the_handlers_of_the_program_are_its_own_again_afterwards(invoker, signal_at):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal_at("ready", signal.SIGHUP)

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: None)

    assert {number: signal.getsignal(number) for number in before} == before


def test_a_handler_that_was_not_installed_from_python_does_not_stand_in_the_way(invoker, signal_at, monkeypatch):
    install = signal.signal
    monkeypatch.setattr(signal, "signal", lambda number, handler: install(number, handler) and None)
    signal_at("ready", signal.SIGTERM)

    assert run_until_signalled(Consumer(invoker, periodic=False)) == 0


class Clumsy:
    """Gets a signal as soon as it starts, and raises when it is to stop."""

    def __init__(self, number):
        self.number = number
        self.gave_back = False

    def start(self):
        os.kill(os.getpid(), self.number)

    def stop(self, reason):
        raise OverflowError("a defect")

    def stop_now(self):
        self.gave_back = True

    def when_stopped(self, call):
        pass

    def is_healthy(self):
        return True


def test_a_consumer_that_cannot_stop_gives_everything_back_and_ends_with_an_error(caplog):
    clumsy = Clumsy(signal.SIGTERM)

    assert run_until_signalled(clumsy) == 1
    assert clumsy.gave_back
    assert "OverflowError: a defect" in caplog.text


def test_a_consumer_that_cannot_stop_starts_again_all_the_same():
    restarts = []

    run_until_signalled(Clumsy(signal.SIGHUP), restart=lambda: restarts.append("once"))

    assert restarts == ["once"]


class Signalled:
    """Gets one signal when it starts, another one while it stops, and has stopped when everything is given back."""

    def __init__(self, first, second):
        self.first, self.second = first, second
        self.given_back = threading.Event()

    def start(self):
        os.kill(os.getpid(), self.first)

    def stop(self, reason):
        os.kill(os.getpid(), self.second)
        self.given_back.wait(PATIENCE)

    def stop_now(self):
        self.given_back.set()

    def when_stopped(self, call):
        pass

    def is_healthy(self):
        return True


@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_another_signal_to_end_gives_everything_back_at_once(first, second):
    assert run_until_signalled(Signalled(first, second), clock=lambda: 0.0) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_same_signal_after_a_second_gives_everything_back_at_once(number):
    assert run_until_signalled(Signalled(number, number), clock=itertools.count().__next__) == 1


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([0.0, 0.0], []),
        ([0.0, 0.9], []),
        ([0.0, 0.6, 1.2], [signal.SIGTERM]),
        ([0.0, 1.0, 1.5, 2.0], [signal.SIGTERM] * 2),
    ],
)
def test_the_same_signal_within_a_second_is_one(times, told):
    received = _Received(iter(times).__next__)
    for _ in times:
        received.note(signal.SIGTERM, None)
    received.wait()

    assert list(received.news()) == told


@pytest.fixture
def stuck_logging(caplog):
    """Let the application's log handler block until the test has ended."""
    caplog.set_level(logging.INFO, "huey_core.consumer")
    logger, ended = logging.getLogger("huey_core.consumer"), threading.Event()

    class Stuck(logging.Handler):
        def emit(self, record):
            ended.wait(PATIENCE)

        def createLock(self):
            self.lock = None

    handler = Stuck()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    ended.set()


@pytest.mark.usefixtures("stuck_logging")
def test_a_second_signal_is_obeyed_though_logging_is_stuck():
    consumer = Signalled(signal.SIGTERM, signal.SIGINT)

    assert run_until_signalled(consumer) == 1
    assert consumer.given_back.is_set()


@pytest.mark.usefixtures("stuck_logging")
def test_a_signal_to_end_during_a_restart_is_obeyed_though_logging_is_stuck(monkeypatch):
    monkeypatch.setattr(Signalled, "stop", lambda self, reason: os.kill(os.getpid(), self.second))
    restarts = []

    code = run_until_signalled(Signalled(signal.SIGHUP, signal.SIGTERM), restart=lambda: restarts.append("once"))

    assert (code, restarts) == (0, [])


@pytest.mark.usefixtures("stuck_logging")
def test_the_process_ends_though_logging_is_stuck(monkeypatch, eventually):
    codes = []
    monkeypatch.setattr(signals, "THREADS_HAVE", 0.0)
    monkeypatch.setattr(os, "_exit", codes.append)

    end_soon(0)

    eventually(lambda: codes == [0])


HEAD = """
import json, multiprocessing, os, signal, time
from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import BaseConfiguration

# Who runs the tests in the background has them ignore some signals.
for number, handler in [(signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)]:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)

invoker = Invoker("memory://", registry=CommandRegistry())
forking = multiprocessing.get_context("fork")

class Configuration(BaseConfiguration):
    INVOKER = invoker
    PERIODIC = False
    SHUTDOWN_TIMEOUT = 1
    WORKER_TYPE = os.environ["WORKER_TYPE"]

def report(value):
    with open("unfinished", "w") as file:
        json.dump(value, file)
    os.rename("unfinished", "report")

"""


@pytest.fixture
def start(tmp_path):
    """Start a consumer in a process of its own, with an application that is written behind ``HEAD``."""
    processes = []

    def run(text: str, worker_type: str = "thread") -> subprocess.Popen[bytes]:
        (tmp_path / "main.py").write_text(HEAD + text)
        command = [sys.executable, "-m", "huey_core", "consumer", "main.Configuration"]
        with (tmp_path / "log").open("wb") as log:
            # A session of its own, so that nothing that it forks outlives the test.
            process = subprocess.Popen(
                command,
                cwd=tmp_path,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "WORKER_TYPE": worker_type},
            )
        processes.append(process)
        return process

    yield run
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            process.wait()


@pytest.fixture
def await_report(tmp_path, eventually):
    """Wait for what a command or an exit handler has to report, and return it."""

    def wait():
        eventually((tmp_path / "report").exists, "the report")
        return json.loads((tmp_path / "report").read_text())

    return wait


both_pools = pytest.mark.parametrize("worker_type", ["thread", "process"])


def test_a_command_may_use_pools_of_forked_processes(start, await_report):
    start(
        """
def square(number):
    return number * number

@queue_command(invoker)
def run():
    squares = []
    for _ in range(10):
        # Its end terminates the processes.
        with forking.Pool(2) as pool:
            squares += pool.map(square, range(2))
    report(squares)

run()
"""
    )

    assert await_report() == [0, 1] * 10


@both_pools
def test_a_command_can_end_what_it_has_just_forked(start, await_report, worker_type):
    start(
        """
@queue_command(invoker)
def run():
    children = [forking.Process(target=time.sleep, args=(600,)) for _ in range(20)]
    for child in children:
        child.start()
        child.terminate()
    for child in children:
        child.join(20)
    report([child.exitcode for child in children])

run()
""",
        worker_type,
    )

    assert await_report() == [-signal.SIGTERM] * 20


@both_pools
def test_what_a_command_forks_has_the_handlers_of_the_program_and_holds_no_signal_back(
    start, await_report, worker_type
):
    start(
        """
signals = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
before = [signal.SIG_DFL, signal.default_int_handler, signal.SIG_DFL]

def look():
    now = [signal.getsignal(number) for number in signals]
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    report([now == before, sorted(held_back)])

@queue_command(invoker)
def run():
    forking.Process(target=look).start()

run()
""",
        worker_type,
    )

    assert await_report() == [True, []]


def test_a_consumer_whose_command_has_forked_still_stops_in_order(start, await_report):
    process = start(
        """
@queue_command(invoker)
def run():
    child = forking.Process(target=int)
    child.start()
    child.join()
    report(child.exitcode)

run()
"""
    )
    await_report()

    process.terminate()

    assert process.wait(60) == 0


def test_exit_handlers_have_the_time_that_they_need(start, tmp_path, eventually):
    process = start(
        """
import atexit
from huey_core.consumer import signals

signals.THREADS_HAVE = 0.1

@atexit.register
def flush():
    # Longer than threads are waited for.
    time.sleep(1)
    report("flushed")
"""
    )
    eventually(lambda: "ready" in (tmp_path / "log").read_text(), "the consumer is ready")

    process.terminate()

    assert process.wait(60) == 0
    assert json.loads((tmp_path / "report").read_text()) == "flushed"
