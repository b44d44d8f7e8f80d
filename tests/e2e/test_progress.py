"""Progress of commands in other processes, as their callers see it, on each kind of server and in each worker pool."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from deployment import Deployment, await_condition
from huey_mongo.testing import MongoReplicaSet, MongoServer
from huey_redis.testing import RedisServer

PATIENCE = 60.0

SERVERS = {"redis": RedisServer, "mongo": MongoServer, "mongo replica set": MongoReplicaSet}


@pytest.fixture(scope="module", params=[*SERVERS, "sqlite"])
def url(request, tmp_path_factory):
    """The URL of a server of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('progress') / 'queue.sqlite3'}?queue="
    else:
        with SERVERS[request.param]() as server:
            yield server.url(queue="")


@pytest.fixture
def deployment(url, tmp_path):
    with closing(Deployment(f"{url}{tmp_path.name}&lease=2", tmp_path)) as deployment:
        yield deployment


@pytest.mark.parametrize(
    ("pool", "command"), [("thread", "walk"), ("process", "walk"), ("asyncio", "walk_in_coroutine")]
)
def test_each_step_of_a_command_is_seen_when_it_is_said_and_the_end_of_it(deployment, pool, command):
    deployment.start("--worker-type", pool, "--workers", "1")
    handle = getattr(deployment.main, command)("step")

    async def see():
        seen = []
        async with asyncio.timeout(PATIENCE):
            async for progress in handle.watch_progress():
                seen.append((progress.done, progress.total, progress.note))
                deployment.let_go(f"step{progress.done}")
        return seen

    assert asyncio.run(see()) == [(1, 3, "step"), (2, 3, "step"), (3, 3, "step")]
    assert handle.get(blocking=True, timeout=PATIENCE) is None
    assert handle.progress().fraction == 1.0


def test_a_run_after_a_crash_begins_anew(deployment):
    consumer = deployment.start("--workers", "1")
    handle = deployment.main.walk("step")
    deployment.let_go("step1")
    await_condition(lambda: (progress := handle.progress()) and progress.done == 2, "the second step is seen")
    consumer.kill()
    (deployment.folder / "step1").unlink()

    deployment.start("--workers", "1")

    await_condition(lambda: handle.progress().done == 1, "the first step of the second run is seen")
