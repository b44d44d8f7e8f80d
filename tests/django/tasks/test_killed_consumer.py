"""A consumer that is killed while it runs a task: another one runs it again, and the result says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.tasks import TaskResultStatus
from tasks import sample_tasks
from tasks.sample_tasks import wait_at_the_gate

HERE = Path(__file__).parent


@pytest.fixture
def other_consumer(tmp_path):
    """A consumer in a process of its own."""
    started = []

    def start(url):
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        with (tmp_path / "consumer.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "consumer_process.py"), url], env=environment, stdout=log, stderr=log
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_task_whose_consumer_was_killed_has_two_attempts(
    server, configure, other_consumer, consume, eventually, finished
):
    url = server.url(queue="killed", lease="1")
    configure(url, queues=["default"])
    victim = other_consumer(url)
    result = wait_at_the_gate.enqueue()
    eventually(lambda: wait_at_the_gate.get_result(result.id).attempts == 1, "the first attempt")
    victim.kill()
    victim.wait()
    sample_tasks.gate.set()
    consume(lease=60.0)
    finished(result)
    assert (result.status, result.attempts) == (TaskResultStatus.SUCCESSFUL, 2)
    assert [worker.split(":")[1] for worker in result.worker_ids] == [str(victim.pid), str(os.getpid())]
    assert result.started_at < result.last_attempted_at
