"""The programs of an example in processes of their own: a web server, a consumer."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from deployment import await_condition

__all__ = ["EXAMPLES", "Programs"]

EXAMPLES = Path(__file__).parents[2] / "examples"


class Programs:
    """Starts programs that find the examples, and ends them with its block.

    Args:
        folder: Where they write what they print.
        environment: What they find in their environment beside this process's.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(EXAMPLES), "PYTHONUNBUFFERED": "1", **environment}
        self._until_the_end = ExitStack()

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_: object) -> None:
        self._until_the_end.close()

    def start(self, *words: str, until: str) -> str:
        """Start ``python -m`` with these words, wait until it has printed a text, and return all that it has.

        Raises:
            AssertionError: It has ended, or has not printed it within a minute.
        """
        log = self._folder / f"{words[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._until_the_end.callback(process.wait)
        self._until_the_end.callback(process.kill)
        await_condition(lambda: until in log.read_text() or process.poll() is not None, f"{until!r} is printed")
        assert process.poll() is None, log.read_text()
        return log.read_text()
