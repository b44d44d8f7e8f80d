"""What becomes of commands when their consumer is killed, is killed by them, or is stopped for too long."""

from __future__ import annotations

import itertools
import signal
import time

import pytest

from deployment import await_condition
from huey_core.backends.messages import State
from huey_core.exceptions import CommandAbandoned
from huey_mongo.testing import MongoServer
from suite import is_thorough

LEASE = 2.0
MARGIN = 20.0
"""Seconds by which a busy machine may delay what follows a kill."""


def interrupted_by(deployment, consumer):
    """The runs that a consumer had started and could not end."""
    finished = {(one.task_id, one.pid) for one in deployment.journal("finished")}
    return [
        one
        for one in deployment.journal("started")
        if consumer.pid in {one.pid, one.parent} and (one.task_id, one.pid) not in finished
    ]


class SQLiteFile:
    """A file in the place of a server."""

    def __init__(self, path):
        self._path = path

    def url(self):
        return f"sqlite:///{self._path}"


@pytest.fixture
def place(request, server, tmp_path):
    """Where the queue is."""
    if request.param == "sqlite":
        yield SQLiteFile(tmp_path / "queue.sqlite3")
    elif request.param == "mongo":
        with MongoServer() as mongo:
            yield mongo
    else:
        yield server


WORKERS = {"thread": "4", "process": "2", "asyncio": "4"}
USUAL = [("thread", "redis"), ("process", "redis"), ("asyncio", "redis"), ("asyncio", "sqlite")]
ALL = list(itertools.product(WORKERS, ["redis", "sqlite", "mongo"]))


@pytest.mark.parametrize(("pool", "place"), ALL if is_thorough() else USUAL, indirect=["place"])
def test_every_command_completes_though_consumers_are_killed_again_and_again(deploy, pool, place):
    # A busy machine may cost deliveries too.
    deployment = deploy(on=place, lease=LEASE, max_deliveries=100)
    main = deployment.main
    options = "--worker-type", pool, "--workers", WORKERS[pool]
    consumers = [deployment.start(*options) for _ in range(2)]
    results, kills = [], []
    for name in ("first", "second", "third"):
        # More than one consumer can run at once, so that each is in the middle of commands until they are let go.
        long = [wait.command(name) for wait in (main.wait_for_file, main.wait_for_file_in_coroutine) for _ in range(4)]
        short = [work.command(0.05) for _ in range(30) for work in (main.work, main.work_in_coroutine)]
        results += deployment.invoker.enqueue_many([*short[:30], *long, *short[30:]])
        victim = consumers.pop(0)
        await_condition(
            lambda victim=victim: [
                one for one in interrupted_by(deployment, victim) if one.command.startswith("wait_for_file")
            ],
            "the consumer is in the middle of commands",
        )
        victim.kill()
        kills.append((time.monotonic(), interrupted_by(deployment, victim)))
        deployment.let_go(name)
        consumers.append(deployment.start(*options))

    assert all(result.get(blocking=True, timeout=60) for result in results)
    started = deployment.journal("started")
    for killed_at, interrupted in kills:
        for run in interrupted:
            again = min(one.at for one in started if one.task_id == run.task_id and one.attempt > run.attempt)
            assert again - killed_at < LEASE + 1 + MARGIN
    assert deployment.queue.counts().dead == 0


def test_nothing_of_several_queues_is_lost_with_the_consumer_that_served_them(deploy):
    deployment = deploy(lease=LEASE, max_deliveries=100)
    names = [f"{deployment.queue.name}-{number}" for number in range(3)]
    options = [*(word for name in names for word in ("--queue", name)), "--workers", "6"]
    results = {name: [deployment.main.wait_for_file.using(queue=name)("go") for _ in range(3)] for name in names}
    victim = deployment.start(*options)

    def begun():
        ran = {one.task_id for one in deployment.journal("started")}
        return all(ran & {result.task_id for result in of_queue} for of_queue in results.values())

    await_condition(begun, "commands of each queue run")
    victim.kill()
    deployment.let_go("go")
    deployment.start(*options)

    assert all(result.get(blocking=True, timeout=60) for of_queue in results.values() for result in of_queue)
    for name in names:
        queue = deployment.invoker.on_queue(name).queue
        await_condition(lambda queue=queue: queue.counts().running == 0, "everything is settled")
        assert (queue.counts().ready, queue.counts().dead) == (0, 0)


