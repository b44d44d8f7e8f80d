"""The measurements. Each does the same to every contestant and returns a number, or the numbers of many calls."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .machine import pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contestants import Contestant

__all__ = ["call_to_result", "drain", "enqueue", "enqueue_many"]

FOLDER: Final = Path(__file__).parents[1]
"""The folder in which ``import speed`` works."""

PATIENCE: Final = 300.0
STOP_TIMEOUT: Final = 10.0
WARM_UP: Final = 0.05
"""The share of a drain that is not measured, while the consumer starts and gets going."""


def enqueue(contestant: Contestant, count: int) -> float:
    """Commands sent in a second, one by one."""
    contestant.enqueue(100)
    began = time.perf_counter()
    contestant.enqueue(count)
    return count / (time.perf_counter() - began)


def enqueue_many(contestant: Contestant, count: int) -> float:
    """Commands sent in a second, all at once."""
    contestant.enqueue_many(100)
    began = time.perf_counter()
    contestant.enqueue_many(count)
    return count / (time.perf_counter() - began)


def drain(contestant: Contestant, count: int, core: int | None) -> float:
    """Commands in a second that one consumer process takes from a full queue, runs, and stores the results of."""
    contestant.enqueue_many(count)
    with running_consumer(contestant, core):
        began, done_before = wait_for_results(contestant, int(count * WARM_UP))
        ended, done = wait_for_results(contestant, count)
    if done != count:
        raise RuntimeError(f"{contestant.name} stored {done} results of {count} commands")
    return (done - done_before) / (ended - began)


def call_to_result(contestant: Contestant, count: int, core: int | None) -> list[float]:
    """Seconds from a call to its result, one call at a time, of a consumer that has nothing else to do."""
    with running_consumer(contestant, core):
        for _ in range(5):
            contestant.call()
        durations = []
        for _ in range(count):
            began = time.perf_counter()
            contestant.call()
            durations.append(time.perf_counter() - began)
    return durations


@contextmanager
def running_consumer(contestant: Contestant, core: int | None) -> Iterator[None]:
    """Start a consumer process, and stop it at the end of the block."""
    process = subprocess.Popen(
        contestant.command_line(), cwd=FOLDER, env={**os.environ, "PYTHONPATH": str(FOLDER)}, start_new_session=True
    )
    pin(process.pid, core)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_results(contestant: Contestant, count: int) -> tuple[float, int]:
    """Wait for so many results, and return when they were there and how many there were."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        done, now = contestant.results(), time.perf_counter()
        if done >= count:
            return now, done
        if now > deadline:
            raise TimeoutError(f"{contestant.name} stored {done} results of {count} in {PATIENCE:g} s")
        time.sleep(0.005)
