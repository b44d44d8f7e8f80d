"""Where Python has neither forks nor the signals of POSIX, as on Windows: what works, and what says that it cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_POSIX = """
import os, signal
for module, names in {
    os: ("fork", "forkpty", "register_at_fork", "getuid", "killpg", "setsid"),
    signal: ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "pthread_sigmask", "SIG_BLOCK", "SIG_UNBLOCK", "setitimer"),
}.items():
    for name in names:
        delattr(module, name)
"""


def run(program: str, cwd) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_POSIX + program]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("package", ["huey_core.consumer", "huey_memory", "huey_mongo", "huey_redis", "huey_sqlite"])
def test_a_package_is_imported(package, tmp_path):
    done = run(f"import {package}", tmp_path)

    assert done.returncode == 0, done.stderr


def test_a_command_is_enqueued_and_read_back(tmp_path):
    program = """
from huey_core import Invoker, queue_command
invoker = Invoker.from_url("sqlite:///queue.sqlite3")
add = queue_command(invoker, name="add")(lambda a, b: a + b)
assert add(1, 2).get() is None
assert list(invoker.dequeue().data[0]) == [1, 2]
"""

    done = run(program, tmp_path)

    assert done.returncode == 0, done.stderr


def test_a_consumer_process_says_in_one_line_that_it_cannot_run(tmp_path):
    (tmp_path / "main.py").write_text(
        "from huey_core import Invoker\n"
        "from huey_core.consumer import BaseConfiguration\n"
        "class Configuration(BaseConfiguration):\n"
        "    INVOKER = Invoker.from_url('memory://')\n"
    )

    done = run(
        "import sys; sys.argv = ['huey_consumer', 'main.Configuration']\n"
        "from huey_core.cli.group import run_alone; run_alone('consumer', 'huey_consumer')",
        tmp_path,
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "run it under WSL or in a container" in done.stderr
