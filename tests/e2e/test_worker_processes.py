"""What the processes of the worker pool look up for themselves, on a server."""

from __future__ import annotations

import pytest

from huey_core.exceptions import CommandRevoked


def test_a_revoked_call_is_not_run_in_a_process_and_others_are(deployment):
    revoked, *others = deployment.invoker.enqueue_many([deployment.main.work.command(0.0) for _ in range(3)])
    revoked.revoke()

    deployment.start("--worker-type", "process", "--workers", "1")

    assert [result.get(blocking=True, timeout=60) for result in others] == [0.0, 0.0]
    with pytest.raises(CommandRevoked):
        revoked.get(blocking=True, timeout=60)
    assert {entry.task_id for entry in deployment.journal("started")} == {one.task_id for one in others}


def test_each_command_has_a_process_of_its_own_with_max_commands_1(deployment):
    consumer = deployment.start("--worker-type", "process", "--workers", "1", "--max-commands", "1")
    deployment.let_go("go")

    pids = [deployment.main.wait_for_file("go").get(blocking=True, timeout=60) for _ in range(2)]

    assert len({consumer.pid, *pids}) == 3
