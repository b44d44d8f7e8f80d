"""How the processes of the worker pool begin and end: with their consumer, or before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import process_app
from huey_core import queue_command
from huey_core.consumer import Consumer
from huey_core.consumer.policy import POLICY
from huey_core.exceptions import ConfigurationError

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def emptied_queues():
    yield
    process_app.forget_all()


def test_a_process_is_replaced_after_max_commands():
    with process_app.make_consumer(workers=1, max_commands=2).running():
        pids = [process_app.pid().get(blocking=True, timeout=PATIENCE) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


@pytest.fixture
def held(monkeypatch, tmp_path):
    """While this file exists, processes begin to load the application and wait."""
    monkeypatch.setenv("PROCESS_APP_HELD", str(tmp_path / "held"))
    return tmp_path / "held"


def test_processes_that_are_to_be_replaced_together_are_not_replaced_one_after_another(
    monkeypatch, tmp_path, held, eventually
):
    log = str(tmp_path / "log")
    monkeypatch.setenv("PROCESS_APP_LOG", log)
    application = "process_app.make_invoker"
    with process_app.make_consumer(workers=2, max_commands=1, application=application).running():
        eventually(lambda: len(process_app.lines_of(log)) == 2)
        held.touch()

        process_app.invoker.enqueue_many([process_app.pid.command() for _ in range(2)])

        eventually(lambda: len(process_app.lines_of(f"{held}.began")) == 2)
        held.unlink()


def test_what_was_killed_is_given_back_at_a_stop_when_no_other_process_can_end_it(tmp_path, held, eventually):
    file = str(tmp_path / "began")
    application = "process_app.make_invoker"
    consumer = process_app.make_consumer(workers=1, timeout_grace=0.01, application=application)
    consumer.start()
    process_app.hold_everything.using(timeout=0.3)(file)
    eventually(lambda: process_app.lines_of(file))
    held.touch()

    consumer.stop(timeout=1.0)

    assert consumer.stats.released == 1


def test_a_process_is_replaced_between_commands_when_it_takes_too_much_memory(eventually):
    with process_app.make_consumer(workers=1, max_memory=250).running():
        first = process_app.take_memory(300).get(blocking=True, timeout=PATIENCE)

        eventually(lambda: process_app.pid().get(blocking=True, timeout=PATIENCE) != first)


def test_a_process_that_is_too_large_from_the_beginning_runs_commands_all_the_same():
    with process_app.make_consumer(workers=1, max_memory=1).running():
        assert process_app.pid().get(blocking=True, timeout=PATIENCE)
        assert process_app.pid().get(blocking=True, timeout=PATIENCE)


def test_a_stop_lets_a_running_command_finish_and_each_worker_end(monkeypatch, tmp_path, eventually):
    log, gate = str(tmp_path / "log"), tmp_path / "gate"
    monkeypatch.setenv("PROCESS_APP_LOG", log)
    consumer = process_app.make_consumer(workers=1)
    consumer.start()
    result = process_app.wait_for(str(gate))
    eventually(lambda: process_app.lines_of(f"{gate}.began"))
    gate.touch()

    assert consumer.stop(timeout=PATIENCE)

    assert result.get() == int(process_app.lines_of(log)[0][1])
    assert [line[0] for line in process_app.lines_of(log)] == ["worker_start", "worker_stop"]


def test_a_second_signal_ends_the_processes_and_gives_back_what_runs(tmp_path, eventually):
    consumer = process_app.make_consumer(workers=1)
    consumer.start()
    process_app.wait_for(str(tmp_path / "gate"))
    eventually(lambda: process_app.lines_of(f"{tmp_path / 'gate'}.began"))
    [[pid]] = process_app.lines_of(f"{tmp_path / 'gate'}.began")

    consumer.stop_now()

    eventually(lambda: _has_ended(int(pid)))
    assert consumer.stats.released == 1
    consumer.stop()
    (tmp_path / "gate").touch()


def test_a_signal_to_all_does_not_end_a_process_that_is_starting(monkeypatch):
    class Signalled(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self.send_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Signalled)

    with process_app.make_consumer(workers=1).running():
        assert process_app.pid().get(blocking=True, timeout=PATIENCE) != os.getpid()


PROGRAM = """
import sys
import process_app
from huey_core.consumer import Consumer