def test_a_command_that_kills_its_worker_each_time_is_buried_and_its_neighbours_are_unharmed(deploy):
    deployment = deploy(max_deliveries=3)
    # The shorter, the sooner a killed one's messages come back. But where neighbours are on their last delivery too, a
    # busy machine must not let their leases run out.
    leases = iter(["2", "2", "5", "60"])
    poison = deployment.main.kill_the_worker()
    neighbours = deployment.invoker.enqueue_many([deployment.main.work.command(0.2) for _ in range(12)])
    consumer = deployment.launch("--threads", "4", "--lease", next(leases))

    def buried():
        nonlocal consumer
        if not consumer.is_alive():
            assert consumer.exit_code() == -signal.SIGKILL
            consumer = deployment.launch("--threads", "4", "--lease", next(leases))
        return deployment.queue.counts().dead

    await_condition(buried, "the command is buried", timeout=120)

    assert [result.get(blocking=True, timeout=60) for result in neighbours] == [0.2] * 12
    [dead] = deployment.queue.peek(State.DEAD)
    assert (dead.message_id, dead.reason) == (poison.task_id, "abandoned: no outcome recorded in 3 deliveries")
    assert len(deployment.journal("started", "kill_the_worker")) == 3
    with pytest.raises(CommandAbandoned):
        poison.get(blocking=True, timeout=60)
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3


def test_a_command_that_kills_its_process_each_time_is_buried_while_its_consumer_goes_on(deploy):
    deployment = deploy(max_deliveries=3)
    neighbours = deployment.invoker.enqueue_many([deployment.main.work.command(0.05) for _ in range(6)])
    poison = deployment.main.kill_the_worker()
    consumer = deployment.start("--worker-type", "process", "--workers", "2")

    with pytest.raises(CommandAbandoned):
        poison.get(blocking=True, timeout=60)

    assert [result.get(blocking=True, timeout=60) for result in neighbours] == [0.05] * 6
    assert consumer.is_alive()
    await_condition(lambda: deployment.queue.counts().dead, "the command is buried")
    [dead] = deployment.queue.peek(State.DEAD)
    assert dead.reason.endswith("in 3 deliveries; in the last one its process was killed by SIGKILL")
    # Neither was one of the others delivered once more by what the killed process had.
    assert {one.attempt for one in deployment.journal("started", "work")} == {1}


def test_a_consumer_that_was_stopped_past_its_lease_cannot_undo_what_another_one_did(deploy):
    deployment = deploy(lease=1)
    stopped = deployment.start()
    result = deployment.main.wait_for_file("go")
    deployment.await_started(result.task_id)
    stopped.send(signal.SIGSTOP)
    other = deployment.start()
    deployment.await_started(result.task_id, attempt=2)
    deployment.let_go("go")
    assert result.get(blocking=True, timeout=60) == other.pid

    stopped.send(signal.SIGCONT)

    await_condition(
        lambda: stopped.pid in {one.pid for one in deployment.journal("finished")}, "the late run has ended"
    )
    other.terminate()
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    assert deployment.invoker.result(result.task_id).get() == other.pid
    counts = deployment.queue.counts()
    assert (counts.ready, counts.scheduled, counts.running, counts.dead) == (0, 0, 0, 0)
    await_condition(lambda: stopped.log_lines(f"the lease of message {result.task_id}"), "the loss is logged")
