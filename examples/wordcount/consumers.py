"""Consumer processes, started as an operator would start them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same program as: huey_consumer wordcount.app.Configuration --quiet
COMMAND: Final = (sys.executable, "-m", "huey_core", "consumer", "wordcount.app.Configuration", "--quiet")

EXAMPLES: Final = Path(__file__).parents[1]
"""The folder in which ``import wordcount`` works."""


@contextmanager
def running_consumers(number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start consumers, and ask those that still live to stop at the end of the block."""
    processes = [subprocess.Popen(COMMAND, cwd=EXAMPLES) for _ in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with SIGKILL: it gets no chance to finish or to give anything back."""
    process.kill()
    process.wait()
