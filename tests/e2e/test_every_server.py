"""What consumers promise on every server, when it does not answer or they do not run."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import ExitStack, closing
from itertools import pairwise

import pytest

from deployment import Deployment, await_condition, whole_lines
from huey_core import every
from huey_mongo.testing import MongoServer
from huey_redis.testing import RedisServer

SOON = "1"
"""Seconds of a lease for whose end each kill waits."""

BUSY_MACHINE = 2.0
"""Seconds that a machine may lose on which much else runs."""


class SQLiteFile:
    """A file in the place of a server: one that does not answer is one that another process has locked."""

    def __init__(self, path):
        self._path = path
        self._lock = None

    def url(self, **options):
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"sqlite:///{self._path}?{query}"

    def suspend(self):
        self._lock = sqlite3.connect(self._path, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def resume(self):
        self._lock.close()

    def is_locked(self):
        with closing(sqlite3.connect(self._path, timeout=1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False


@pytest.fixture(params=["redis", "mongo", "sqlite"])
def any_server(request, tmp_path):
    """A server of each kind, which a test may suspend."""
    if request.param == "sqlite":
        yield SQLiteFile(tmp_path / "queue.sqlite3")
    else:
        with {"redis": RedisServer, "mongo": MongoServer}[request.param]() as server:
            yield server


@pytest.fixture
def deploy(any_server, tmp_path):
    """Deploy the application on that server, with the time limits that it has when a URL names none, but for these."""
    with ExitStack() as stack:

        def deploy(**options):
            return stack.enter_context(closing(Deployment(any_server.url(queue="q", **options), tmp_path)))

        yield deploy


@pytest.fixture
def deployment(deploy):
    return deploy(lease="3")


def test_a_consumer_stops_in_time_while_its_server_does_not_answer_and_nothing_is_lost(any_server, deployment):
    # Periodic, so that one of its threads asks the server every two seconds.
    consumer = deployment.start("--threads", "8", "--shutdown-timeout", "2", "--periodic")
    results = [deployment.main.wait_for_file("go") for _ in range(8)]
    for result in results:
        deployment.await_started(result.task_id)
    any_server.suspend()
    deployment.let_go("go")
    await_condition(lambda: len(deployment.journal("finished", "wait_for_file")) == 8, "the commands have finished")

    asked = time.monotonic()
    consumer.send(signal.SIGTERM)
    assert consumer.exit_code() == 0
    taken = time.monotonic() - asked

    any_server.resume()
    deployment.start()
    assert all(result.get(blocking=True, timeout=60) for result in results)
    assert taken < 2 + 1 + BUSY_MACHINE


def test_a_consumer_that_was_stopped_past_its_lease_does_not_start_what_it_had_in_flight(any_server, deployment):
    stopped = deployment.start("--threads", "1")
    results = [deployment.main.work(0.005) for _ in range(400)]
    await_condition(lambda: len(deployment.journal("finished")) > 50, "it holds some ahead, because they are quick")
    stopped.send(signal.SIGSTOP)
    # Who is stopped in the middle of a transaction keeps the file from everybody.
    while isinstance(any_server, SQLiteFile) and any_server.is_locked():
        stopped.send(signal.SIGCONT)
        stopped.send(signal.SIGSTOP)
    other = deployment.start("--threads", "4")
    assert {result.get(blocking=True, timeout=60) for result in results} == {0.005}
    other.terminate()

    continued = time.monotonic()
    stopped.send(signal.SIGCONT)

    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    late = [one for one in deployment.journal("started", "work") if one.pid == stopped.pid and one.at > continued]
    # One may have been about to be noted.
    assert len(late) <= 1


def seconds_that_ran(deployment):
    """The messages of each second for which a periodic command ran, in the order of the seconds."""
    messages: dict[int, set[str]] = {}
    for line in whole_lines(deployment.folder / "seconds"):
        second, message_id = line.split()
        messages.setdefault(int(second), set()).add(message_id)
    return dict(sorted(messages.items()))


def test_every_second_has_one_run_though_consumers_are_killed_that_write_it(deployment):
    deployment.environment["E2E_SECONDS"] = "1"
    deployment.start("--periodic")
    for kills in range(1, 4):
        victim = deployment.start("--periodic")
        await_condition(lambda least=2 * kills: len(seconds_that_ran(deployment)) > least, "seconds run")
        victim.kill()
    first, *_, last = seconds_that_ran(deployment)

    await_condition(lambda: set(range(first, last + 4)) <= set(seconds_that_ran(deployment)), "every second has run")

    ran = seconds_that_ran(deployment)
    assert [second for second in ran if second <= last] == list(range(min(ran), last + 1))
    assert {len(found) for found in ran.values()} == {1}


def test_runs_of_a_periodic_command_do_not_overlap_where_that_is_asked_for_though_a_consumer_is_killed(deployment):
    deployment.environment["E2E_OVERLAP"] = "1"
    consumers = {consumer.pid: consumer for consumer in (deployment.start("--periodic") for _ in range(3))}
    name = "take_longer_than_a_second"
    await_condition(lambda: deployment.journal("finished", name), "it has run")
    await_condition(lambda: deployment.journal(command=name)[-1].event == "started", "it runs again")
    consumers[deployment.journal(command=name)[-1].pid].kill()
    killed = len(deployment.journal("finished", name))

    await_condition(lambda: len(deployment.journal("finished", name)) >= killed + 3, "it goes on")

    runs: dict[str, list[float]] = {}
    for entry in deployment.journal(command=name):
        runs.setdefault(entry.task_id, []).append(entry.at)
    assert len(runs) > 3
    for before, after in pairwise(sorted(runs.values())):
        assert after[0] >= before[-1]


def test_what_follows_a_command_runs_once_though_consumers_are_killed_that_were_to_write_it(deploy):
    deployment = deploy(lease=SOON)
    handle = deployment.main.hand_on(41)
    for attempt in (1, 2):
        consumer = deployment.launch()
        deployment.await_started(handle.task_id, attempt)
        assert consumer.exit_code() == -signal.SIGKILL

    deployment.start()

    assert handle.get(blocking=True, timeout=60) is None
    await_condition(lambda: deployment.journal("finished", "add"), "what follows has run")
    # Enqueued after anything that followed: it runs behind that.
    assert deployment.main.measure("x").get(blocking=True, timeout=60) == 1
    assert len(deployment.journal("started", "add")) == 1


def test_each_tick_of_a_schedule_that_was_made_at_run_time_runs_once_though_one_of_two_consumers_is_killed(deploy):
    deployment = deploy(lease=SOON)
    killed, other = deployment.start("--periodic"), deployment.start("--periodic")
    schedules = deployment.invoker.schedules

    def ran():
        return {one.due: one.task_id for one in deployment.journal("finished", "work")}

    schedules.add("each-second", deployment.main.work.command(0.0), every(seconds=1), missed="all")
    await_condition(lambda: len(ran()) >= 3, "both consumers run it")
    killed.kill()
    at_kill = len(ran())
    await_condition(lambda: len(ran()) >= at_kill + 4, "the other goes on")
    schedules.pause("each-second")
    await_condition(lambda: other.is_alive() and deployment.queue.counts().ready == 0, "what was enqueued has run")
    # The lease of what the killed one held, and another look of the other one.
    paused_at = deployment.invoker.now()
    await_condition(lambda: deployment.invoker.now() > paused_at + 4, "nothing is enqueued any more")

    dues = sorted(ran())
    assert dues == [dues[0] + second for second in range(len(dues))]
    assert len({one.task_id for one in deployment.journal("started", "work")}) == len(dues)
    assert dues[-1] <= paused_at + 2 + BUSY_MACHINE
    assert schedules.get("each-second").last_run >= dues[-1] - 5 - BUSY_MACHINE


def test_what_follows_a_group_runs_once_though_members_in_two_queues_kill_their_consumers_and_one_for_good(deploy):
    deployment = deploy(lease=SOON, max_deliveries="4")
    here = deployment.queue.name
    beside = f"{here}-beside"
    places = [(0, here), (1, here), (0, beside), (100, beside), (0, here)]
    members = [deployment.main.join_in.using(queue=queue).command(kills) for kills, queue in places]
    for member in members:
        member.headers.update(group="g", of=str(len(members)))
    deployment.main.invoker.enqueue_many(members)

    def consumers_have_ended_the_group():
        consumer = deployment.launch("--threads", "1", "--queue", here, "--queue", beside)
        await_condition(
            lambda: deployment.journal("finished", "add") or not consumer.is_alive(), "the group or the consumer ends"
        )
        return deployment.journal("finished", "add")

    await_condition(consumers_have_ended_the_group, "what follows the group has run", 120.0)

    # Enqueued after anything that followed: it runs behind that.
    assert deployment.main.measure("x").get(blocking=True, timeout=60) == 1
    assert len(deployment.journal("started", "add")) == 1
    assert deployment.invoker.on_queue(beside).queue.counts().dead == 1
