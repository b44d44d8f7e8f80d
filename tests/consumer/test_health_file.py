"""The health file is touched while the consumer is healthy, and by nobody else."""

from __future__ import annotations

import json
import os
import threading

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import Consumer, ConsumerGroup
from huey_core.consumer.health_file import HealthFile
from huey_core.consumer.policy import POLICY
from huey_core.exceptions import ConfigurationError

BEAT = 0.1
PATIENCE = 30.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "health"


@pytest.fixture
def is_touched(path, eventually):
    """Make the file an old one, and wait until it is no more."""

    def is_touched():
        os.utime(path, (0, 0))
        eventually(lambda: path.stat().st_mtime > 0)
        return True

    return is_touched


def test_the_file_is_touched_again_and_again_and_says_whose_it_is(invoker, run_consumer, path, is_touched, eventually):
    consumer = run_consumer(invoker, health_file=path, heartbeat=BEAT)
    eventually(path.exists)

    assert is_touched()
    assert is_touched()
    assert json.loads(path.read_text()) == {"consumer": consumer.name, "pid": os.getpid(), "heartbeat": BEAT}


def test_the_file_is_removed_when_the_consumer_has_stopped(invoker, run_consumer, path, eventually):
    consumer = run_consumer(invoker, health_file=str(path), heartbeat=BEAT)
    eventually(path.exists)

    consumer.stop()

    assert not path.exists()


def test_the_file_is_touched_while_the_consumer_waits_for_what_runs(
    invoker, run_consumer, path, is_touched, eventually
):
    began, going_on = threading.Event(), threading.Event()

    @queue_command(invoker)
    def work():
        began.set()
        going_on.wait(PATIENCE)

    consumer = run_consumer(invoker, health_file=path, heartbeat=BEAT, shutdown_timeout=PATIENCE)
    work()
    began.wait(PATIENCE)
    stopping = threading.Thread(target=consumer.stop)
    stopping.start()
    eventually(lambda: not consumer.queues[0].fetcher.is_alive())

    assert is_touched()
    going_on.set()
    stopping.join(PATIENCE)
    assert not path.exists()


def test_a_file_that_another_consumer_has_left_is_no_sign_of_life(invoker, path):
    path.write_text('{"consumer": "web1:7:0", "pid": 7, "heartbeat": 10}\n')

    class Refusing(Consumer):
        def start(self):
            self._health.prepare()

    Refusing(invoker, health_file=path).start()

    assert not path.exists()


def test_a_file_that_cannot_be_written_keeps_the_consumer_from_starting(invoker, tmp_path):
    consumer = Consumer(invoker, health_file=tmp_path / "nowhere" / "health")

    with pytest.raises(ConfigurationError, match=r"HEALTH_FILE cannot be written: .*nowhere"):
        consumer.start()


def test_what_is_no_regular_file_is_refused_and_left_there(invoker, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")

    for path in (pipe, tmp_path):
        with pytest.raises(ConfigurationError, match=r"HEALTH_FILE must be a regular file, which .* is not"):
            Consumer(invoker, health_file=path).start()

    assert pipe.exists()


@pytest.mark.parametrize("content", [b"print(1)\n", b"[]", b"\xff", b"{}", b"x" * 10_000])
def test_a_file_that_no_consumer_has_written_is_refused_and_left_as_it_is(invoker, path, content):
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match="which no consumer has written"):
        Consumer(invoker, health_file=path).start()

    assert path.read_bytes() == content


def test_an_empty_file_is_replaced(invoker, run_consumer, path, eventually):
    path.touch()

    run_consumer(invoker, health_file=path, heartbeat=BEAT)

    eventually(lambda: path.exists() and path.read_text())


def test_a_file_that_somebody_removes_is_written_again(invoker, run_consumer, path, eventually):
    run_consumer(invoker, health_file=path, heartbeat=BEAT)
    eventually(path.exists)

    path.unlink()

    eventually(path.exists)


@pytest.mark.parametrize("part", ["fetcher", "lease_renewal", "dead_letters"])
def test_a_consumer_with_a_part_that_is_stuck_is_not_healthy(invoker, run_consumer, part):
    consumer = run_consumer(invoker)
    was_healthy = consumer.is_healthy()

    getattr(consumer.queues[0], part).problem = lambda: "it has been stuck for 90 s"

    assert (was_healthy, consumer.is_healthy()) == (True, False)
    assert consumer.problems() == ("it has been stuck for 90 s",)


def test_the_file_is_not_touched_while_the_consumer_is_not_healthy(path, eventually):
    looks = []
    file = HealthFile(path, 0.01, lambda: "host:1:a", lambda: bool(looks.append("looked")), POLICY)
    file.start()

    eventually(lambda: len(looks) > 2)

    assert not path.exists()
    file.remove()


def test_a_worker_that_has_ended_is_a_problem(invoker, run_consumer):
    consumer = run_consumer(invoker, threads=2)

    consumer.pool.stop()
    for worker in consumer.pool.workers:
        worker.join(PATIENCE)

    assert consumer.problems() == ("worker-1, worker-2 of the worker pool ended",)


@pytest.mark.parametrize("worker_type", ["thread", "asyncio"])
def test_a_consumer_that_runs_has_no_problems(invoker, run_consumer, worker_type):
    assert run_consumer(invoker, worker_type=worker_type).problems() == ()


def test_a_consumer_that_has_stopped_has_no_problems(invoker, run_consumer):
    consumer = run_consumer(invoker)
    consumer.stop()

    assert consumer.problems() == ()


def test_a_group_is_healthy_while_all_of_its_consumers_are(make_invoker, path, eventually):
    other = Invoker.from_url("memory://health_of_another_place", registry=CommandRegistry())
    consumers = [Consumer(each, health_file=path, heartbeat=BEAT) for each in (make_invoker(), other)]
    group = ConsumerGroup(consumers)
    group.start()
    eventually(consumers[0].is_healthy)

    consumers[1].queues[0].fetcher.problem = lambda: "the fetch loop has ended"

    assert not consumers[0].is_healthy()
    group.stop("the end of the test")


def test_a_disk_that_refuses_is_logged_once_and_tried_again(path, caplog, eventually, monkeypatch):
    tries = []

    def refuse(file):
        tries.append(file)
        raise OSError("no space left on device")

    file = HealthFile(path, 0.01, lambda: "host:1:a", lambda: True, POLICY)
    monkeypatch.setattr(os, "utime", refuse)
    file.start()
    eventually(lambda: len(tries) > 2)
    monkeypatch.undo()
    eventually(path.exists)
    file.remove()

    assert caplog.text.count("the health file cannot be touched") == 1


def test_problems_are_logged_once_and_so_is_their_end(invoker, run_consumer, caplog, eventually):
    consumer = run_consumer(invoker, heartbeat=BEAT)
    fetcher = consumer.queues[0].fetcher

    fetcher.problem = lambda: "the fetch loop has ended"
    eventually(lambda: "the consumer is not healthy: the fetch loop has ended" in caplog.text)
    del fetcher.problem
    eventually(lambda: "the consumer is healthy again" in caplog.text)

    assert caplog.text.count("not healthy") == 1


def test_a_consumer_that_is_stuck_is_not_healthy_again_because_it_stops(invoker, run_consumer):
    consumer = run_consumer(invoker)
    consumer.queues[0].fetcher.problem = lambda: "the fetch loop is stuck"
    before = consumer.problems()

    consumer.stop()

    assert consumer.problems() == before == ("the fetch loop is stuck",)
    assert not consumer.is_healthy()
