from __future__ import annotations

import threading

import pytest

from huey_core import Invoker, queue_command
from huey_core.consumer.policy import Policy
from huey_core.exceptions import CommandCancelled

PATIENCE = 10.0


@pytest.fixture
def invoker(cli):
    """An invoker at the URL of the command line."""
    invoker = Invoker.from_url(cli.url)
    yield invoker
    invoker.close()


def test_a_command_that_runs_in_a_consumer_is_cancelled(cli, invoker, run_consumer):
    began = threading.Event()

    @queue_command(invoker)
    def loop():
        began.set()
        while True:
            pass

    run_consumer(invoker, threads=1, policy=Policy(long_run=0.01))
    call = loop()
    assert began.wait(PATIENCE)

    output = cli.run("cancel", cli.url, call.task_id)

    assert output.stdout == f"{call.task_id} of queue {invoker.queue.name!r} is cancelled\n"
    with pytest.raises(CommandCancelled):
        call.get(blocking=True, timeout=PATIENCE)


def test_without_an_id_nothing_is_cancelled(cli):
    result = cli.run("cancel", cli.url)

    assert (result.exit_code, "give the id of a command" in result.stderr) == (2, True)
