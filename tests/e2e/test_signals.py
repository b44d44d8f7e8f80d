"""What signals do to a consumer process."""

from __future__ import annotations

import os
import signal

import pytest

from deployment import await_condition

OTHER = {signal.SIGTERM: signal.SIGINT, signal.SIGINT: signal.SIGTERM}

both_signals = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)


def states(deployment):
    counts = deployment.queue.counts()
    return {"ready": counts.ready, "running": counts.running}


@both_signals
def test_a_running_command_finishes_and_what_waited_behind_it_is_given_back_at_once(deployment, number):
    # However slow the machine makes the quick ones, there is time to run all of the others behind them.
    deployment.policy["horizon"] = 6000.0
    consumer = deployment.start("--threads", "1")
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    result = deployment.invoker.enqueue_many(
        [deployment.main.wait_for_file.command("go"), *(deployment.main.add.command(1, 2) for _ in range(10))]
    )[0]
    deployment.await_started(result.task_id)
    await_condition(lambda: states(deployment)["running"] == 11, "the consumer holds messages ahead of its worker")

    consumer.send(number)

    await_condition(lambda: states(deployment) == {"ready": 10, "running": 1}, "what waited is given back")
    deployment.let_go("go")
    assert consumer.exit_code() == 0
    assert result.get() == consumer.pid
    assert states(deployment) == {"ready": 10, "running": 0}


def test_a_signal_that_comes_to_another_thread_than_the_main_one_is_obeyed(deployment):
    consumer = deployment.start()

    deployment.main.signal_this_thread()

    assert consumer.exit_code(20.0) == 0


@both_signals
def test_a_command_that_takes_longer_than_the_timeout_is_given_back_and_the_exit_code_is_0(deployment, number):
    consumer = deployment.start("--shutdown-timeout", "0.2")
    result = deployment.main.wait_for_file("never")
    deployment.await_started(result.task_id)

    consumer.send(number)

    assert consumer.exit_code() == 0
    assert states(deployment) == {"ready": 1, "running": 0}
    [delivery] = deployment.queue.claim(1, 60).deliveries
    assert (delivery.message_id, delivery.attempt) == (result.task_id, 1)


@both_signals
def test_a_second_signal_gives_everything_back_now(deployment, number):
    deployment.constants["huey_core.consumer.signals.LAST_MOMENT"] = 30.0
    consumer = deployment.start("--shutdown-timeout", "600")
    result = deployment.main.wait_for_file("never")
    deployment.await_started(result.task_id)
    consumer.send(number)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")

    consumer.send(OTHER[number])

    assert consumer.exit_code() == 1
    assert states(deployment) == {"ready": 1, "running": 0}


def test_an_idle_consumer_ends_without_waiting_for_its_claim_to_end(deployment):
    deployment.policy["longest_wait"] = 600.0
    consumer = deployment.start("--lease", "3600", "--shutdown-timeout", "600")

    assert consumer.terminate() == 0


def test_hangup_starts_the_consumer_again_in_the_same_process_after_what_runs_has_finished(deployment):
    consumer = deployment.start("--threads", "2")
    result = deployment.main.wait_for_file("go")
    deployment.await_started(result.task_id)

    consumer.send(signal.SIGHUP)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")
    deployment.let_go("go")
    consumer.await_ready(times=2)

    assert result.get() == consumer.pid
    assert len(consumer.log_lines("2 thread workers")) == 2
    assert deployment.main.wait_for_file("go").get(blocking=True, timeout=60) == consumer.pid


@pytest.mark.parametrize(
    ("limit", "reason"), [("--max-commands=3", "after 3 commands"), ("--max-memory=1", "since the process takes")]
)
def test_a_limit_starts_a_consumer_of_threads_again_as_a_hangup_does(deployment, limit, reason):
    consumer = deployment.start("--threads", "2", limit)

    assert [deployment.main.add(1, number).get(blocking=True, timeout=60) for number in range(3)] == [1, 2, 3]

    consumer.await_ready(times=2)
    assert consumer.log_lines(f"starting again, {reason}")
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3


@both_signals
def test_a_signal_to_the_whole_process_group_lets_the_commands_in_processes_finish(deployment, number):
    consumer = deployment.start("--worker-type", "process", "--workers", "1")
    result = deployment.main.wait_for_file("go")
    pid = deployment.await_started(result.task_id).pid

    os.killpg(consumer.pid, number)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")
    deployment.let_go("go")

    assert consumer.exit_code() == 0
    assert result.get() == pid != consumer.pid


def test_a_hangup_during_a_restart_does_not_end_the_consumer(deployment):
    consumer = deployment.start()

    consumer.send(signal.SIGHUP)
    await_condition(lambda: consumer.log_lines("starting again"), "the consumer starts again")

    def is_ready_after_another_one():
        consumer.send(signal.SIGHUP)
        return consumer.log().count(" ready\n") > 1

    await_condition(is_ready_after_another_one, "the consumer is ready again")
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    assert consumer.is_alive()


def test_a_signal_to_end_during_a_restart_ends_the_consumer_in_order(deployment):
    consumer = deployment.start()
    result = deployment.main.wait_for_file("go")
    deployment.await_started(result.task_id)
    consumer.send(signal.SIGHUP)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")

    consumer.send(signal.SIGTERM)
    await_condition(lambda: consumer.log_lines("will not start again"), "the second wish is heard")
    deployment.let_go("go")

    assert consumer.exit_code() == 0
    assert result.get() == consumer.pid


def test_a_second_signal_ends_a_consumer_that_waits_for_its_server(new_server, deploy):
    server = new_server()
    deployment = deploy(server, socket_timeout=600)
    consumer = deployment.start("--shutdown-timeout", "600")
    result = deployment.main.wait_for_file("never")
    deployment.await_started(result.task_id)
    server.suspend()
    consumer.send(signal.SIGTERM)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")

    consumer.send(signal.SIGINT)

    assert consumer.exit_code() == 1


def test_threads_that_a_command_left_running_do_not_keep_the_process_from_ending(deployment):
    deployment.constants["huey_core.consumer.signals.THREADS_HAVE"] = 0.5
    consumer = deployment.start("--shutdown-timeout", "0.2")
    deployment.main.leave_a_thread_behind("never").get(blocking=True, timeout=60)

    assert consumer.terminate() == 0
