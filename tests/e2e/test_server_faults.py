"""What producers and consumers do while their server restarts, is away, does not answer, is emptied or is full."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
import redis

from deployment import await_condition
from huey_core.exceptions import QueueWriteException

RECLAIMED_AFTER = 2
"""Seconds after which what a server has given to nobody, because it ended before it could answer, is given again."""


class Producer(threading.Thread):
    """Enqueues as fast as it can until it is stopped, and remembers what was accepted and what was refused."""

    def __init__(self, deployment):
        super().__init__(daemon=True)
        self.accepted = []
        self.refused = []
        self.crash = None
        self._command = deployment.main.add
        self._stopping = threading.Event()

    def run(self):
        while not self._stopping.wait(0.001):
            try:
                self.accepted.append(self._command(1, 2))
            except QueueWriteException as error:
                self.refused.append(error)
            except Exception as error:  # noqa: BLE001 - the test shows what it was
                self.crash = error
                return

    def await_more(self):
        """Wait until more was accepted."""
        before = len(self.accepted)
        await_condition(lambda: len(self.accepted) > before + 20, "the producer goes on")

    def stop(self):
        self._stopping.set()
        self.join(60)


@pytest.fixture
def produce():
    producers = []

    def start(deployment):
        producer = Producer(deployment)
        producer.start()
        producers.append(producer)
        return producer

    yield start
    for producer in producers:
        producer.stop()


@pytest.fixture
def ask():
    """Send an administrator's command to a server."""

    def send(server, *words):
        with closing(redis.Redis(port=server.port)) as client:
            return client.execute_command(*words)

    return send


def outages(consumer):
    """What the consumer has logged about the state of its server."""
    changes = consumer.log_lines("is unavailable", "is available again")
    return ["away" if "is unavailable" in change else "back" for change in changes]


def test_nothing_accepted_is_lost_when_the_server_restarts_again_and_again(new_server, deploy, produce):
    server = new_server(appendonly=True)
    deployment = deploy(server, lease=RECLAIMED_AFTER)
    consumers = [deployment.start() for _ in range(2)]
    producer = produce(deployment)
    for _ in range(3):
        producer.await_more()
        server.restart()
    producer.await_more()
    producer.stop()

    assert producer.crash is None
    assert {result.get(blocking=True, timeout=60) for result in producer.accepted} == {3}
    for consumer in consumers:
        await_condition(lambda consumer=consumer: "away" not in outages(consumer)[-1:], "the recovery is logged")
        seen = outages(consumer)
        assert seen == ["away", "back"] * (len(seen) // 2)


def test_a_consumer_outlasts_a_server_that_crashed_and_says_so_once(new_server, deploy, produce):
    server = new_server(appendonly=True)
    deployment = deploy(server, lease=RECLAIMED_AFTER)
    consumer = deployment.start()
    producer = produce(deployment)
    producer.await_more()
    server.kill()
    await_condition(lambda: outages(consumer) and len(producer.refused) > 3, "both sides notice the outage")

    server.start()

    producer.await_more()
    producer.stop()
    assert producer.crash is None
    assert {result.get(blocking=True, timeout=60) for result in producer.accepted} == {3}
    await_condition(lambda: len(outages(consumer)) > 1, "the recovery is logged")
    assert outages(consumer) == ["away", "back"]
    assert "Traceback" not in consumer.log()


def test_what_finishes_while_the_server_does_not_answer_is_settled_afterwards(new_server, deploy):
    server = new_server()
    deployment = deploy(server, socket_timeout=3, connect_timeout=3)
    consumer = deployment.start("--threads", "21")
    results = [deployment.main.wait_for_file("go") for _ in range(20)]
    for result in results:
        deployment.await_started(result.task_id)
    server.suspend()
    await_condition(lambda: outages(consumer) == ["away"], "the outage is noticed")
    deployment.let_go("go")
    await_condition(lambda: len(deployment.journal("finished")) == 20, "the commands have finished")
    with pytest.raises(QueueWriteException):
        deployment.main.add(1, 2)

    server.resume()

    assert {result.get(blocking=True, timeout=60) for result in results} == {consumer.pid}
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    await_condition(lambda: outages(consumer) == ["away", "back"], "one outage is logged, and its end")
    assert len(deployment.journal("started", "wait_for_file")) == 20


def test_a_consumer_goes_on_after_everything_was_flushed(new_server, deploy, ask):
    server = new_server()
    deployment = deploy(server)
    consumer = deployment.start()
    flushed = deployment.main.wait_for_file("go")
    deployment.await_started(flushed.task_id)

    ask(server, "FLUSHALL")
    ask(server, "SCRIPT", "FLUSH")
    deployment.let_go("go")

    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    await_condition(lambda: consumer.log_lines(f"the lease of message {flushed.task_id}"), "the loss is logged")
    assert flushed.get() is None
    assert outages(consumer) == []
    assert deployment.queue.counts().running == 0


def test_a_full_server_refuses_producers_and_the_consumer_goes_on_with_what_it_has(new_server, deploy, ask):
    server = new_server()
    deployment = deploy(server)
    deployment.start("--threads", "1")
    running = deployment.main.wait_for_file("go")
    deployment.await_started(running.task_id)
    waiting = deployment.main.add(1, 2)
    ask(server, "CONFIG", "SET", "maxmemory", "1")

    with pytest.raises(QueueWriteException, match="could not be written"):
        deployment.main.add(3, 4)
    deployment.let_go("go")
    assert running.get(blocking=True, timeout=60)
    assert waiting.get(blocking=True, timeout=60) == 3

    ask(server, "CONFIG", "SET", "maxmemory", "0")
    assert deployment.main.add(3, 4).get(blocking=True, timeout=60) == 7
    assert len(deployment.journal("started", "wait_for_file")) == 1
