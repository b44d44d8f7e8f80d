"""Commands in the processes of the worker pool, and what becomes of them when one ends."""

from __future__ import annotations

import os
import signal
import time

import pytest

import process_app
from huey_core.exceptions import CommandAbandoned, CommandCancelled, CommandError

PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def emptied_queues():
    yield
    process_app.forget_all()


def with_header(name, text):
    """Make a command with a header."""
    command = process_app.pid.command()
    command.headers[name] = text
    return command


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Where hooks note in which process they are called."""
    return str(tmp_path_factory.mktemp("hooks") / "log")


@pytest.fixture(scope="module")
def consumer(log):
    """One for all tests that leave it as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROCESS_APP_LOG", log)
        served = {process_app.invoker.queue.name: 1, "beside": 1}
        with process_app.make_consumer(workers=2, serve_queues=served).running() as consumer:
            yield consumer


def test_commands_run_in_other_processes(consumer):
    pids = {process_app.pid().get(blocking=True, timeout=PATIENCE) for _ in range(5)}

    assert os.getpid() not in pids


@pytest.mark.usefixtures("consumer")
def test_commands_of_each_queue_that_is_served_run_there():
    handle = process_app.pid.using(queue="beside")()

    assert handle.get(blocking=True, timeout=PATIENCE) != os.getpid()
    assert handle.invoker.queue.name == "beside"


@pytest.mark.usefixtures("consumer")
def test_what_follows_a_command_is_enqueued_where_the_consumer_is():
    assert process_app.followed().get(blocking=True, timeout=PATIENCE) == "followed"


@pytest.mark.usefixtures("consumer")
def test_a_command_may_ask_to_be_tried_again():
    assert process_app.ask(3).get(blocking=True, timeout=PATIENCE) == 3


@pytest.mark.usefixtures("consumer")
def test_a_command_may_cancel_itself():
    with pytest.raises(CommandCancelled, match="nothing to do"):
        process_app.cancel_itself().get(blocking=True, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda: process_app.exit_at_once.command(3), "its process ended with the exit code 3"),
        (lambda: with_header("die", "before"), "its process was killed by SIGKILL"),
        (lambda: with_header("die", "after"), "its process was killed by SIGKILL"),
    ],
    ids=["a command exits", "a hook before the run dies", "a hook after the run dies"],
)
def test_what_ends_its_process_is_buried_with_the_reason_and_costs_no_other(consumer, how, reason, tmp_path):
    file = str(tmp_path / "succeeded")
    neighbours = [with_header("log", file) for _ in range(100)]
    results = process_app.invoker.enqueue_many(neighbours[:50])

    crashed = process_app.invoker.enqueue(how())
    results += process_app.invoker.enqueue_many(neighbours[50:])

    with pytest.raises(CommandAbandoned, match=f"no outcome recorded in 2 deliveries; in the last one {reason}"):
        crashed.get(blocking=True, timeout=PATIENCE)
    pids = [str(result.get(blocking=True, timeout=PATIENCE)) for result in results]
    # What had only been sent ahead to the process that has ended was not run twice.
    assert sorted(process_app.lines_of(file)) == sorted(["succeeded", pid] for pid in pids)


def test_a_process_that_is_killed_costs_the_command_that_it_runs_one_delivery(consumer, tmp_path, eventually):
    gate = tmp_path / "gate"
    result = process_app.wait_for(str(gate))
    eventually(lambda: process_app.lines_of(f"{gate}.began"))
    [[pid]] = process_app.lines_of(f"{gate}.began")

    os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: len(process_app.lines_of(f"{gate}.began")) == 2)
    gate.touch()

    assert result.get(blocking=True, timeout=PATIENCE) not in {os.getpid(), int(pid)}


@pytest.mark.usefixtures("consumer")
def test_a_time_limit_ends_a_command_in_c_code_with_its_process():
    with pytest.raises(CommandError, match="CommandTimeout"):
        process_app.sleep_in_c().get(blocking=True, timeout=PATIENCE)


@pytest.mark.usefixtures("consumer")
def test_a_process_that_is_killed_to_end_its_command_is_no_error_of_the_pool(caplog):
    with pytest.raises(CommandError):
        process_app.sleep_in_c().get(blocking=True, timeout=PATIENCE)

    levels = [record.levelname for record in caplog.records if record.name == "huey_core.consumer.pools.process"]
    assert levels == ["WARNING"]


@pytest.mark.usefixtures("consumer")
@pytest.mark.parametrize("command", [process_app.wait_for, process_app.hold_everything], ids=["Python", "C"])
def test_a_running_command_is_cancelled_whatever_it_does(command, tmp_path, eventually):
    began = tmp_path / "gate.began"
    result = command(str(tmp_path / "gate") if command is process_app.wait_for else str(began))
    eventually(lambda: process_app.lines_of(str(began)))

    result.revoke(terminate=True)

    with pytest.raises(CommandCancelled):
        result.get(blocking=True, timeout=PATIENCE)


def test_a_hook_after_a_command_is_not_ended_when_its_process_is_to_be_killed(consumer, tmp_path, eventually):
    gate = tmp_path / "gate"
    result = process_app.invoker.enqueue(with_header("gate", str(gate)))
    eventually(lambda: process_app.lines_of(f"{gate}.began"))
    [run] = consumer.pool.running()

    consumer.pool.cancel(run, CommandCancelled)
    # For longer than the grace.
    time.sleep(0.5)
    gate.touch()

    assert result.get(blocking=True, timeout=PATIENCE) == int(process_app.lines_of(f"{gate}.began")[0][0])


def test_observers_of_commands_are_called_once_in_the_process_that_runs_them(consumer, tmp_path):
    file = str(tmp_path / "succeeded")
    pid = process_app.invoker.enqueue(with_header("log", file)).get(blocking=True, timeout=PATIENCE)

    assert process_app.lines_of(file) == [["succeeded", str(pid)]]


def test_worker_hooks_are_called_in_each_process_with_the_consumer_of_its_name(consumer, log):
    starts = [line for line in process_app.lines_of(log) if line[0] == "worker_start"]

    assert {line[3] for line in starts} == {consumer.name}
    assert str(os.getpid()) not in {line[1] for line in starts}
