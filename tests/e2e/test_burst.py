"""``huey consumer --burst`` as a process, on a server, with each worker pool."""

from __future__ import annotations

import json
import socket

import pytest


@pytest.mark.parametrize("worker_type", ["thread", "asyncio", "process"])
def test_a_burst_runs_what_is_ready_and_exits_with_0(deployment, worker_type):
    results = deployment.invoker.enqueue_many([deployment.main.add.command(number, 1) for number in range(50)])
    later = deployment.main.add.schedule(args=(1, 2), delay=3600)

    consumer = deployment.launch("--burst", "--worker-type", worker_type, "--workers", "2")

    assert consumer.exit_code() == 0, consumer.log()
    assert [result.get() for result in results] == list(range(1, 51))
    assert later.get() is None
    assert deployment.queue.counts().scheduled == 1


def test_huey_health_finds_the_consumers_of_a_host_on_a_server(deployment, command_line, eventually):
    deployment.start()

    def it_is_healthy():
        url = deployment.environment["HUEY_URL"]
        result = command_line.run("health", url, "--consumer", socket.gethostname(), "--json")
        return result.exit_code == 0 and json.loads(result.stdout)["healthy"]

    eventually(it_is_healthy)
