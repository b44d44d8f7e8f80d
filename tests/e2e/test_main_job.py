"""The main job: one process enqueues, another one runs, and the result comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deployment import APP

PRODUCER = "from main import add; print(add(2, b=3).get(blocking=True, timeout=60))"


def installed_script() -> str:
    script = shutil.which("huey_consumer", path=str(Path(sys.executable).parent))
    assert script is not None, "huey-core is not installed in this environment"
    return script


def test_a_producer_reads_back_what_a_consumer_made_of_its_call(deployment):
    deployment.start(program=(installed_script(),))
    producer = subprocess.run(
        [sys.executable, "-c", PRODUCER],
        cwd=APP,
        env=os.environ | deployment.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert (producer.stdout, producer.stderr) == ("5\n", "")


def test_a_command_enqueued_before_any_consumer_runs_is_run_by_the_first(deployment):
    result = deployment.main.add(2, 3)

    deployment.start()

    assert result.get(blocking=True, timeout=60) == 5