Consumer(
    process_app.invoker, worker_type="process", workers=1, periodic=False, application="process_app.make_invoker"
).start()
process_app.hold_everything(sys.argv[1])
sys.stdin.read()
"""


def test_processes_end_with_a_consumer_that_is_killed_even_in_c_code_that_keeps_all_threads_out(tmp_path, eventually):
    file = str(tmp_path / "began")
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(process_app.__file__)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, file], stdin=subprocess.PIPE, env=environment) as program:
        eventually(lambda: process_app.lines_of(file))
        [[pid]] = process_app.lines_of(file)

        program.kill()
        killed = time.monotonic()
        eventually(lambda: _has_ended(int(pid)))

    # It is to be one second, and a busy machine takes its own time. What runs takes ten minutes.
    assert time.monotonic() - killed < 20


OPTIMIZED = """
import process_app

with process_app.make_consumer(workers=1).running():
    print(process_app.checks_assertions().get(blocking=True, timeout=60))
"""


def test_a_process_has_the_options_of_the_interpreter_that_its_consumer_has():
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(process_app.__file__)}
    command = [sys.executable, "-O", "-c", OPTIMIZED]

    ended = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=PATIENCE)

    assert ended.stdout.split() == ["False"]


def _has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:  # it is not there, or is no more since it was opened
        return True


def test_a_consumer_is_not_made_without_a_path_to_the_application():
    with pytest.raises(ConfigurationError, match=r"application='main.invoker'"):
        Consumer(process_app.invoker, worker_type="process")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("no_such_module.invoker", "No module named 'no_such_module'"),
        ("process_app.lines_of", "nor a function that returns one"),
        ("process_app.os", "process_app.os is neither a configuration class nor an invoker"),
    ],
)
def test_a_consumer_does_not_start_when_its_processes_cannot_load_the_application(path, error):
    consumer = Consumer(process_app.invoker, worker_type="process", application=path, periodic=False)

    with pytest.raises(ConfigurationError, match=error):
        consumer.start()


def test_commands_of_several_queues_run_in_one_process():
    with process_app.make_consumer(workers=1, serve_queues=["mail", "huey"]).running():
        pids = {command().get(blocking=True, timeout=PATIENCE) for command in (process_app.pid, process_app.mail_pid)}

    assert len(pids) == 1


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """While this file exists, processes cannot load the application, and a thread of it goes on."""
    monkeypatch.setenv("PROCESS_APP_BROKEN", str(tmp_path / "broken"))
    return tmp_path / "broken"


@pytest.mark.parametrize("obstacle", ["broken", "held"])
def test_what_waits_is_given_back_while_no_process_loads_the_application(request, obstacle, tmp_path, eventually):
    file, gate = request.getfixturevalue(obstacle), tmp_path / "gate"
    consumer = process_app.make_consumer(
        workers=1,
        application="process_app.make_invoker",
        initial_delay=0.05,
        policy=replace(POLICY, restart_after=0.05, loads_within=5.0),
    )
    with consumer.running():
        running = process_app.wait_for(str(gate))
        eventually(lambda: process_app.lines_of(f"{gate}.began"))
        file.touch()
        [[pid]] = process_app.lines_of(f"{gate}.began")
        os.kill(int(pid), signal.SIGKILL)
        eventually(lambda: consumer.stats.released, "what waits is given back")

        file.unlink()
        gate.touch()

        assert running.get(blocking=True, timeout=PATIENCE) != int(pid)


def test_a_queue_in_memory_is_warned_of(caplog):
    with process_app.make_consumer(workers=1).running():
        pass

    assert any("are in the memory of the process that runs it" in text for text in caplog.messages)


def test_threads_cannot_be_recycled_where_the_program_cannot_start_again(invoker):
    queue_command(invoker, name="work")(lambda: None)

    with pytest.raises(ConfigurationError, match="MAX_COMMANDS"):
        Consumer(invoker, max_commands=1, periodic=False).start()
